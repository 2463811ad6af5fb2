"""Rows, see the fragments in `queries/`, to records and schedules."""

import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Any

from outlive.core.audit import AuditEntry
from outlive.core.progress import Progress
from outlive.core.queues import QueueConfig, QueueDepth, QueueState
from outlive.core.record import AttemptRecord, LogLine, TaskRecord
from outlive.core.schedule import ScheduleState
from outlive.core.states import FINAL, TaskStatus
from outlive.ports import Instance, InstanceState

_NO_TAGS: Mapping[str, str] = MappingProxyType({})


class Reader:
    """Reads rows of a server whose clock is `ahead` seconds ahead."""

    def __init__(self, ahead: float) -> None:
        self.ahead = ahead
        self._ahead = timedelta(seconds=ahead)

    def record(self, row: Iterable[Any]) -> TaskRecord:
        """A record without log and history."""
        return self._record(row, (), ())

    def whole(self, row: Iterable[Any], logs: Iterable[Iterable[Any]], past: Iterable[Iterable[Any]]) -> TaskRecord:
        """A record with its log, all its attempts, and its result, which stands last in the row."""
        *row, result = row
        record = self.record(row)
        lines = tuple(LogLine(attempt, self._at(at), level, text) for attempt, at, level, text in logs)
        return self._record(row, lines, (*map(self._attempt, past), *_last_attempt(record)), result)

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

    def _record(
        self, row: Iterable[Any], logs: Sequence[LogLine], history: Sequence[AttemptRecord], result: str | None = None
    ) -> TaskRecord:
        (
            task_id, func, func_name, status, created_at, run_at, started_at, ended_at,
            attempts, fence, owner, error, stacktrace, reason, tags,
            source, timing, priority, executor, queue, label, schedule, run_key,
            idempotency_key, arguments, summary, options,
            recoverable, requeue_on_interrupt, cancel_requested, progress,
        ) = row  # fmt: skip
        return TaskRecord(
            id=task_id,
            func=func,
            func_name=func_name,
            status=TaskStatus(status),
            created_at=self._at(created_at),
            run_at=self._at(run_at),
            start_time=self._at_or_none(started_at),
            end_time=self._at_or_none(ended_at),
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
            recoverable=recoverable,
            requeue_on_interrupt=requeue_on_interrupt,
            cancel_requested=cancel_requested,
            progress=Progress.of(progress),
            result=result,
            logs=logs,
            history=history,
        )

    def _attempt(self, row: Iterable[Any]) -> AttemptRecord:
        number, started_at, ended_at, outcome, error, stacktrace, owner = row
        ended = self._at_or_none(ended_at)
        return AttemptRecord(number, self._at(started_at), ended, TaskStatus(outcome), error, stacktrace, owner)

    def _at(self, server: datetime) -> datetime:
        return server - self._ahead if self._ahead else server

    def _at_or_none(self, server: datetime | None) -> datetime | None:
        return None if server is None else self._at(server)


def _last_attempt(record: TaskRecord) -> Sequence[AttemptRecord]:
    if record.start_time is None:
        return ()
    outcome = record.status if record.status in FINAL else None
    return (
        AttemptRecord(
            record.fence, record.start_time, record.end_time, outcome, record.error, record.stacktrace, record.owner
        ),
    )


def schedule(row: Iterable[Any]) -> ScheduleState:
    """A schedule; slots are moments of the applications and not of the server."""
    return ScheduleState(*row)


def queue(row: Iterable[Any]) -> QueueState:
    """What was set for a queue."""
    name, is_set, concurrency, max_size, everywhere, paused = row
    return QueueState(name, QueueConfig(concurrency, max_size, everywhere) if is_set else None, paused)
