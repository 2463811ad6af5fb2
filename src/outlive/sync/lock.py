"""A lock between tasks, processes and machines."""

from types import TracebackType
from typing import Self

from outlive.errors import LockLostError
from outlive.ports import Backend
from outlive.sync.choice import check_seconds
from outlive.sync.exclusive import Exclusive, ThreadExclusive
from outlive.sync.owners import this_task


class Lock(Exclusive):
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
        self.lease_duration = check_seconds("lease_duration", lease_duration, 0.001)
        retry = check_seconds("retry_interval", retry_interval, 0.001)
        super().__init__("lock", name, backend, worker, self.lease_duration, retry)

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

    async def owned(self) -> bool:
        """Whether the current task has it."""
        return await self._owners.owned(this_task())

    @property
    def from_thread(self) -> "ThreadLock":
        """The same lock for plain functions in threads: `with lock.from_thread:`."""
        return ThreadLock(self.spec, self._owners)

    async def __aenter__(self) -> Self:
        await self.acquire()
        self._owners.enter(this_task())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._owners.leave(this_task(), error)

    def _span(self, seconds: float | None) -> float:
        return self.lease_duration if seconds is None else check_seconds("seconds", seconds, 0.001)


class ThreadLock(ThreadExclusive):
    """A lock as a plain function in a thread sees it; the thread is the holder.

    A thread cannot be interrupted: where the lock is lost, `release` and the end of the block raise `LockLostError`.
    """

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

    def owned(self) -> bool:
        """Whether the current thread has it."""
        return self._run(self._owners.owned)

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
