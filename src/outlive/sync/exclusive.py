"""What locks and task locks have in common: who has it, with which token, and how to take it away."""

import threading
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

from outlive.ports import Backend, Lease
from outlive.sync.choice import check_name, run_from_thread
from outlive.sync.owners import Owners, Spec, this_task

T = TypeVar("T")


class Exclusive:
    """What one at a time has, among all processes that use the same backend and name."""

    def __init__(
        self, kind: str, name: str, backend: Backend | None, worker: str | None, seconds: float, retry: float
    ) -> None:
        self.name = check_name(name)
        #: What is acquired.
        self.spec = Spec(name, f"{kind}:{name}", backend, worker, seconds, retry)
        self._owners = Owners(self.spec)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.name!r}>"

    async def locked(self) -> bool:
        """Whether anybody has it, or it has not been free for long enough."""
        return await self.spec.lease() is not None

    async def holder(self) -> Lease | None:
        """Who has it, until when, and who waits; None where it is free."""
        return await self.spec.lease()

    async def force_release(self, reason: str) -> bool:
        """Take it from whoever has it, whose body is cancelled at its next renewal; False where it is free."""
        return await self.spec.force(reason)

    @property
    def fencing_token(self) -> int:
        """A number that grows whenever it changes hands, for the task that has it or whose run was given it."""
        return self._owners.token_of(this_task())


class ThreadExclusive:
    """The same as a plain function in a thread sees it; the thread is the holder."""

    def __init__(self, spec: Spec, owners: Owners) -> None:
        self._spec = spec
        self._owners = owners

    def locked(self) -> bool:
        """Whether anybody has it, or it has not been free for long enough."""
        return self._run(lambda _: self._spec.lease()) is not None

    @property
    def fencing_token(self) -> int:
        """A number that grows whenever it changes hands, for the thread that has it or whose run was given it."""
        return self._owners.token_of(threading.current_thread())

    def _run(self, work: Callable[[threading.Thread], Coroutine[Any, Any, T]]) -> T:
        owner = threading.current_thread()
        return run_from_thread(self._spec.near(), lambda: work(owner))
