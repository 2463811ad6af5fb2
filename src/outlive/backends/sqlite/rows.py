"""Rows of JSON, see `queries/record.fragment.sql`, to records."""

import json
from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any

from outlive.backends.columns import record_of, whole_record_of
from outlive.core.audit import AuditEntry
from outlive.core.record import LogLine, TaskRecord, moment
from outlive.ports import Instance, InstanceState


def records(text: str) -> list[TaskRecord]:
    """The records of a list."""
    return [record_of(_columns(values)) for values in json.loads(text)]


def whole_record(record: str, result: str | None, logs: str, history: str) -> TaskRecord:
    """One record with its result, its logs and all its attempts."""
    lines = tuple(
        LogLine(attempt, _at(whole, rest), level, text) for attempt, whole, rest, level, text in json.loads(logs)
    )
    past = [_past_columns(values) for values in json.loads(history)]
    return whole_record_of(_columns(json.loads(record)), result, lines, past)


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


def _columns(values: Sequence[Any]) -> Sequence[Any]:
    """The columns, each moment as one."""
    created, created_rest, run, run_rest, started, started_rest, ended, ended_rest = values[4:12]
    moments = _at(created, created_rest), _at(run, run_rest)
    return (*values[:4], *moments, _at_or_none(started, started_rest), _at_or_none(ended, ended_rest), *values[12:])


def _past_columns(values: Sequence[Any]) -> Sequence[Any]:
    number, started, started_rest, ended, ended_rest, *end = values
    return (number, _at(started, started_rest), _at_or_none(ended, ended_rest), *end)


def _at(whole: int, rest: float) -> datetime:
    at = moment(whole + rest)
    assert at is not None
    return at


def _at_or_none(whole: int | None, rest: float | None) -> datetime | None:
    return None if whole is None or rest is None else _at(whole, rest)
