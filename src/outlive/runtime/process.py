"""What every part of one process shares."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field, fields

from outlive.core.moves import Enqueue
from outlive.core.queues import QueueConfig
from outlive.core.states import TaskStatus
from outlive.definitions.registry import TaskRegistry
from outlive.definitions.schedule import Plan
from outlive.errors import ConfigError, NotInitializedError
from outlive.ports import Clock, Emit, Instance
from outlive.runtime import forks
from outlive.runtime.rehearsal import Rehearsal
from outlive.runtime.store import TaskStore


@dataclass(frozen=True, slots=True)
class Limits:
    """The numbers of one process; seconds where they are times."""

    #: Running tasks at shutdown, shielded ones with their handlers, those in worker processes.
    shutdown_grace: float = 5.0
    shutdown_timeout: float = 30.0
    process_shutdown_timeout: float = 30.0
    #: Without a beat for this long an instance is dead.
    lease: float = 15.0
    #: Between looks at what other processes left in a shared backend.
    poll_interval: float = 1.0
    #: Flush of `persist=False` records.
    snapshot_interval: float = 60.0
    #: Finished records older than this many days are deleted, None keeps them.
    retention_days: float | None = None
    #: The same for records that ended in some status; it wins over `retention_days`.
    retention: Mapping[TaskStatus, float] = field(default_factory=dict[TaskStatus, float])
    #: What people did longer ago than this many days is forgotten, None keeps it.
    audit_days: float | None = None
    #: Tasks held in memory; what is accepted beyond goes to the backend for whoever has room.
    room: int = 10_000
    #: Moves that may wait for the backend before new tasks are refused.
    journal_capacity: int = 20_000
    #: Bytes of a stored result; what is larger is summed up, 0 stores none.
    max_result_size: int = 64 * 1024

    def __post_init__(self) -> None:
        for limit in fields(self):
            value = getattr(self, limit.name)
            if limit.name == "retention":
                continue
            least_is_zero = limit.name == "max_result_size" or "shutdown" in limit.name
            if value is not None and (value < 0 or (value == 0 and not least_is_zero)):
                raise ConfigError(f"{limit.name}={value!r} must be {'0 or more' if least_is_zero else 'more than 0'}")

    @property
    def flush_patience(self) -> float:
        """Seconds that the last writes may take, also where running tasks get no grace."""
        return max(1.0, self.shutdown_grace)


@dataclass(slots=True)
class Duty:
    """Whether an instance takes new work; a person may have asked it not to."""

    is_off: bool = False


@dataclass(frozen=True, slots=True)
class Process:
    """One instance at work."""

    instance: Instance
    registry: TaskRegistry
    store: TaskStore
    clock: Clock
    emit: Emit
    limits: Limits
    #: Whether a task that does not say is stored when it is accepted.
    persists: bool
    #: The queues that were declared, None where any name is one.
    queues: Mapping[str, QueueConfig] | None = None
    #: The queues from which this process runs tasks, None for all.
    run_queues: Collection[str] | None = None
    #: Whether this process runs tasks, or only accepts them.
    runs_tasks: bool = True
    #: Told of what tasks say and how they get on; None where nobody listens.
    observe: Emit | None = None
    #: What fires by itself.
    plan: Plan = field(default_factory=Plan)
    #: How the tests of an application have it run.
    rehearsal: Rehearsal | None = None
    #: Is asked when a run is accepted, and given what it gives back at each attempt; None where nobody traces.
    trace: Callable[[Enqueue], Mapping[str, str]] | None = None
    #: Where it was made.
    born: int = field(default_factory=lambda: forks.here)
    duty: Duty = field(default_factory=Duty)

    @property
    def is_here(self) -> bool:
        """Whether this is the process it was made in, not a forked child with a copy of it."""
        return self.born == forks.here

    def check_here(self) -> None:
        """Raise `NotInitializedError` in a forked child, which must not act in the name of its parent."""
        if self.born != forks.here:
            raise NotInitializedError(
                f"the task manager was started in process {self.instance.pid}, from which this one was forked; "
                "await manager.startup() here, or start this process by 'spawn' and its own manager in it"
            )
