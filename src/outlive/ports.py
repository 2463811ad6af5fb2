"""The seams on one screen: what the runtime needs of a backend, an executor, a clock and an observer."""

from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any, Protocol, runtime_checkable

from outlive.core.audit import AuditStore
from outlive.core.events import RuntimeEvent
from outlive.core.exchange import Claim as Claim
from outlive.core.exchange import Due as Due
from outlive.core.exchange import Instance as Instance
from outlive.core.exchange import InstanceState as InstanceState
from outlive.core.exchange import Layout as Layout
from outlive.core.exchange import Lease as Lease
from outlive.core.exchange import LeaseEvent as LeaseEvent
from outlive.core.exchange import Rescue as Rescue
from outlive.core.exchange import Statement as Statement
from outlive.core.exchange import Wanted as Wanted
from outlive.core.filter import Page, TaskFilter
from outlive.core.moves import Enqueue, Move
from outlive.core.queues import QueueDepth, QueueState
from outlive.core.record import TaskRecord
from outlive.core.schedule import Gap, ScheduleEntry, ScheduleState
from outlive.core.settle import Outcome
from outlive.core.states import TaskStatus


class Leases(Protocol):
    """Leases with a queue. A lease that ends passes to whoever has waited longest, in the same transaction.

    A holder is named by a text that is made for one acquisition and never used again. A waiter's place lasts for the
    seconds that it gives and is renewed by asking again. One whose turn has come holds the lease for
    `HANDOVER_SECONDS` and confirms it by `take`; if it is dead, the next one's turn comes after that time.
    What is asked for a holder takes effect in the order of asking, also where a caller was cancelled meanwhile.
    """

    async def take(self, key: str, holder: str, seconds: float, now: float, wait: float = 0.0) -> Lease:
        """Give the lease to `holder` if it is free or its own already, and say whose it is.

        Where it belongs to another and `wait` is more than 0, `holder` has a place in the queue for so many seconds.
        """
        ...

    async def renew(self, key: str, holder: str, seconds: float, now: float) -> bool:
        """Let the lease end `seconds` from now; False where `holder` does not have it (any more)."""
        ...

    async def drop(self, key: str, holder: str, now: float) -> bool:
        """Give up the lease or the place in the queue; False where `holder` had no lease (any more)."""
        ...

    async def force(self, key: str, reason: str, now: float) -> bool:
        """Take the lease from whoever has it, who can read the reason; False where nobody does.

        The history has it as `forced`, written in the same transaction.
        """
        ...

    async def why_lost(self, holder: str) -> str | None:
        """Why `holder` was forced out, None where it was not."""
        ...

    async def held(self, now: float, key: str | None = None) -> Sequence[Lease]:
        """The leases that have not expired, of one key or of all, by their keys, with those who wait for them."""
        ...

    async def note(self, event: LeaseEvent) -> None:
        """Put an event into the history, which outlives the process where the backend does."""
        ...

    async def history(self, key: str | None = None, limit: int = 100) -> Sequence[LeaseEvent]:
        """The newest events, of one key or of all, newest first; `LEASE_EVENTS` are kept."""
        ...

    def watch(self, holder: str, called: Callable[[], None]) -> "Handle":
        """Call back on the running event loop when a lease is handed to `holder`, until the handle is cancelled."""
        ...


#: What somebody whose turn has come has for saying so.
HANDOVER_SECONDS = 1.0

#: How many events the history of the leases keeps.
LEASE_EVENTS = 1000


class Backend(AuditStore, Protocol):
    """Where records, instances and leases live. Every implementation passes the suite in `tests/conformance`.

    Times are seconds since the epoch. Methods raise `BackendUnavailableError` where nothing was changed and
    a later try may succeed.
    """

    #: What the records survive: False means they end with the process.
    durable: bool

    @property
    def leases(self) -> Leases:
        """The leases that are kept beside the records."""
        ...

    async def open(self) -> None:
        """Connect and bring the schema up to date; harmless when repeated.

        In a child that was forked while this was open, every verb raises `BackendError` until this was called there.
        It then begins anew, and neither uses nor closes what belongs to the parent; or raises `BackendError` where it
        cannot.
        """
        ...

    async def close(self) -> None:
        """Let go of connections; the instances that joined here are gone from then on."""
        ...

    def apply(self, moves: Sequence[Move]) -> Awaitable[Sequence[bool]]:
        """Apply all moves as one transaction; for each, say whether it took effect.

        `BackendInDoubtError` where the connection broke and it is not known whether they were applied.

        The id of an `Enqueue` that meets a held idempotency key stands for the record that holds it from then on.
        """
        ...

    async def claim(self, wanted: Wanted) -> Claim:
        """Give an instance up to `limit` due unowned records that it can run, best priority then oldest first."""
        ...

    async def explain(self, functions: Collection[str], reason: str) -> int:
        """Set `reason` on unowned pending records of functions other than these; say how many."""
        ...

    async def rescue(self, instance: str, now: float, reason: str, *, if_lost: bool = False) -> Rescue:
        """Take every record from an instance that is dead or done, and forget it, in one transaction.

        Pending: free again if recoverable, else interrupted. Running: pending and free, the attempt uncounted, if
        it may be requeued, else interrupted. With `if_lost` the same transaction first asks whether `lost` would still
        name the instance: one that has beaten meanwhile is alive, and keeps everything.
        """
        ...

    async def get(self, task_id: str) -> TaskRecord | None:
        """One record with logs, history and result, by its id or one that stands for it; None where there is none."""
        ...

    async def find(self, conditions: TaskFilter, page: Page) -> Sequence[TaskRecord]:
        """Records that match, newest first, without logs and history."""
        ...

    async def planned(self, before: float, limit: int) -> Sequence[TaskRecord]:
        """Up to `limit` records that hold a `run_key` and may start before this moment, earliest first.

        They come without logs and history.
        """
        ...

    async def counts(self) -> Mapping[TaskStatus, int]:
        """How many records have each status; statuses without records may be missing."""
        ...

    async def asked_to_cancel(self, owner: str) -> Mapping[str, str | None]:
        """Live records of `owner` that somebody asked to cancel, and the reason, where one was given."""
        ...

    async def prune(
        self,
        statuses: Collection[TaskStatus],
        before: float,
        limit: int,
        functions: Collection[str] | None = None,
        without: Collection[str] = (),
    ) -> int:
        """Delete up to `limit` records that ended before this moment in one of these statuses; say how many.

        Only those of `functions`, where given, and none of the functions in `without`.
        """
        ...

    async def register(self, entries: Sequence[ScheduleEntry], now: float) -> None:
        """Take over the schedules that an instance declares.

        A known one whose declaration is the one before keeps the rule, policy and next time in force; another
        declaration comes into force, with its next time if the rule is another. A known one stays paused if it is.
        One with a `startup_window` is due now, unless it is paused or has fired within it.
        """
        ...

    async def due(self, now: float, limit: int, without: Collection[str] = ()) -> Due:
        """Up to `limit` schedules whose time has come, earliest first; firing them is the move `Fire`.

        Paused ones and those named in `without` are left out.
        """
        ...

    async def schedules(self, names: Collection[str] | None = None) -> Sequence[ScheduleState]:
        """All schedules that were ever registered, or those of them that have these names, by name."""
        ...

    async def pause(self, schedule: str, next_at: float | None, *, paused: bool) -> bool:
        """Pause a schedule or let it go on, with this next time; False where it is so already, or unknown."""
        ...

    async def put(self, entry: ScheduleEntry, *, new: bool) -> bool:
        """Add a schedule that nobody declares, or change the rule and policy in force of one that there is.

        With `new` only where its name is free, without only where it is known; False where it is not so. A changed
        one keeps its next time if its rule is the same, and its function and pause in any case.
        """
        ...

    async def remove(self, schedule: str) -> bool:
        """Forget a schedule and its gaps; its records stay. False where there is none."""
        ...

    async def gaps(self, schedule: str, limit: int) -> Sequence[Gap]:
        """The newest of the gaps that `Fire` has left, newest first; at least `GAPS_KEPT` are remembered."""
        ...

    async def queues(self) -> Sequence[QueueState]:
        """What was set for queues at run time, by name."""
        ...

    async def set_queue(self, state: QueueState) -> None:
        """Set a queue for all instances; a state that says nothing forgets it."""
        ...

    async def depths(self) -> Mapping[str, QueueDepth]:
        """The live records of each queue that has any; counts of many may stop at 100,000 records in all."""
        ...

    async def join(self, instance: Instance, now: float) -> None:
        """Announce an instance, alive as of now, so that others see when it dies."""
        ...

    async def beat(self, instance: str, now: float) -> bool:
        """Renew the instance's lease; False means that it was declared dead and has to join again."""
        ...

    async def lost(self, now: float, lease: float, asking: str) -> Sequence[str]:
        """Instances other than `asking` that are known to be dead or have not beaten for their own lease.

        Also owners that never joined, or were forgotten, whose newest live record is older than `lease`.
        """
        ...

    async def instances(self) -> Sequence[InstanceState]:
        """The instances that have joined and are not forgotten, dead or alive, in the order of their ids."""
        ...

    async def drain(self, instance: str, *, draining: bool) -> bool:
        """Ask an instance to take no new work, or to take it again; False where it is so already, or unknown.

        One that joins again without having been forgotten stays asked.
        """
        ...

    async def asked_to_drain(self, instance: str) -> bool:
        """Whether somebody asked an instance to take no new work."""
        ...


@runtime_checkable
class ImmediateBackend(Protocol):
    """The capability of a backend that needs no I/O: the journal applies without a pause."""

    def apply_now(self, moves: Sequence[Move]) -> Sequence[bool]:
        """What `Backend.apply` does, at once."""
        ...

    def holder_of(self, task_id: str) -> str | None:
        """The record that an id stands for because an idempotency key was held, None for any other id."""
        ...

    def forget(self, task_id: str) -> None:
        """Let go of an ended record that is kept elsewhere."""
        ...


@runtime_checkable
class BatchingBackend(Protocol):
    """The capability of a backend that serves nobody else while it applies a batch: it says how long one should be."""

    #: How many moves the journal puts together at most; what was written as one stays one, however long it is.
    batch_size: int


#: Kinds of hints: records that anybody may claim; a record (its id) that is to be cancelled; a schedule that may be
#: due sooner; a lease that was handed to a waiter (its holder); an instance that is to take no new work, or to again.
WORK, CANCEL, SCHEDULES, LEASE, DRAIN = "work", "cancel", "schedules", "lease", "drain"


@runtime_checkable
class LaidOutBackend(Protocol):
    """The capability of a backend that has a schema, to say what `open` would do to it."""

    async def layout(self) -> Layout:
        """Look at the schema and change nothing; while the backend is not open.

        Raises `BackendError` where a newer release has left a schema that this one cannot work on.
        """
        ...


@runtime_checkable
class CandidBackend(Protocol):
    """The capability of a backend whose settings decide what survives, to say what they give away."""

    async def exposures(self) -> Sequence[str]:
        """What settings, here and at the server, let be lost; empty where nothing. While the backend is open."""
        ...


@runtime_checkable
class ClockedBackend(Protocol):
    """The capability of a backend on a server, by whose clock everybody goes."""

    @property
    def clock_ahead(self) -> float:
        """Seconds that the clock of the server is ahead of the one here, as it was measured last."""
        ...


class Notifier(Protocol):
    """Carries hints between the processes on one backend.

    A hint says where to look, never what is there. It may be lost, so whoever waits for one looks now and then, too.
    """

    def signal(self, kind: str, about: str = "") -> None:
        """Send a hint to the other processes, soon; neither waits nor raises. On the event loop of the backend."""
        ...

    def listen(self, kind: str, heard: Callable[[str | None], None]) -> "Handle":
        """Call back on the event loop with what each hint of this kind is about, until the handle is cancelled.

        None stands for hints that may have been lost: the listener looks at everything.
        """
        ...


@runtime_checkable
class NotifyingBackend(Protocol):
    """The capability of a backend that can tell other processes at once; without it they look now and then."""

    @property
    def notifier(self) -> Notifier:
        """What carries the hints; listeners may come before the backend is open."""
        ...


@runtime_checkable
class TransactionalBackend(Protocol):
    """The capability of a backend that can accept a record inside a transaction of the caller's."""

    def accepting(self, facts: Enqueue) -> Sequence[Statement]:
        """What accepts a record that nobody owns yet; each statement for the case that the one before had no effect."""
        ...


class CallersTransaction(Protocol):
    """A connection in the caller's hands, see `outlive.backends.callers`."""

    #: Whether its statements are awaited.
    is_async: bool

    async def accept(self, statements: Sequence[Statement]) -> None:
        """Run the statements until one takes effect."""
        ...

    def accept_now(self, statements: Sequence[Statement]) -> None:
        """Do the same where the connection blocks."""
        ...


class Handle(Protocol):
    """Something that can be called off."""

    def cancel(self) -> None:
        """Call it off; harmless when it has already happened."""
        ...


class Clock(Protocol):
    """Time; injected, so that tests own it."""

    def now(self) -> float:
        """Seconds since the epoch."""
        ...

    def call_at(self, when: float, callback: Callable[[], None]) -> Handle:
        """Call back on the event loop once `now()` has reached `when`."""
        ...


class Call(Protocol):
    """One attempt, as an executor sees it."""

    #: The function, or what calls it with its dependencies.
    body: Callable[..., Any]
    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    id: str
    attempts: int
    #: The fencing token of the turn of its interval.
    turn_token: int | None

    @property
    def func_name(self) -> str:
        """What screens call the function."""
        ...

    @property
    def tags(self) -> Mapping[str, str]:
        """The tags of the run."""
        ...

    @property
    def timeout(self) -> float | None:
        """Seconds that the attempt may take."""
        ...

    def request_stop(self) -> None:
        """Tell the body, by `cancelled()`, that it should end."""
        ...

    def log(self, level: str, message: str, extra: Mapping[str, Any] = ...) -> None:
        """Append a line to the log of the record, with `extra` as `key=value`; from any thread."""
        ...

    def advance(self, done: float, total: float | None, message: str | None) -> None:
        """Say how far the attempt has come; from any thread."""
        ...


class Executor(Protocol):
    """A way to run a body. `call` never raises what the body raised; it returns the outcome."""

    #: How many bodies may run at once, None for no limit.
    limit: int | None
    #: Whether a running body can be made to end.
    can_interrupt: bool

    def call(self, call: Call) -> Awaitable[Outcome]:
        """Run the body to its end and say how it ended."""
        ...

    def shutdown(self) -> None:
        """Take no more work; do not wait."""
        ...


class Observer(Protocol):
    """Somebody who is told of events, in their order and beside what happens.

    What is plain runs in a thread of its own, coroutine functions on the event loop; what they raise is logged.
    """

    def startup(self) -> Any:
        """Open what it needs; on the loop that it will be told on, where this is a coroutine function."""
        ...

    def handler(self, event: RuntimeEvent) -> Callable[[Any], Any] | None:
        """What takes this event, None where it has no use for it. Called often: it must not wait."""
        ...

    def close(self) -> Any:
        """Let go of everything; nothing more is told."""
        ...


class Tracer(Protocol):
    """Follows runs from those who ask for them to their attempts, for a system that shows such traces.

    Its methods are called where the run itself would wait for them: they must not.
    """

    def accept(self, facts: Enqueue) -> Mapping[str, str]:
        """A run is being accepted, in the context of whoever asks for it; give what its attempts are told of that."""
        ...

    def attempt(self, call: "Traced", kept: Mapping[str, str]) -> AbstractContextManager[Callable[[Outcome], None]]:
        """Be around an attempt, and be told its outcome; `kept` is what `accept` gave, in whatever process."""
        ...

    def carried(self, body: Callable[..., Any]) -> Callable[..., Any]:
        """What calls the body in another process, inside the trace of the attempt under way; it can be pickled."""
        ...


class Traced(Protocol):
    """An attempt, as a tracer sees it."""

    facts: Enqueue
    attempts: int


Emit = Callable[[RuntimeEvent], None]
