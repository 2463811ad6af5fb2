"""The decision after an attempt: what became of the body, and what the record becomes."""

import traceback
from dataclasses import dataclass
from itertools import takewhile
from typing import Any

from outlive.core.moves import Settle, Start
from outlive.core.record import AttemptRecord, TaskRecord
from outlive.core.retry import RetryPolicy
from outlive.core.states import SUCCEED, SUCCESS, Event, TaskStatus
from outlive.core.text import storable


@dataclass(slots=True)
class Succeeded:
    """The body returned."""

    value: Any = None


@dataclass(slots=True)
class Failed:
    """The body raised."""

    exception: BaseException
    error: str
    stacktrace: str
    #: Whether it took its worker process with it.
    worker_died: bool = False


@dataclass(slots=True)
class Interrupted:
    """The process went away, or is about to, before the body ended."""

    reason: str


@dataclass(slots=True)
class Cancelled:
    """A person asked, and the body has ended."""

    reason: str


Outcome = Succeeded | Failed | Interrupted | Cancelled


@dataclass(slots=True)
class Attempt:
    """What the decision needs to know of the attempt that ended."""

    id: str
    fence: int
    #: Attempts that the policy counts, this one included.
    attempts: int
    retry: RetryPolicy
    requeue_on_interrupt: bool
    #: How many attempts in a row, this one included, have taken their worker process with them.
    deaths: int = 0


#: A task that has killed so many workers or instances in a row is not given another.
MOST_DEATHS = 3

#: How the error of an attempt begins whose worker process has ended before the body did.
WORKER_DIED = "the worker process of this task "


def deaths_in_a_row(record: TaskRecord) -> int:
    """How many of the last attempts that count, since a person last asked for a run, have died with their worker."""
    failed = [attempt for attempt in record.history if attempt.outcome is TaskStatus.FAILED]
    counted = failed[max(0, len(failed) - record.attempts) :]
    deaths = takewhile(lambda attempt: (attempt.error or "").startswith(WORKER_DIED), reversed(counted))
    return sum(1 for _ in deaths)


#: How the error of an attempt begins whose instance has died while it ran.
INSTANCE_DIED = "its instance "


def dead_instances_in_a_row(record: TaskRecord) -> int:
    """How many instances have died while they ran it, since an attempt of it came to an end by itself.

    Those that were only shut down count neither way.
    """
    endings = [attempt.error or "" for attempt in reversed(record.history) if not _was_shut_down(attempt)]
    return sum(1 for _ in takewhile(lambda error: error.startswith(INSTANCE_DIED), endings))


def _was_shut_down(attempt: AttemptRecord) -> bool:
    return attempt.outcome is TaskStatus.INTERRUPTED and attempt.error is None


def not_repeated(record: TaskRecord, owner: str, deaths: int, now: float) -> tuple[Start, Settle]:
    """What ends a record that has taken `deaths` instances with it: an attempt of `owner` in which nothing is run.

    Its error parts what was before from what a person may ask for.
    """
    reason = f"not repeated, because {deaths} instances in a row have died while they ran it"
    start = Start(record.id, record.fence, owner, now)
    end = Settle(record.id, record.fence + 1, Event.INTERRUPT, TaskStatus.INTERRUPTED, now, error=reason, reason=reason)
    return start, end


def settle(attempt: Attempt, outcome: Outcome, now: float, chance: float) -> Settle:
    """Decide; `chance` is a random number from 0 to 1 for the jitter."""
    match outcome:
        case Succeeded():
            return succeed(attempt.id, attempt.fence, now)
        case Failed():
            return _settle_failure(attempt, outcome, now, chance)
        case Cancelled():
            return Settle(attempt.id, attempt.fence, Event.CANCEL, TaskStatus.CANCELLED, now, reason=outcome.reason)
        case Interrupted():
            return _settle_interruption(attempt, outcome, now)


def succeed(task_id: str, fence: int, now: float) -> Settle:
    """The decision that needs no thought."""
    return Settle(task_id, fence, SUCCEED, SUCCESS, now)


def _settle_failure(attempt: Attempt, failed: Failed, now: float, chance: float) -> Settle:
    move = Settle(attempt.id, attempt.fence, Event.FAIL, TaskStatus.FAILED, now)
    move.error, move.stacktrace = failed.error, failed.stacktrace
    if attempt.deaths >= MOST_DEATHS:
        move.reason = f"not retried, because {attempt.deaths} worker processes in a row have died of it"
        return move
    try:
        is_retried = attempt.retry.allows(attempt.attempts, failed.exception)
    except Exception as broken:  # noqa: BLE001 - the predicate is the application's code
        told = traceback.format_exception_only(broken)[0].strip()
        move.reason = storable(f"not retried, because retry_on raised {told}")
        return move
    if is_retried:
        move.event, move.status = Event.RETRY, TaskStatus.PENDING
        move.run_at = now + attempt.retry.wait(attempt.attempts, chance)
    return move


def _settle_interruption(attempt: Attempt, interrupted: Interrupted, now: float) -> Settle:
    again = attempt.requeue_on_interrupt
    status = TaskStatus.PENDING if again else TaskStatus.INTERRUPTED
    move = Settle(attempt.id, attempt.fence, Event.INTERRUPT, status, now, reason=interrupted.reason)
    move.run_at = now if again else None
    return move
