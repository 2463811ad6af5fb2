"""Moves as the lists that `scripts/apply.lua` takes. Times go as text, because Lua would not keep their last bits."""

import json
from collections.abc import Callable
from dataclasses import asdict
from functools import lru_cache
from typing import Any

from outlive.core.moves import (
    OVERLAPS,
    Abandon,
    Advance,
    AskCancel,
    Cancel,
    Enqueue,
    Fire,
    Log,
    Move,
    Permit,
    Release,
    Requeue,
    Rewrite,
    Settle,
    Start,
    Withdraw,
)
from outlive.core.schedule import ScheduleEntry
from outlive.core.states import ATTEMPT_OUTCOMES, Event, TaskStatus, check

_Wire = tuple[Any, ...]

to_text = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode

#: What `scripts/find.lua` and `rows.py` take for granted.
USUAL_QUEUE, USUAL_SOURCE = "default", "manual"

#: For so many kinds of records what they have in common is kept as text: there are few kinds and many records.
_KINDS = 1024


def wire(move: Move, ahead: float) -> _Wire:
    """One move: its verb, the id of the record, and what the verb takes, in the time of the server."""
    return _WIRES[type(move)](move, ahead)


def optional(time: float | None) -> str | None:
    """A time as text, exact to the last bit."""
    return None if time is None else repr(time)


def as_told(entry: ScheduleEntry) -> dict[str, Any]:
    """A schedule as the scripts take it."""
    times = {"next_at": optional(entry.next_at), "startup_window": optional(entry.startup_window)}
    return asdict(entry) | {"declared": entry.declared} | times


def _fire(move: Fire, _: float) -> _Wire:
    # Slots are times of the wall, and compared to the last bit: they stay as they are.
    return (
        "fire", move.id, move.schedule, repr(move.slot), optional(move.next_at), repr(move.at), optional(move.fired),
        move.exclusive, move.waits, move.missed, move.reason, OVERLAPS,
    )  # fmt: skip


def _enqueue(move: Enqueue, ahead: float) -> _Wire:
    return (
        "enqueue", move.id, move.func, move.func_name, repr(move.created_at + ahead), repr(move.run_at + ahead),
        move.owner, None if move.started_at is None else repr(move.started_at + ahead),
        None if move.priority is None else str(move.priority), move.idempotency_key,
        move.schedule, None if move.queue == USUAL_QUEUE else move.queue, _fields(move, ahead), _facts(move, ahead),
        move.rejected is not None, None if move.started_at is not None or move.rejected is not None else move.run_key,
    )  # fmt: skip


def _fields(move: Enqueue, ahead: float) -> list[str]:
    """What scripts ask for, and what changes; only what is not as usual."""
    fields = ["status", "pending", "run_at", repr(move.run_at + ahead)]
    flags = {"recoverable": move.recoverable, "repeatable": move.requeue_on_interrupt}
    fields += _common_fields(move.func, move.queue, move.source, move.priority, **flags)
    if move.started_at is not None:
        fields[1] = "running"
        fields += "fence", "1", "attempts", "1", "started", repr(move.started_at + ahead)
    elif move.rejected is not None:
        fields[1] = "rejected"
        fields += "ended", repr(move.created_at + ahead), "reason", move.rejected
    for name, value in (
        ("owner", move.owner),
        ("key", move.idempotency_key),
        ("schedule", move.schedule),
        ("run_key", move.run_key),
    ):
        if value is not None:
            fields += name, value
    return fields


@lru_cache(_KINDS)
def _common_fields(
    func: str, queue: str, source: str, priority: int | None, *, recoverable: bool, repeatable: bool
) -> tuple[str, ...]:
    fields = ["func", func]
    if priority is not None:
        fields += "priority", str(priority)
    if queue != USUAL_QUEUE:
        fields += "queue", queue
    if source != USUAL_SOURCE:
        fields += "source", source
    if not recoverable:
        fields += "unrecoverable", "1"
    if repeatable:
        fields += "repeatable", "1"
    return tuple(fields)


def _facts(move: Enqueue, ahead: float) -> str:
    text = f'{{"created_at":{move.created_at + ahead!r}'
    tags = dict(move.tags) if move.tags else None
    for name, value in (("label", move.label), ("tags", tags), ("summary", move.summary)):
        if value is not None:
            text += f',"{name}":{to_text(value)}'
    text += _common_facts(move.func_name, move.timing, move.executor, move.options)
    # JSON has no line break of its own, so the arguments can follow as they are and be replaced by themselves.
    return text if move.arguments is None else f"{text}\n{move.arguments}"


@lru_cache(_KINDS)
def _common_facts(func_name: str, timing: str, executor: str, options: str | None) -> str:
    """The rest of an object of JSON."""
    facts = {"func_name": func_name, "timing": timing, "executor": executor}
    return "," + to_text(facts if options is None else facts | {"options": options})[1:]


def _permit(move: Permit, ahead: float) -> _Wire:
    limits = [(limit.key, limit.most, limit.pace, limit.per) for limit in move.limits]
    return "permit", move.id, move.fence, move.owner, repr(move.at + ahead), limits, move.asks


def _start(move: Start, ahead: float) -> _Wire:
    return "start", move.id, move.fence, move.owner, repr(move.at + ahead), move.limited


def _settle(move: Settle, ahead: float) -> _Wire:
    check(move.event, TaskStatus.RUNNING, move.status)
    ending = (
        "settle", move.id, move.fence, move.status.value, repr(move.at + ahead), move.error, move.stacktrace,
        move.reason, move.result,
    )  # fmt: skip
    if move.status is not TaskStatus.PENDING:
        return ending
    run_at = move.at if move.run_at is None else move.run_at
    return *ending, repr(run_at + ahead), ATTEMPT_OUTCOMES[move.event].value, move.event is Event.RETRY


def _rewrite(move: Rewrite, _: float) -> _Wire:
    return "rewrite", move.id, move.had_arguments, move.arguments, move.had_result, move.result


def _log(move: Log, ahead: float) -> _Wire:
    return "log", move.id, to_text((move.attempt, move.at + ahead, move.level, move.message))


_WIRES: dict[type, Callable[[Any, float], _Wire]] = {
    Fire: _fire,
    Enqueue: _enqueue,
    Permit: _permit,
    Start: _start,
    Settle: _settle,
    Log: _log,
    Release: lambda move, _: ("release", move.id, move.owner, move.reason),
    Abandon: lambda move, ahead: ("abandon", move.id, move.owner, repr(move.at + ahead), move.reason),
    Withdraw: lambda move, ahead: ("withdraw", move.id, move.run_key, repr(move.at + ahead), move.reason),
    Cancel: lambda move, ahead: ("cancel", move.id, repr(move.at + ahead), move.reason),
    AskCancel: lambda move, _: ("ask_cancel", move.id, move.reason),
    Advance: lambda move, _: ("advance", move.id, move.fence, move.progress),
    Rewrite: _rewrite,
    Requeue: lambda move, ahead: ("requeue", move.id, repr(move.at + ahead)),
}
