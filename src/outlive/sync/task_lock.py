"""A lock for what is to run once per interval among all processes."""

import threading
from types import TracebackType
from typing import Self

from outlive.errors import BackendError, ConfigError, LockLostError
from outlive.ports import Backend, Lease
from outlive.sync.choice import check_name, check_seconds, run_from_thread
from outlive.sync.holding import Holding
from outlive.sync.owners import Owners, Spec, this_task

#: Between tries to renew it when the backend fails.
_RETRY = 0.1


class TaskLock:
    """Lets a block run in one place and not again too soon; who finds it held gets `LockHeldError` and never waits.

    `min_lock_seconds`: it stays held for so long from when it was acquired, also where the block ends sooner, so that
    processes whose clocks differ do not run the same turn twice. `max_lock_seconds`: others get it so long after a
    crash; while the block runs it is renewed, and where it is lost the block is cancelled with `LockLostError`.
    `backend` and `worker` as in `Lock`.
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
        self.name = check_name(name)
        self.min_lock_seconds = check_seconds("min_lock_seconds", min_lock_seconds)
        self.max_lock_seconds = check_seconds("max_lock_seconds", max_lock_seconds, 0.001)
        if min_lock_seconds > max_lock_seconds:
            raise ConfigError(
                f"min_lock_seconds={min_lock_seconds!r} must not be more than max_lock_seconds={max_lock_seconds!r}"
            )
        self._spec = Spec(name, f"tasklock:{name}", backend, worker, self.max_lock_seconds, _RETRY)
        self._owners = Owners(self._spec)

    def __repr__(self) -> str:
        return f"<TaskLock {self.name!r}>"

    async def locked(self) -> bool:
        """Whether anybody has it, or it has not been free for long enough."""
        return await self._spec.lease() is not None

    async def holder(self) -> Lease | None:
        """Who has it, and until when; None where it is free."""
        return await self._spec.lease()

    async def force_release(self, reason: str) -> bool:
        """Take it from whoever has it, whose block is cancelled at its next renewal; False where it is free."""
        return await self._spec.force(reason)

    @property
    def fencing_token(self) -> int:
        """A number that grows whenever the lock changes hands, for the task that has it."""
        return self._owners.held_by(this_task()).fence

    @property
    def from_thread(self) -> "ThreadTaskLock":
        """The same lock for plain functions in threads: `with lock.from_thread:`."""
        return ThreadTaskLock(self._spec, self._owners, self.min_lock_seconds)

    async def __aenter__(self) -> Self:
        await self._owners.acquire_nowait(this_task())
        self._owners.enter(this_task())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        holding = await self._owners.leave(this_task(), error)
        if holding is not None:
            await _end(self._owners, holding, self.min_lock_seconds, error)


class ThreadTaskLock:
    """A task lock as a plain function in a thread sees it."""

    def __init__(self, spec: Spec, owners: Owners, least: float) -> None:
        self._spec = spec
        self._owners = owners
        self._least = least

    def locked(self) -> bool:
        """Whether anybody has it, or it has not been free for long enough."""
        return run_from_thread(self._spec.near(), self._spec.lease) is not None

    def __enter__(self) -> Self:
        owner = threading.current_thread()
        run_from_thread(self._spec.near(), lambda: self._owners.acquire_nowait(owner))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        holding = self._owners.forget(threading.current_thread())
        run_from_thread(self._spec.near(), lambda: _end(self._owners, holding, self._least, error))


async def _end(owners: Owners, holding: Holding, least: float, error: BaseException | None) -> None:
    """Leave it held for what is left of `least`; what the block raised comes before what goes wrong here."""
    try:
        if not await holding.give_back_after(least):
            raise owners.lost(holding)
    except (BackendError, LockLostError, TimeoutError):
        if error is None:
            raise
