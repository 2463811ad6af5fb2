"""Rows, see the fragments in `queries/`, to records and schedules."""

import json
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any

from outlive.backends.columns import record_of, whole_record_of
from outlive.core.audit import AuditEntry
from outlive.core.queues import QueueConfig, QueueDepth, QueueState
from outlive.core.record import LogLine, TaskRecord
from outlive.core.schedule import ScheduleState
from outlive.ports import Instance, InstanceState


class Reader:
    """Reads rows of a server whose clock is `ahead` seconds ahead."""

    def __init__(self, ahead: float) -> None:
        self.ahead = ahead
        self._ahead = timedelta(seconds=ahead)

    def record(self, row: Iterable[Any]) -> TaskRecord:
        """A record without result, log and history."""
        return record_of(self._columns(row))

    def whole(self, row: Iterable[Any], logs: Iterable[Iterable[Any]], past: Iterable[Iterable[Any]]) -> TaskRecord:
        """A record with its log, all its attempts, and its result, which stands last in the row."""
        *columns, result = row
        lines = tuple(LogLine(attempt, self._at(at), level, text) for attempt, at, level, text in logs)
        return whole_record_of(self._columns(columns), result, lines, [self._columns(attempt) for attempt in past])

    def instances(self, rows: Iterable[Iterable[Any]]) -> list[InstanceState]:
        """The instances of a list."""
        return [
            InstanceState(
                Instance(name, host, pid, started_at - self.ahead, lease, version, json.loads(slots)),
                beat_at - self.ahead,
                draining,
            )
            for name, host, pid, started_at, lease, beat_at, version, slots, draining in rows
        ]

    def notes(self, rows: Iterable[Iterable[Any]]) -> list[AuditEntry]:
        """What people did."""
        return [
            AuditEntry(note_id, at - self.ahead, actor, action, target, json.loads(detail))
            for note_id, at, actor, action, target, detail in rows
        ]

    def depths(self, rows: Iterable[Iterable[Any]]) -> Mapping[str, QueueDepth]:
        """What is live in each queue."""
        return {
            name: QueueDepth(pending, running, None if oldest is None else oldest - self.ahead)
            for name, pending, running, oldest in rows
        }

    def _columns(self, row: Iterable[Any]) -> Iterable[Any]:
        """The columns, their moments as this machine's."""
        if not self._ahead:
            return row
        return [self._at(value) if isinstance(value, datetime) else value for value in row]

    def _at(self, server: datetime) -> datetime:
        return server - self._ahead if self._ahead else server


def schedule(row: Iterable[Any]) -> ScheduleState:
    """A schedule; slots are moments of the applications and not of the server."""
    return ScheduleState(*row)


def queue(row: Iterable[Any]) -> QueueState:
    """What was set for a queue."""
    name, is_set, concurrency, max_size, everywhere, paused = row
    return QueueState(name, QueueConfig(concurrency, max_size, everywhere) if is_set else None, paused)
