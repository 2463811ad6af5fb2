"""The handle of one accepted run."""

import asyncio
import contextvars
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, Generic, Protocol, TypeVar

import anyio

from outlive.core.config import UNSET, EffectiveConfig, TaskConfig
from outlive.core.moves import Enqueue, Move
from outlive.core.queues import Limit
from outlive.core.record import TaskRecord
from outlive.core.settle import Cancelled, Failed, Interrupted, Outcome, Succeeded
from outlive.core.states import FINAL, PENDING, RUNNING, SUCCESS, TaskStatus
from outlive.definitions.coordination import Coordination
from outlive.definitions.definition import Definition
from outlive.definitions.results import decode_result
from outlive.definitions.schedule import Turn
from outlive.errors import TaskFailed, WouldDeadlockError
from outlive.ports import Backend

R = TypeVar("R")

NO_EXTRA: Mapping[str, Any] = MappingProxyType({})


class TaskJournal(Protocol):
    """Where the moves of a task are written; see `outlive.runtime.journal`."""

    #: Whether a pending record that is written here is still there at the next start.
    keeps_pending: bool
    #: Whether it is there for another process, too.
    survives_process: bool
    #: What it writes to.
    backend: Backend

    def write(
        self,
        moves: Sequence[Move],
        landed: Callable[[Sequence[bool], BaseException | None], None] | None = None,
        *,
        refusable: bool = False,
    ) -> None:
        """Hand over moves; `landed` is told the answers."""
        ...


class TaskControl(Protocol):
    """What a handle asks of the runtime."""

    #: What locks inside the task work with.
    coordination: Coordination

    def log(self, task: "Task[Any]", level: str, message: str, extra: Mapping[str, Any]) -> None:
        """Append a line to the record; callable from any thread."""
        ...

    def advance(self, task: "Task[Any]", done: float, total: float | None, message: str | None) -> None:
        """Take down how far it has come; callable from any thread."""
        ...

    def advanced(self, task: "Task[Any]") -> None:
        """An attempt is over; what it has said last is to be written now."""
        ...

    async def cancel(self, task: "Task[Any]", reason: str) -> bool:
        """Cancel the record or ask its body to end."""
        ...

    async def follow(self, task: "Task[Any]") -> None:
        """Return when the record has ended, here or in another process, and bring the handle up to date."""
        ...


class Hold(Protocol):
    """A request that keeps a task back until its time has come."""

    #: The asyncio task the endpoint runs in.
    endpoint: "asyncio.Task[Any] | None"

    def submit(self, task: "Task[Any]") -> None:
        """Write the held task to the journal now; it still starts in its time."""
        ...


class Task(Generic[R]):
    """One accepted run: follow it, wait for it, cancel it.

    Where another record already held its idempotency key, it is a handle of that record, whose id it has once
    `durable()` has returned.
    """

    __slots__ = (
        "__weakref__",
        "_attempt_event",
        "_commit_error",
        "_committed",
        "_durable_event",
        "_finished_event",
        "_started_event",
        "args",
        "attempts",
        "began_at",
        "body",
        "context",
        "control",
        "deaths",
        "definition",
        "effective",
        "facts",
        "fence",
        "follower",
        "func",
        "gates",
        "has_advanced",
        "has_begun",
        "has_seen_stop",
        "hold",
        "id",
        "is_alias",
        "is_ordered",
        "is_parked",
        "is_stopping",
        "is_submitted",
        "is_waiting",
        "journal",
        "kwargs",
        "limits",
        "lost",
        "note",
        "options",
        "outcome",
        "run_at",
        "runner",
        "status",
        "stop_as",
        "turn",
        "turn_token",
    )

    def __init__(
        self,
        definition: Definition,
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        effective: EffectiveConfig,
        facts: Enqueue,
        context: contextvars.Context,
        control: TaskControl,
        journal: TaskJournal,
    ) -> None:
        self.definition = definition
        self.func: Callable[..., Any] = definition.func
        #: What executors call for it.
        self.body = definition.body
        self.args = args
        self.kwargs = kwargs
        self.effective = effective
        self.facts = facts
        #: The record's id, UUIDv7 as text.
        self.id = facts.id
        self.context = context
        self.control = control
        self.journal = journal
        self.status: TaskStatus = PENDING
        self.fence = 0
        self.attempts = 0
        #: How many attempts in a row took their worker process with them.
        self.deaths = 0
        self.run_at = facts.run_at
        #: When the attempt under way has begun; kept only where somebody is told of it.
        self.began_at = facts.created_at
        #: How the body ended, None until the record has ended.
        self.outcome: Outcome | None = None
        self.runner: asyncio.Task[None] | None = None
        #: The options of the call, and what the record's log says of them: which a restart would lose.
        self.options = UNSET
        self.note: str | None = None
        self._set_up_attempts()
        #: The next of a request's `add_task` calls, which starts when this one's first attempt is over.
        self.follower: Task[Any] | None = None
        self.hold: Hold | None = None
        #: Whether it keeps its place among the request's `add_task` calls.
        self.is_ordered = False
        #: What its attempts have to be permitted beside a slot of this process.
        self.limits: tuple[Limit, ...] = ()
        #: What its attempts hold, where it is the run of an interval that has something to hold.
        self.turn: Turn | None = None
        #: The token of the task lock, or of the leadership, that its interval has for it.
        self.turn_token: int | None = None
        #: Whether its enqueue was handed to the journal.
        self.is_submitted = False
        #: Whether another record holds its idempotency key, so that nothing runs for this one.
        self.is_alias = False
        self._committed = False
        self._commit_error: BaseException | None = None
        self._durable_event: asyncio.Event | None = None
        self._started_event: anyio.Event | None = None
        self._attempt_event: asyncio.Event | None = None
        self._finished_event: anyio.Event | None = None

    def _set_up_attempts(self) -> None:
        #: Whether the current attempt has made its first step.
        self.has_begun = False
        #: Whether it has ever said how far it has come.
        self.has_advanced = False
        #: What `cancelled()` tells the body.
        self.is_stopping = False
        #: Whether the body has asked and was told so; if it then returns, it did not finish its work.
        self.has_seen_stop = False
        #: Why what it ended with is not known here.
        self.lost = "how is not known here"
        #: What the attempt counts as if its body ends because it was stopped.
        self.stop_as: Cancelled | Interrupted | None = None
        #: The gates that the attempt under way has passed, and whether one keeps the next attempt back.
        self.gates: Sequence[Any] = ()
        self.is_parked = False
        #: Whether the attempt waits for what its turn takes.
        self.is_waiting = False

    def __repr__(self) -> str:
        return f"<Task {self.facts.func_name} {self.status} {self.id}>"

    # -- what it is ------------------------------------------------------------------------------

    @property
    def config(self) -> TaskConfig:
        """The merged options of this run."""
        return self.definition.effective.merged.merge(self.options)

    # -- where it stands -------------------------------------------------------------------------

    @property
    def started(self) -> anyio.Event:
        """Set when the first attempt has begun."""
        if self._started_event is None:
            self._started_event = anyio.Event()
            if self.fence or self.status is not PENDING:
                self._started_event.set()
        return self._started_event

    @property
    def finished(self) -> anyio.Event:
        """Set when the record has its final status."""
        if self._finished_event is None:
            self._finished_event = anyio.Event()
            if self.status in FINAL:
                self._finished_event.set()
        return self._finished_event

    @property
    def is_durable(self) -> bool:
        """Whether the record is committed to the backend."""
        return self._committed

    @property
    def ends_with_process(self) -> bool:
        """Whether nobody else could run it: nothing of it is kept, or it cannot be rebuilt."""
        return not (self.facts.recoverable and self.journal.survives_process)

    @property
    def is_pending(self) -> bool:
        """Whether it waits for its (next) start."""
        return self.status is PENDING and not self.is_alias

    @property
    def shutdown_group(self) -> str:
        """Which of the deadlines at shutdown is its own: `shield`, `process` or `grace`."""
        if self.effective.shield:
            return "shield"
        return "process" if self.facts.executor == "process" else "grace"

    @property
    def is_sure(self) -> bool:
        """Whether its record does not depend on how the endpoint of a request ends."""
        return self.hold is None

    async def wait_first_attempt(self) -> None:
        """Return when the first attempt's body has ended, at most the task's `timeout` from now."""
        is_waiting = self.fence == 0 or self.status is RUNNING
        if not is_waiting or self.is_alias or self.status in FINAL:
            return
        if self._attempt_event is None:
            self._attempt_event = asyncio.Event()
        if self.timeout is None:
            await self._attempt_event.wait()
        else:
            with anyio.move_on_after(self.timeout):
                await self._attempt_event.wait()

    def mark_attempt_over(self) -> None:
        """A body has ended, or never will begin."""
        if self._attempt_event is not None:
            self._attempt_event.set()

    async def durable(self) -> None:
        """Return once the record is committed to the backend; raise what kept it from being so."""
        if self._awaits_commit() and self.hold is not None:
            self.hold.submit(self)  # a backend without I/O has committed it when this returns
        if self._awaits_commit():
            if self._durable_event is None:
                self._durable_event = asyncio.Event()
            await self._durable_event.wait()
        if self._commit_error is not None:
            raise self._commit_error

    def _awaits_commit(self) -> bool:
        return not self._committed and self._commit_error is None

    async def result(self, timeout: float | None = None) -> R:  # noqa: ASYNC109 - the wait is the method's subject
        """What the function returned.

        Raises `TaskFailed` from the original exception if the record ended otherwise, `TimeoutError` after
        `timeout` seconds, `WouldDeadlockError` where the endpoint waits for what starts only after it.
        """
        self._refuse_deadlock()
        async with asyncio.timeout(timeout):
            await self.durable()
            await self.control.follow(self)
        return self._value()

    async def cancel(self, reason: str = "cancelled through its handle") -> bool:
        """Cancel the run; True if it was pending and never starts, or if its body was asked to end."""
        return await self.control.cancel(self, reason)

    def _refuse_deadlock(self) -> None:
        if self.hold is not None and self.hold.endpoint is asyncio.current_task():
            raise WouldDeadlockError(
                f"{self.facts.func_name} starts only after this endpoint has returned ({self.facts.timing}); "
                f"to wait for its result here, use tasks.schedule(...)"
            )

    def _value(self) -> R:
        match self.outcome:
            case Succeeded(value):
                return value  # type: ignore[no-any-return]
            case Failed(exception, error, _):
                raise TaskFailed(f"{self.facts.func_name} ({self.id}) failed: {error}") from exception
            case Cancelled(reason) | Interrupted(reason):
                raise TaskFailed(f"{self.facts.func_name} ({self.id}) was {self.status}: {reason}")
            case None:
                raise TaskFailed(
                    f"{self.facts.func_name} ({self.id}) ended as {self.status} in another process, or before this "
                    f"call: {self.lost}"
                )

    def keep_slot(self, schedule: str, slot: float) -> None:
        """It is the run of a slot, and was due then."""
        self.facts.schedule = schedule
        self.facts.run_at = self.run_at = slot

    def keep_turn(self, turn: Turn | None, token: int | None = None) -> None:
        """It is the run of an interval: where it holds something, it cannot run where that is not held."""
        self.turn, self.turn_token = turn, token
        if turn is not None:
            self.facts.recoverable = self.facts.requeue_on_interrupt = False

    # -- told by the runtime ---------------------------------------------------------------------

    def mark_durable(self, error: BaseException | None = None) -> None:
        """The enqueue was committed, or was refused with `error`."""
        self._committed = error is None
        self._commit_error = error
        if self._durable_event is not None:
            self._durable_event.set()

    def stand_for(self, record: TaskRecord) -> None:
        """Become a handle of the record that holds its idempotency key."""
        self.id = record.id
        if record.is_final:
            self.end_as(record)
        elif record.fence:
            self.mark_started()

    def end_as(self, record: TaskRecord) -> None:
        """The record has ended elsewhere: take over what it has kept."""
        self.lost = str(record.error or record.reason or self.lost)
        outcome: Outcome | None = None
        if record.status is SUCCESS:
            try:
                outcome = Succeeded(decode_result(self.definition, record.result))
            except (LookupError, ValueError, TypeError) as error:
                self.lost = str(error)
        self.mark_finished(record.status, outcome)

    def mark_started(self) -> None:
        """An attempt has begun."""
        if self._started_event is not None:
            self._started_event.set()

    def mark_finished(self, status: TaskStatus, outcome: Outcome | None) -> None:
        """The record has its final status."""
        self.status = status
        self.outcome = outcome
        self.runner = None
        if self._attempt_event is not None:
            self._attempt_event.set()
        if self._finished_event is not None:
            self._finished_event.set()

    # -- the Call that an executor runs ----------------------------------------------------------

    @property
    def timeout(self) -> float | None:
        """Seconds that one attempt may take."""
        return self.effective.timeout

    @property
    def func_name(self) -> str:
        """What screens call the function."""
        return self.facts.func_name

    @property
    def tags(self) -> Mapping[str, str]:
        """The tags of this run."""
        return self.effective.tags

    def request_stop(self) -> None:
        """Tell the body, by `cancelled()`, that it should end."""
        self.is_stopping = True

    def log(self, level: str, message: str, extra: Mapping[str, Any] = NO_EXTRA) -> None:
        """Append a line to the log of the record; from any thread."""
        self.control.log(self, level, message, extra)

    def advance(self, done: float, total: float | None, message: str | None) -> None:
        """Say how far the attempt has come; from any thread."""
        self.has_advanced = True
        self.control.advance(self, done, total, message)
