"""Rows of JSON, see `queries/record.fragment.sql`, to records."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import datetime
from types import MappingProxyType
from typing import Any

from outlive.core.audit import AuditEntry
from outlive.core.progress import Progress
from outlive.core.record import AttemptRecord, LogLine, TaskRecord, moment
from outlive.core.states import FINAL, TaskStatus
from outlive.ports import Instance, InstanceState

_NO_TAGS: Mapping[str, str] = MappingProxyType({})


def records(text: str) -> list[TaskRecord]:
    """The records of a list."""
    return [_record(values) for values in json.loads(text)]


def whole_record(record: str, result: str | None, logs: str, history: str) -> TaskRecord:
    """One record with its result, its logs and all its attempts."""
    values = json.loads(record)
    lines = tuple(
        LogLine(attempt, _at(whole, rest), level, text) for attempt, whole, rest, level, text in json.loads(logs)
    )
    return _record(values, lines, _attempts(_record(values), json.loads(history)), result)


def notes(text: str) -> list[AuditEntry]:
    """What people did."""
    return [
        AuditEntry(note_id, whole + rest, actor, action, target, json.loads(detail))
        for note_id, whole, rest, actor, action, target, detail in json.loads(text)
    ]


def joining(instance: Instance) -> dict[str, Any]:
    """The columns of an instance."""
    return asdict(instance) | {"slots": json.dumps(dict(instance.slots))}


def instances(text: str) -> list[InstanceState]:
    """The instances of a list."""
    return [
        InstanceState(Instance(name, host, pid, start + start_rest, lease, version, slots), beat + rest, bool(draining))
        for name, host, pid, start, start_rest, lease, beat, rest, version, slots, draining in json.loads(text)
    ]


def _record(
    values: Sequence[Any],
    logs: Sequence[LogLine] = (),
    history: Sequence[AttemptRecord] = (),
    result: str | None = None,
) -> TaskRecord:
    (
        task_id, func, func_name, status,
        created_at, created_rest, run_at, run_rest, started_at, started_rest, ended_at, ended_rest,
        attempts, fence, owner, error, stacktrace, reason, tags,
        source, timing, priority, executor, queue, label, schedule, run_key,
        idempotency_key, arguments, summary, options,
        recoverable, requeue_on_interrupt, cancel_requested, progress,
    ) = values  # fmt: skip
    return TaskRecord(
        id=task_id,
        func=func,
        func_name=func_name,
        status=TaskStatus(status),
        created_at=_at(created_at, created_rest),
        run_at=_at(run_at, run_rest),
        start_time=_at_or_none(started_at, started_rest),
        end_time=_at_or_none(ended_at, ended_rest),
        attempts=attempts,
        fence=fence,
        owner=owner,
        error=error,
        stacktrace=stacktrace,
        reason=reason,
        tags=json.loads(tags) if tags else _NO_TAGS,
        source=source,
        timing=timing,
        priority=priority,
        executor=executor,
        queue=queue,
        label=label,
        schedule=schedule,
        run_key=run_key,
        idempotency_key=idempotency_key,
        arguments=arguments,
        summary=summary,
        options=options,
        recoverable=bool(recoverable),
        requeue_on_interrupt=bool(requeue_on_interrupt),
        cancel_requested=bool(cancel_requested),
        progress=Progress.of(progress),
        result=result,
        logs=logs,
        history=history,
    )


def _attempts(record: TaskRecord, past: Sequence[Sequence[Any]]) -> Sequence[AttemptRecord]:
    attempts = [_past_attempt(values) for values in past]
    if record.start_time is not None:
        attempts.append(_last_attempt(record, record.start_time))
    return tuple(attempts)


def _past_attempt(values: Sequence[Any]) -> AttemptRecord:
    number, started_at, started_rest, ended_at, ended_rest, outcome, error, stacktrace, owner = values
    return AttemptRecord(
        number,
        _at(started_at, started_rest),
        _at_or_none(ended_at, ended_rest),
        TaskStatus(outcome),
        error,
        stacktrace,
        owner,
    )


def _last_attempt(record: TaskRecord, started: datetime) -> AttemptRecord:
    outcome = record.status if record.status in FINAL else None
    return AttemptRecord(record.fence, started, record.end_time, outcome, record.error, record.stacktrace, record.owner)


def _at(whole: int, rest: float) -> datetime:
    at = moment(whole + rest)
    assert at is not None
    return at


def _at_or_none(whole: int | None, rest: float | None) -> datetime | None:
    return None if whole is None or rest is None else _at(whole, rest)
