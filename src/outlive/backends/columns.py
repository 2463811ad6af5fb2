"""Columns, as the backends with tables select them, to records: in the order of the fields of the classes."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import fields
from types import MappingProxyType
from typing import Any

from outlive.core.progress import Progress
from outlive.core.record import AttemptRecord, LogLine, TaskRecord
from outlive.core.states import FINAL, TaskStatus

_NO_TAGS: Mapping[str, str] = MappingProxyType({})

_NAMES = [field.name for field in fields(TaskRecord)]
_STATUS, _TAGS, _PROGRESS = map(_NAMES.index, ("status", "tags", "progress"))
_STATUSES = {status.value: status for status in TaskStatus}
#: What a backend without booleans has as numbers.
_FLAGS = tuple(map(_NAMES.index, ("recoverable", "requeue_on_interrupt", "cancel_requested")))
_OUTCOME = [field.name for field in fields(AttemptRecord)].index("outcome")


def record_of(columns: Iterable[Any]) -> TaskRecord:
    """A record without result, log and history; the moments are those of this machine already."""
    return TaskRecord(*_values(columns))


def whole_record_of(
    columns: Iterable[Any], result: str | None, logs: Sequence[LogLine], past: Iterable[Iterable[Any]]
) -> TaskRecord:
    """A record with its result, its log and all its attempts."""
    values = _values(columns)
    attempts = (*map(_attempt, past), *_last_attempt(TaskRecord(*values)))
    values += [result, logs, attempts]
    return TaskRecord(*values)


def _values(columns: Iterable[Any]) -> list[Any]:
    values = list(columns)
    values[_STATUS] = _STATUSES[values[_STATUS]]
    values[_TAGS] = json.loads(values[_TAGS]) if values[_TAGS] else _NO_TAGS
    values[_PROGRESS] = Progress.of(values[_PROGRESS])
    for flag in _FLAGS:
        values[flag] = bool(values[flag])
    return values


def _attempt(columns: Iterable[Any]) -> AttemptRecord:
    values = list(columns)
    values[_OUTCOME] = TaskStatus(values[_OUTCOME])
    return AttemptRecord(*values)


def _last_attempt(record: TaskRecord) -> Sequence[AttemptRecord]:
    """The one that stands in the record itself."""
    if record.start_time is None:
        return ()
    outcome = record.status if record.status in FINAL else None
    end = outcome, record.error, record.stacktrace, record.owner
    return (AttemptRecord(record.fence, record.start_time, record.end_time, *end),)
