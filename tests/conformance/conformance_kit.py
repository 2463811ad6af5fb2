"""Short ways to write moves and to bring records into a state."""

from dataclasses import replace
from typing import Any

from outlive.core.moves import Abandon, Cancel, Enqueue, Move, Requeue, Settle, Start
from outlive.core.record import TaskRecord
from outlive.core.states import Event, TaskStatus
from outlive.ports import Backend

FUNC = "app.tasks:send"
NOW = 1_700_000_000.0


def enqueue(task_id: str, **facts: Any) -> Enqueue:
    values: dict[str, Any] = {"func": FUNC, "func_name": "send", "created_at": NOW, "run_at": NOW} | facts
    return Enqueue(task_id, **values)


def start(task_id: str, fence: int = 0, owner: str = "me", at: float = NOW + 1) -> Start:
    return Start(task_id, fence, owner, at)


def succeed(task_id: str, fence: int = 1, at: float = NOW + 2) -> Settle:
    return Settle(task_id, fence, Event.SUCCEED, TaskStatus.SUCCESS, at)


def fail(task_id: str, fence: int = 1, at: float = NOW + 2, error: str = "boom") -> Settle:
    return Settle(task_id, fence, Event.FAIL, TaskStatus.FAILED, at, error=error, stacktrace=f"trace of {error}")


def retry(task_id: str, fence: int = 1, at: float = NOW + 2, run_at: float | None = NOW + 5) -> Settle:
    return Settle(task_id, fence, Event.RETRY, TaskStatus.PENDING, at, run_at, "boom", "trace of boom")


def give_up(task_id: str, fence: int = 1, at: float = NOW + 2) -> Settle:
    return Settle(task_id, fence, Event.INTERRUPT, TaskStatus.PENDING, at, at, reason="deploy")


def interrupt(task_id: str, fence: int = 1, at: float = NOW + 2) -> Settle:
    return Settle(task_id, fence, Event.INTERRUPT, TaskStatus.INTERRUPTED, at, reason="deploy")


def confirm_cancel(task_id: str, fence: int = 1, at: float = NOW + 2) -> Settle:
    return Settle(task_id, fence, Event.CANCEL, TaskStatus.CANCELLED, at, reason="asked")


def cancel(task_id: str, at: float = NOW + 2) -> Cancel:
    return Cancel(task_id, at, "asked")


def abandon(task_id: str, owner: str = "me", at: float = NOW + 2) -> Abandon:
    return Abandon(task_id, owner, at, "cannot be rebuilt")


def requeue(task_id: str, at: float = NOW + 9) -> Requeue:
    return Requeue(task_id, at)


#: What brings a fresh record of `me` into each status that a record can end in.
ENDINGS: dict[TaskStatus, tuple[Move, ...]] = {
    TaskStatus.SUCCESS: (start("t"), succeed("t")),
    TaskStatus.FAILED: (start("t"), fail("t")),
    TaskStatus.INTERRUPTED: (start("t"), interrupt("t")),
    TaskStatus.CANCELLED: (cancel("t"),),
}


async def applied(backend: Backend, *moves: Move) -> None:
    """Apply each move by itself and insist that it takes effect."""
    for move in moves:
        assert list(await backend.apply([move])) == [True], move


async def given(backend: Backend, task_id: str) -> TaskRecord:
    """The record, in a form that compares the same for every backend."""
    record = await backend.get(task_id)
    assert record is not None
    return plain(record)


def plain(record: TaskRecord) -> TaskRecord:
    return replace(record, tags=dict(record.tags), logs=tuple(record.logs), history=tuple(record.history))
