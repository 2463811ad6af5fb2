"""Plain functions, in threads of their own.

The pool is not shared with the request handlers, so tasks cannot starve them. Its threads are daemons: a body that
never returns must not keep the process from ending (its record is rescued by whoever comes next).
"""

import asyncio
import contextvars
import inspect
import threading
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from queue import SimpleQueue
from typing import Any

from outlive.core.failure import failed, timed_out
from outlive.core.settle import Outcome, Succeeded
from outlive.definitions.injection.beside import home
from outlive.ports import Call

DEFAULT_THREADS = 40

#: Runs a body, and gives what sends its outcome to the event loop.
_Job = Callable[[], Callable[[], None]]


class ThreadExecutor:
    """Runs bodies in a pool of daemon threads.

    `limit`: the size of the pool, default 40 (the seeds' `max_sync_threads`). `on_overrun` is told of a body that
    went past its timeout; since a thread cannot be killed, its attempt ends when the body does.
    """

    can_interrupt = False

    def __init__(self, limit: int | None = None, on_overrun: Callable[[Call], None] | None = None) -> None:
        self.limit: int | None = limit or DEFAULT_THREADS
        self._on_overrun = on_overrun
        self._jobs: SimpleQueue[_Job | None] = SimpleQueue()
        self._lock = threading.Lock()
        self._threads = 0
        self._idle = 0

    async def call(self, call: Call) -> Outcome:
        """Run the body in a thread that carries the caller's context."""
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Outcome] = loop.create_future()
        context = contextvars.copy_context()
        context.run(home.set, loop)

        def job() -> Callable[[], None]:
            return partial(_send_back, loop, future, context.run(_run, call))

        self._submit(job)
        if call.timeout is None:
            return await future
        return await self._watch(call, call.timeout, future)

    async def _watch(self, call: Call, seconds: float, future: asyncio.Future[Outcome]) -> Outcome:
        done, _ = await asyncio.wait([future], timeout=seconds)
        if done:
            return future.result()
        call.request_stop()
        if self._on_overrun is not None:
            self._on_overrun(call)
        await future
        return timed_out(seconds)

    def _submit(self, job: _Job) -> None:
        with self._lock:
            self._jobs.put(job)
            if self._idle > 0:
                self._idle -= 1
                return
            if self._threads >= (self.limit or DEFAULT_THREADS):
                return
            self._threads += 1
        threading.Thread(target=self._work, name="outlive task", daemon=True).start()

    def _work(self) -> None:
        while (job := self._jobs.get()) is not None:
            send_back = job()
            # Free before anybody hears of the end, or what comes next would find nobody and start another thread.
            with self._lock:
                if self._jobs.empty():
                    self._idle += 1
            send_back()
            del job, send_back  # or arguments and outcome would stay in memory until the next one comes

    def shutdown(self) -> None:
        """Let idle threads end; busy ones end after their body."""
        with self._lock:
            for _ in range(self._threads):
                self._jobs.put(None)
            self._threads = self._idle = 0


def _run(call: Call) -> Outcome:
    try:
        return Succeeded(_finished(call.body(*call.args, **call.kwargs)))
    except BaseException as error:  # noqa: BLE001 - also SystemExit is only this task's end
        return failed(error)


def _finished(value: Any) -> Any:
    if inspect.iscoroutine(value):
        value.close()
        raise TypeError(
            f"the task gave back the coroutine {value.__qualname__}() instead of running it; schedule a coroutine "
            f"function (async def), or await it in one"
        )
    return value


def _send_back(loop: asyncio.AbstractEventLoop, future: "asyncio.Future[Outcome]", outcome: Outcome) -> None:
    with suppress(RuntimeError):  # the event loop is closed: nobody waits any more
        loop.call_soon_threadsafe(_deliver, future, outcome)


def _deliver(future: asyncio.Future[Outcome], outcome: Outcome) -> None:
    if not future.done():
        future.set_result(outcome)
