"""What instances, claims and leases are, as they pass between the runtime and a backend. Times are seconds."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from outlive.core.record import TaskRecord
from outlive.core.schedule import ScheduleState


@dataclass(frozen=True, slots=True)
class Instance:
    """One running process of the application; owns what it runs."""

    id: str
    host: str
    pid: int
    started_at: float
    #: Seconds without a beat after which others may take it for dead.
    lease: float = 15.0
    #: Of outlive and of Python.
    version: str = ""
    #: How many bodies it may run at once by each executor, None for no limit; empty where it runs none.
    slots: Mapping[str, int | None] = field(default_factory=dict[str, int | None], hash=False)


@dataclass(frozen=True, slots=True)
class Wanted:
    """What an instance asks for in a claim: records of `functions`, up to `limit`."""

    owner: str
    functions: Collection[str]
    limit: int
    now: float
    #: Records that are left alone.
    refused: Collection[str] = ()
    #: None for all queues.
    queues: Collection[str] | None = None
    #: Queues whose records are left alone.
    without_queues: Collection[str] = ()


@dataclass(frozen=True, slots=True)
class InstanceState:
    """An instance as others see it."""

    instance: Instance
    #: When it last gave a sign, in seconds since the epoch.
    beat_at: float
    #: Whether somebody asked it to take no new work.
    draining: bool = False


@dataclass(frozen=True, slots=True)
class Claim:
    """What `Backend.claim` handed over."""

    records: Sequence[TaskRecord]
    #: When the earliest record that is not due yet can be claimed, in seconds since the epoch.
    next_at: float | None = None


@dataclass(frozen=True, slots=True)
class Due:
    """What `Backend.due` found."""

    schedules: Sequence[ScheduleState]
    #: When the earliest schedule that is not due yet will be, in seconds since the epoch.
    next_at: float | None = None


@dataclass(frozen=True, slots=True)
class Rescue:
    """What became of the records of a dead instance."""

    requeued: Sequence[str] = ()
    interrupted: Sequence[str] = ()
    #: Whether the instance was found alive, so that nothing was taken from it.
    is_alive: bool = False


@dataclass(frozen=True, slots=True)
class Lease:
    """Who may act under a key, and until when."""

    key: str
    holder: str
    #: Greater than the token of every lease that was granted before; a store that remembers it can refuse the others.
    fence: int
    taken_at: float
    expires_at: float
    #: Who waits for it, in the order of their turns; filled by `Leases.held` alone.
    waiting: Sequence[str] = ()

    def time_left(self, now: float) -> float:
        """Seconds until it expires, 0 where it has."""
        return max(0.0, self.expires_at - now)


@dataclass(frozen=True, slots=True)
class LeaseEvent:
    """What happened to a lease; elections note theirs, and every backend those that were forced."""

    key: str
    holder: str
    #: The token of the lease that this was about.
    fence: int
    at: float
    event: Literal["acquired", "released", "lost", "forced"]
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class Statement:
    """SQL with a `?` for each of its values."""

    text: str
    values: tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class Layout:
    """Which schema a backend has, 0 where it has none yet, and what would bring it to the one that is known here."""

    version: int
    known: int
    #: What `open` would apply; empty where there is nothing to do, and where it is nothing that a person could.
    script: str = ""

    @property
    def is_current(self) -> bool:
        """Whether `open` would change nothing."""
        return self.version >= self.known
