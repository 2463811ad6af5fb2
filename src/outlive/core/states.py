"""The life of a record: the only place that says which status may follow which.

Rules of the table:

1. A status changes only by an event that is listed here. Set-based moves in SQL declare theirs
   (`-- moves: start pending -> running`) and a test compares the declarations with this table.
2. `start` is the only way into `running`. It adds one to the record's fence, which never falls, so a
   late owner that still holds an older fence can no longer settle the record.
3. What never started is never lost: while a record can be rebuilt from what was stored, the death of its
   owner leaves it `pending`. `interrupt` ends a pending record only where it cannot be rebuilt.
4. Retry is automatic, requeue is a person's, rescue (`interrupt` by somebody else) follows a death.
5. A delayed record and one that waits for a retry are `pending` with a `run_at` in the future.
"""

from enum import StrEnum

from outlive.errors import IllegalTransitionError


class TaskStatus(StrEnum):
    """The state of a record."""

    PENDING = "pending"
    RUNNING = "running"
    SUCCESS = "success"
    FAILED = "failed"
    INTERRUPTED = "interrupted"
    CANCELLED = "cancelled"
    REJECTED = "rejected"


class Event(StrEnum):
    """What may happen to a record."""

    ENQUEUE = "enqueue"
    REJECT = "reject"
    START = "start"
    SUCCEED = "succeed"
    FAIL = "fail"
    RETRY = "retry"
    INTERRUPT = "interrupt"
    CANCEL = "cancel"
    REQUEUE = "requeue"


_S = TaskStatus
#: Read as an attribute of its enum, a member takes thirty times as long; what is done for every run goes by these.
PENDING, RUNNING, SUCCESS = _S.PENDING, _S.RUNNING, _S.SUCCESS
SUCCEED, RETRY = Event.SUCCEED, Event.RETRY

TRANSITIONS: dict[tuple[Event, TaskStatus | None], frozenset[TaskStatus]] = {
    (Event.ENQUEUE, None): frozenset({_S.PENDING}),
    (Event.REJECT, None): frozenset({_S.REJECTED}),
    (Event.START, _S.PENDING): frozenset({_S.RUNNING}),
    (Event.SUCCEED, _S.RUNNING): frozenset({_S.SUCCESS}),
    (Event.FAIL, _S.RUNNING): frozenset({_S.FAILED}),
    (Event.RETRY, _S.RUNNING): frozenset({_S.PENDING}),
    (Event.INTERRUPT, _S.RUNNING): frozenset({_S.INTERRUPTED, _S.PENDING}),
    (Event.INTERRUPT, _S.PENDING): frozenset({_S.INTERRUPTED}),
    (Event.CANCEL, _S.PENDING): frozenset({_S.CANCELLED}),
    (Event.CANCEL, _S.RUNNING): frozenset({_S.CANCELLED}),
    (Event.REQUEUE, _S.FAILED): frozenset({_S.PENDING}),
    (Event.REQUEUE, _S.INTERRUPTED): frozenset({_S.PENDING}),
    (Event.REQUEUE, _S.CANCELLED): frozenset({_S.PENDING}),
    (Event.REQUEUE, _S.REJECTED): frozenset({_S.PENDING}),
    (Event.REQUEUE, _S.SUCCESS): frozenset({_S.PENDING}),
}

LIVE = frozenset({_S.PENDING, _S.RUNNING})
FINAL = frozenset(_S) - LIVE
REQUEUABLE = frozenset(status for event, status in TRANSITIONS if event is Event.REQUEUE and status is not None)

#: What an attempt came to when its record went back to pending.
ATTEMPT_OUTCOMES = {Event.RETRY: _S.FAILED, Event.INTERRUPT: _S.INTERRUPTED}


_NOWHERE: frozenset[TaskStatus] = frozenset()


def may(event: Event, status: TaskStatus | None, to: TaskStatus) -> bool:
    """Say whether `event` may take a record from `status` to `to`."""
    return to in TRANSITIONS.get((event, status), _NOWHERE)


def check(event: Event, status: TaskStatus | None, to: TaskStatus) -> None:
    """Raise `IllegalTransitionError` unless the table has this move."""
    if to not in TRANSITIONS.get((event, status), _NOWHERE):
        raise IllegalTransitionError(f"no move {event}: {status or 'nothing'} -> {to}; see outlive.core.states")
