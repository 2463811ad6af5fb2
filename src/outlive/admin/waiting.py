"""Why a task is not running: every reason that can be seen from here. Pure."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime

from outlive.admin.words import ago, number
from outlive.core.record import TaskRecord
from outlive.core.states import TaskStatus
from outlive.runtime.queue_control import QueueInfo


@dataclass(frozen=True, slots=True)
class LaneState:
    """The slots of one executor in this process."""

    name: str
    busy: int
    limit: int | None
    waiting: int

    @property
    def is_full(self) -> bool:
        """Whether a newcomer has to wait."""
        return self.limit is not None and self.busy >= self.limit


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What a waiting task depends on."""

    now: datetime
    #: Identities of the functions that this application declares.
    functions: Collection[str]
    lanes: Mapping[str, LaneState]
    #: The instance of this process, and the ids of those that give signs of life.
    here: str
    alive: Collection[str]
    #: Those that were asked to take no new work.
    draining: Collection[str] = ()
    #: The queue of the task, None where nothing is known of it.
    queue: QueueInfo | None = None


@dataclass(frozen=True, slots=True)
class Queueing:
    """What the tasks of a queue depend on."""

    #: The instance of this process, and the ids of those that give signs of life.
    here: str
    alive: Collection[str]
    #: Those that were asked to take no new work.
    draining: Collection[str]
    #: Whether this process runs tasks of the queue.
    runs_here: bool


def reasons(record: TaskRecord, around: Surroundings) -> list[str]:
    """Sentences, the decisive first; none for a task that does not wait."""
    if record.status is not TaskStatus.PENDING:
        return []
    found: list[str] = []
    if record.reason:
        found.append(f"{record.reason[:1].upper()}{record.reason[1:]}.")
    if record.cancel_requested:
        found.append("Somebody asked to cancel it; whoever picks it up will end it without running it.")
    if record.run_at > around.now:
        found.append(_not_due(record, around.now))
    if record.func not in around.functions:
        found.append(
            f"This application declares no task {record.func!r}: it was renamed or removed, or another "
            f"application that shares the backend runs it. Declare the function under that name, or cancel the task."
        )
    if record.run_at <= around.now:
        found += _why_due_waits(record, around)
    return found or ["It is due and free: the next instance with a slot takes it."]


def queue_warning(queue: QueueInfo, around: Queueing) -> str | None:
    """Why nothing of a queue starts although tasks wait in it, as far as that can be seen from here."""
    if not queue.pending:
        return None
    wait = f"{number(queue.pending)} {'task waits' if queue.pending == 1 else 'tasks wait'}"
    if not around.alive:
        return f"{wait}, and no instance gives a sign of life."
    if queue.paused:
        return f"{wait}, and none starts until it is resumed."
    if set(around.alive) <= set(around.draining):
        return f"{wait}, and every instance was asked to take no new work."
    if not around.runs_here and set(around.alive) == {around.here}:
        return f"{wait}, and no instance runs this queue: the only one alive, this process, leaves it alone."
    return None


def _not_due(record: TaskRecord, now: datetime) -> str:
    when = ago(record.run_at, now)
    if record.attempts:
        return f"It waits between two attempts: attempt {record.attempts + 1} is due {when}."
    return f"It is not due yet: it was accepted for a later time, {when}."


def _why_queue_holds_back(queue: QueueInfo) -> list[str]:
    if queue.paused:
        return [f"Its queue {queue.name!r} is paused: nothing of it starts until somebody resumes it."]
    most = queue.config.global_concurrency
    if most is not None and queue.running >= most:
        return [f"Its queue {queue.name!r} runs {number(most)} at once in all instances, and so many run."]
    return []


def _why_nobody_takes_it(around: Surroundings) -> list[str]:
    if not around.alive:
        return ["No instance gives a sign of life, so nobody can take it."]
    if set(around.alive) <= set(around.draining):
        return ["Every instance was asked to take no new work; let one work again, or start another."]
    return []


def _why_due_waits(record: TaskRecord, around: Surroundings) -> list[str]:
    held_back = [] if around.queue is None else _why_queue_holds_back(around.queue)
    if record.owner is None or held_back:
        return held_back or _why_nobody_takes_it(around)
    if record.owner not in around.alive:
        return [f"Instance {record.owner}, which has taken it, gives no sign of life; another one takes it over soon."]
    if record.owner != around.here:
        return [f"Instance {record.owner} has taken it and starts it as soon as it has a free slot."]
    lane = around.lanes.get(record.executor)
    if lane is None or not lane.is_full:
        return []
    full = f"All {number(lane.limit or 0)} slots of the {lane.name} executor in this process are in use"
    return [f"{full}, and {number(lane.waiting)} tasks wait for one: higher priority first, then in their order."]
