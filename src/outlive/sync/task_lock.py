"""A lock for what is to run once per interval among all processes."""

import threading
from types import TracebackType
from typing import Self

from outlive.errors import ConfigError
from outlive.ports import Backend
from outlive.sync.choice import check_seconds
from outlive.sync.exclusive import Exclusive, ThreadExclusive
from outlive.sync.owners import Owners, Spec, this_task

#: Between tries to renew it when the backend fails.
_RETRY = 0.1


class TaskLock(Exclusive):
    """Lets a block run in one place and not again too soon; who finds it held gets `LockHeldError` and never waits.

    `min_lock_seconds`: it stays held for so long after the block has ended, so that it does not run again too soon
    elsewhere. `max_lock_seconds`: others get it so long after a crash; while the block runs it is renewed, and where
    it is lost the block is cancelled with `LockLostError`. `backend` and `worker` as in `Lock`.
    """

    def __init__(
        self,
        name: str,
        *,
        backend: Backend | None = None,
        worker: str | None = None,
        min_lock_seconds: float = 1.0,
        max_lock_seconds: float = 60.0,
    ) -> None:
        self.min_lock_seconds = check_seconds("min_lock_seconds", min_lock_seconds)
        self.max_lock_seconds = check_seconds("max_lock_seconds", max_lock_seconds, 0.001)
        if min_lock_seconds > max_lock_seconds:
            raise ConfigError(
                f"min_lock_seconds={min_lock_seconds!r} must not be more than max_lock_seconds={max_lock_seconds!r}"
            )
        super().__init__("tasklock", name, backend, worker, self.max_lock_seconds, _RETRY)

    @property
    def from_thread(self) -> "ThreadTaskLock":
        """The same lock for plain functions in threads: `with lock.from_thread:`."""
        return ThreadTaskLock(self.spec, self._owners, self.min_lock_seconds)

    async def __aenter__(self) -> Self:
        await self._owners.acquire_nowait(this_task())
        self._owners.enter(this_task())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._owners.leave(this_task(), error, self.min_lock_seconds)


class ThreadTaskLock(ThreadExclusive):
    """A task lock as a plain function in a thread sees it; the thread is the holder."""

    def __init__(self, spec: Spec, owners: Owners, keep: float) -> None:
        super().__init__(spec, owners)
        self._keep = keep

    def __enter__(self) -> Self:
        self._run(self._owners.acquire_nowait)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        holding = self._owners.forget(threading.current_thread())
        self._run(lambda _: self._owners.end(holding, error, self._keep))
