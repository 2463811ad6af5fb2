"""Replies of scripts to records, schedules and leases."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from types import MappingProxyType
from typing import Any

from outlive.backends.redis.wire import USUAL_QUEUE, USUAL_SOURCE
from outlive.core.progress import Progress
from outlive.core.queues import QueueConfig, QueueState
from outlive.core.record import AttemptRecord, LogLine, TaskRecord, moment
from outlive.core.schedule import Gap, ScheduleState
from outlive.core.states import FINAL, TaskStatus
from outlive.ports import Instance, InstanceState, Lease, LeaseEvent

_NO_TAGS: Mapping[str, str] = MappingProxyType({})


def record(reply: Sequence[Any], ahead: float, logs: Sequence[LogLine] = ()) -> TaskRecord:
    """A record from its id, its hash and its facts, in the time of this process, which the server is ahead of."""
    task_id, flat, text = reply
    now = mapping(flat)
    given, has_arguments, arguments = text.partition("\n")
    facts = json.loads(given)
    priority = now.get("priority")
    return TaskRecord(
        id=task_id,
        func=now["func"],
        func_name=facts["func_name"],
        status=TaskStatus(now["status"]),
        created_at=_at(facts["created_at"], ahead),
        run_at=_at(now["run_at"], ahead),
        start_time=_at_or_none(now.get("started"), ahead),
        end_time=_at_or_none(now.get("ended"), ahead),
        attempts=int(now.get("attempts", 0)),
        fence=int(now.get("fence", 0)),
        owner=now.get("owner"),
        error=now.get("error"),
        stacktrace=now.get("trace"),
        reason=now.get("reason"),
        tags=facts.get("tags", _NO_TAGS),
        source=now.get("source", USUAL_SOURCE),
        timing=facts["timing"],
        priority=None if priority is None else int(priority),
        executor=facts["executor"],
        queue=now.get("queue", USUAL_QUEUE),
        label=facts.get("label"),
        schedule=now.get("schedule"),
        run_key=now.get("run_key"),
        idempotency_key=now.get("key"),
        arguments=arguments if has_arguments else None,
        progress=Progress.of(now["progress"]) if "progress" in now else None,
        summary=facts.get("summary"),
        options=facts.get("options"),
        recoverable="unrecoverable" not in now,
        requeue_on_interrupt="repeatable" in now,
        cancel_requested="asked" in now,
        logs=logs,
    )


def whole_record(reply: Sequence[Any], ahead: float) -> TaskRecord:
    """One record with its log and all its attempts."""
    (task_id, flat, facts), lines, past, result = reply
    found = record((task_id, flat, facts), ahead, tuple(_line(text, ahead) for text in lines))
    return replace(found, history=_attempts(found, past, ahead), result=None if result is False else result)


def _line(text: str, ahead: float) -> LogLine:
    attempt, at, level, message = json.loads(text)
    return LogLine(attempt, _at(at, ahead), level, message)


def _attempts(found: TaskRecord, past: Sequence[str], ahead: float) -> Sequence[AttemptRecord]:
    attempts = [_past_attempt(json.loads(text), ahead) for text in past]
    if found.start_time is not None:
        outcome = found.status if found.status in FINAL else None
        last = found.fence, found.start_time, found.end_time, outcome, found.error, found.stacktrace, found.owner
        attempts.append(AttemptRecord(*last))
    return tuple(attempts)


def _past_attempt(values: Sequence[Any], ahead: float) -> AttemptRecord:
    number, started, ended, outcome, error, stacktrace, owner = values
    ended_at = _at_or_none(ended, ahead)
    return AttemptRecord(int(number), _at(started, ahead), ended_at, TaskStatus(outcome), error, stacktrace, owner)


def schedule(reply: Sequence[Any]) -> ScheduleState:
    """A schedule from its name and its hash."""
    name, flat = reply
    now = mapping(flat)
    return ScheduleState(
        name,
        now["func"],
        now["rule"],
        number(now.get("next_at")),
        "paused" in now,
        number(now.get("last_at")),
        now.get("last_id"),
        int(now.get("missed", 0)),
        number(now.get("missed_at")),
        now.get("missed_reason"),
        now["policy"],
        now.get("declared"),
    )


def gap(text: str) -> Gap:
    """Slots that became no run."""
    slot, count, at, reason = json.loads(text)
    return Gap(float(slot), count, float(at), reason)


def queue(name: str, text: str) -> QueueState:
    """What was set for a queue."""
    state = json.loads(text)
    config = None if state["config"] is None else QueueConfig(**state["config"])
    return QueueState(name, config, state["paused"])


def instance(reply: Sequence[Any], ahead: float) -> InstanceState:
    """An instance, its last sign in the time of this process."""
    name, flat = reply
    now = mapping(flat)
    slots = json.loads(now.get("slots", "{}"))
    given = float(now["started_at"]), float(now["lease"]), now.get("version", ""), slots
    found = Instance(name, now["host"], int(now["pid"]), *given)
    return InstanceState(found, float(now["beat"]) - ahead, now.get("draining") == "1")


def lease_event(text: str, ahead: float) -> LeaseEvent:
    """An event of the history of leases."""
    key, holder, fence, at, event, reason = json.loads(text)
    return LeaseEvent(key, holder, fence, float(at) - ahead, event, reason)


def lease(reply: Sequence[Any], ahead: float) -> Lease:
    """A lease, in the time of this process, which the server's clock is ahead of."""
    key, holder, fence, taken_at, expires_at, *waiting = reply
    waits = tuple(waiting[0]) if waiting else ()
    return Lease(key, holder, int(fence), float(taken_at) - ahead, float(expires_at) - ahead, waits)


def mapping(flat: Sequence[str]) -> dict[str, str]:
    """A hash as it comes: names and values in turn."""
    return dict(zip(flat[::2], flat[1::2], strict=True))


def number(text: Any, ahead: float = 0.0) -> float | None:
    """A moment; None where there is none, which a script writes as false."""
    return None if text is None or text is False else float(text) - ahead


def _at(value: Any, ahead: float) -> datetime:
    at = moment(float(value) - ahead)
    assert at is not None
    return at


def _at_or_none(value: Any, ahead: float) -> datetime | None:
    return None if value is None else _at(value, ahead)
