"""Threads that do the blocking work, and the way of results back to the event loop."""

import asyncio
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from queue import SimpleQueue
from typing import Any, Generic, Protocol, TypeVar


class Session(Protocol):
    """What a thread works with and lets go of at its end."""

    def close(self) -> None:
        """Let go of everything."""
        ...


S = TypeVar("S", bound=Session)
T = TypeVar("T")


class Workers(Generic[S]):
    """One daemon thread for each session, all fed by one queue.

    Not a ThreadPoolExecutor: its futures make the hop to the thread and back several times as long.
    """

    def __init__(self, name: str, sessions: Sequence[S]) -> None:
        self._jobs: SimpleQueue[_Job[S]] = SimpleQueue()
        self._threads = [
            threading.Thread(target=self._serve, args=(session,), name=name, daemon=True) for session in sessions
        ]
        for thread in self._threads:
            thread.start()

    def call(self, work: Callable[[S], T]) -> "asyncio.Future[T]":
        """Let a thread do `work` with its session. Work that has begun goes on where the caller is cancelled."""
        job = _Job(work, asyncio.get_running_loop())
        self._jobs.put(job)
        return job.future

    async def stop(self) -> None:
        """End the threads after what was asked so far."""
        loop = asyncio.get_running_loop()
        ends = [_Job[S](_end, loop, last=True) for _ in self._threads]
        for end in ends:
            self._jobs.put(end)
        for end in ends:
            await end.future

    def _serve(self, session: S) -> None:
        last = False
        while not last:
            job = self._jobs.get()
            last = job.last
            job.do(session)
            del job  # or its result would stay in memory until the next one comes


def _end(session: Session) -> None:
    session.close()


class _Job(Generic[S]):
    __slots__ = ("_loop", "_work", "future", "last")

    def __init__(self, work: Callable[[S], Any], loop: asyncio.AbstractEventLoop, *, last: bool = False) -> None:
        self.last = last
        self._work = work
        self._loop = loop
        self.future: asyncio.Future[Any] = loop.create_future()

    def do(self, session: S) -> None:
        """Do the work and send what came of it to the loop."""
        try:
            self._send(self._succeed, self._work(session))
        except BaseException as error:  # noqa: BLE001 - whatever it is belongs to the caller
            self._send(self._fail, error)

    def _send(self, settle: Callable[[Any], None], what: Any) -> None:
        with suppress(RuntimeError):  # the loop is closed: nobody waits any more
            self._loop.call_soon_threadsafe(settle, what)

    def _succeed(self, result: Any) -> None:
        if not self.future.done():
            self.future.set_result(result)

    def _fail(self, error: BaseException) -> None:
        if not self.future.done():
            self.future.set_exception(error)
