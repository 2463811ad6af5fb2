"""A lock between tasks, processes and machines."""

import threading
from collections.abc import Callable, Coroutine
from types import TracebackType
from typing import Any, Self, TypeVar

from outlive.errors import LockLostError
from outlive.ports import Backend, Lease
from outlive.sync.choice import check_name, check_seconds, run_from_thread
from outlive.sync.owners import Owners, Spec, this_task

T = TypeVar("T")


class Lock:
    """Lets one task or thread at a time through, among all processes that use the same backend and name.

    Who waits longest comes next. While it is held it is renewed, and where it is lost all the same, the body of
    `async with lock` is cancelled and the block raises `LockLostError`. Give `lock.fencing_token` to whatever the
    body writes to: a store that refuses smaller tokens than it has seen is safe even from a holder that stood still.

    `backend`: where it is kept; if left out, the backend of the manager of the current task, request or `async with
    manager`, found when the lock is used. `worker`: a name for this process on screens. `lease_duration`: seconds
    until others get it after a crash. `retry_interval`: seconds between tries to renew it when the backend fails.
    """

    def __init__(
        self,
        name: str,
        *,
        backend: Backend | None = None,
        worker: str | None = None,
        lease_duration: float = 60.0,
        retry_interval: float = 0.1,
    ) -> None:
        self.name = check_name(name)
        self.lease_duration = check_seconds("lease_duration", lease_duration, 0.001)
        retry = check_seconds("retry_interval", retry_interval, 0.001)
        self._spec = Spec(name, f"lock:{name}", backend, worker, self.lease_duration, retry)
        self._owners = Owners(self._spec)

    def __repr__(self) -> str:
        return f"<Lock {self.name!r}>"

    async def acquire(self, timeout: float | None = None) -> None:  # noqa: ASYNC109 - the wait is the method's subject
        """Wait for the lock, at most `timeout` seconds; `LockTimeoutError` (a `TimeoutError`) after that."""
        await self._owners.acquire(this_task(), timeout)

    async def acquire_nowait(self) -> None:
        """Acquire the lock if it is free; else `LockHeldError` (an `anyio.WouldBlock`)."""
        await self._owners.acquire_nowait(this_task())

    async def release(self) -> None:
        """Let the next one in.

        Raises `LockNotOwnedError` where this task does not have it, `LockLostError` where it has it no more.
        """
        await self._owners.release(this_task())

    async def extend(self, seconds: float | None = None) -> None:
        """Let the lease end `seconds` from now (default: `lease_duration`); `LockLostError` if it has ended."""
        await self._owners.extend(this_task(), self._span(seconds))

    async def locked(self) -> bool:
        """Whether anybody has it."""
        return await self._spec.lease() is not None

    async def owned(self) -> bool:
        """Whether the current task has it."""
        return await self._owners.owned(this_task())

    async def holder(self) -> Lease | None:
        """Who has it, until when, and who waits; None where it is free."""
        return await self._spec.lease()

    async def force_release(self, reason: str) -> bool:
        """Take it from whoever has it, whose body is cancelled at its next renewal; False where it is free."""
        return await self._spec.force(reason)

    @property
    def fencing_token(self) -> int:
        """A number that grows whenever the lock changes hands, for the task that has it."""
        return self._owners.held_by(this_task()).fence

    @property
    def from_thread(self) -> "ThreadLock":
        """The same lock for plain functions in threads: `with lock.from_thread:`."""
        return ThreadLock(self._spec, self._owners)

    async def __aenter__(self) -> Self:
        await self.acquire()
        self._owners.enter(this_task())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        holding = await self._owners.leave(this_task(), error)
        if holding is None:
            return
        if error is not None:
            await holding.let_go()  # what the body raised is what the caller is to see
        elif not await holding.give_back():
            raise self._owners.lost(holding)

    def _span(self, seconds: float | None) -> float:
        return self.lease_duration if seconds is None else check_seconds("seconds", seconds, 0.001)


class ThreadLock:
    """A lock as a plain function in a thread sees it; the thread is the holder.

    A thread cannot be interrupted: where the lock is lost, `release` and the end of the block raise `LockLostError`.
    """

    def __init__(self, spec: Spec, owners: Owners) -> None:
        self._spec = spec
        self._owners = owners

    def acquire(self, timeout: float | None = None) -> None:
        """Wait for the lock, at most `timeout` seconds; `LockTimeoutError` after that."""
        self._run(lambda owner: self._owners.acquire(owner, timeout))

    def acquire_nowait(self) -> None:
        """Acquire the lock if it is free; else `LockHeldError`."""
        self._run(self._owners.acquire_nowait)

    def release(self) -> None:
        """Let the next one in."""
        self._run(self._owners.release)

    def extend(self, seconds: float | None = None) -> None:
        """Let the lease end `seconds` from now (default: `lease_duration`); `LockLostError` if it has ended."""
        span = self._spec.seconds if seconds is None else check_seconds("seconds", seconds, 0.001)
        self._run(lambda owner: self._owners.extend(owner, span))

    def locked(self) -> bool:
        """Whether anybody has it."""
        return self._run(lambda _: self._spec.lease()) is not None

    def owned(self) -> bool:
        """Whether the current thread has it."""
        return self._run(self._owners.owned)

    @property
    def fencing_token(self) -> int:
        """A number that grows whenever the lock changes hands, for the thread that has it."""
        return self._owners.held_by(threading.current_thread()).fence

    def __enter__(self) -> Self:
        self.acquire()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            self.release()
        except LockLostError:
            if error is None:
                raise  # else what the body raised is what the caller is to see

    def _run(self, work: Callable[[threading.Thread], Coroutine[Any, Any, T]]) -> T:
        owner = threading.current_thread()
        return run_from_thread(self._spec.near(), lambda: work(owner))
