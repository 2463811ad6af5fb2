"""Which manager's backend the locks of a request, a task or an `async with manager` block work with."""

import asyncio
from collections.abc import Callable
from contextvars import ContextVar
from typing import NamedTuple, Protocol

from outlive.ports import Backend, Clock


class Coordination(NamedTuple):
    """What locks and elections of one running manager work with."""

    backend: Backend
    clock: Clock
    #: Where threads send what they ask.
    loop: asyncio.AbstractEventLoop | None = None
    #: Whether this instance is to leave to others what they can do.
    is_off_duty: Callable[[], bool] = lambda: False


class Coordinated(Protocol):
    """A manager."""

    @property
    def coordination(self) -> Coordination:
        """Raises `NotInitializedError` where it does not run."""
        ...


#: A manager, and what was bound before it.
_Bound = tuple[Coordinated, "_Bound | None"]

_bound: ContextVar[_Bound | None] = ContextVar("outlive_coordination", default=None)


def bind(manager: Coordinated) -> None:
    """From here on, in this context, this manager is the nearest."""
    _bound.set((manager, _bound.get()))


def unbind(manager: Coordinated) -> None:
    """Undo `bind`; harmless in a context that was bound elsewhere."""
    bound = _bound.get()
    if bound is not None and bound[0] is manager:
        _bound.set(bound[1])


def nearest() -> Coordination | None:
    """That of the manager that was bound last."""
    bound = _bound.get()
    return None if bound is None else bound[0].coordination
