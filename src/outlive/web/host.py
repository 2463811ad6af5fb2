"""What the web layer needs of the manager."""

from typing import Protocol

from outlive.definitions.coordination import Coordination
from outlive.runtime.rehearsal import Rehearsal
from outlive.runtime.runtime import Runtime
from outlive.web.traces import Traces


class Host(Protocol):
    """Owns the runtime that requests schedule on."""

    @property
    def runtime(self) -> Runtime:
        """The running runtime; `NotInitializedError` before start-up."""
        ...

    @property
    def coordination(self) -> Coordination:
        """What locks work with; `NotInitializedError` before start-up."""
        ...

    @property
    def is_started(self) -> bool:
        """Whether there is one."""
        ...

    @property
    def rehearsal(self) -> Rehearsal | None:
        """How the tests of the application have it run."""
        ...

    @property
    def traces(self) -> Traces | None:
        """Where requests are noted, None where nobody looks at them."""
        ...

    async def startup(self) -> None:
        """Start; harmless when started already."""
        ...
