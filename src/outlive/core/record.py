"""The record of one accepted run, as everybody outside the runtime sees it."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from outlive.core.cipher import is_sealed
from outlive.core.progress import Progress
from outlive.core.states import FINAL, TaskStatus


def moment(epoch: float | None) -> datetime | None:
    """Turn seconds since the epoch into an aware UTC datetime."""
    return None if epoch is None else datetime.fromtimestamp(epoch, UTC)


@dataclass(frozen=True, slots=True)
class AttemptRecord:
    """One execution of a record."""

    #: The fence this attempt ran under: 1 for the first start, growing with every start.
    number: int
    started_at: datetime
    ended_at: datetime | None
    #: How it ended: success, failed, interrupted or cancelled; None while it runs.
    outcome: TaskStatus | None
    error: str | None
    stacktrace: str | None
    #: Id of the instance that ran it.
    owner: str | None

    def to_dict(self) -> dict[str, Any]:
        """The attempt as JSON-ready values."""
        return {
            "number": self.number,
            "start_time": self.started_at.isoformat(),
            "end_time": self.ended_at.isoformat() if self.ended_at else None,
            "duration": (self.ended_at - self.started_at).total_seconds() if self.ended_at else None,
            "outcome": self.outcome,
            "error": self.error,
            "stacktrace": self.stacktrace,
            "owner": self.owner,
        }


@dataclass(frozen=True, slots=True)
class LogLine:
    """One `task_log` call."""

    attempt: int
    at: datetime
    level: str
    message: str

    def __str__(self) -> str:
        return f"{self.at:%Y-%m-%dT%H:%M:%SZ} {self.message}"


@dataclass(slots=True)  # not frozen: that makes each record of a claim or a list cost three times as much
class TaskRecord:
    """One accepted run: its identity, arguments, status, attempts and logs. A copy: changing it changes nothing."""

    #: UUIDv7 as text; sorts by time of acceptance.
    id: str
    #: Full identity of the function: the explicit name, else `module:qualname`.
    func: str
    #: What screens show: the explicit name, else `__name__`.
    func_name: str
    status: TaskStatus
    created_at: datetime
    #: When it may start (again).
    run_at: datetime
    start_time: datetime | None = None
    end_time: datetime | None = None
    #: Attempts that the retry policy counts; an interruption by a deploy is not one.
    attempts: int = 0
    #: Grows with every start; settles are guarded by it.
    fence: int = 0
    #: Instance that holds it, None while any instance may claim it.
    owner: str | None = None
    error: str | None = None
    stacktrace: str | None = None
    #: Why it is where it is, where that is not obvious (dropped, waits for a function, cannot be recovered).
    reason: str | None = None
    tags: Mapping[str, str] = field(default_factory=dict[str, str])
    #: `manual` or `scheduled`.
    source: str = "manual"
    #: `immediate`, `after_route`, `after_response`, `enqueue`, `schedule` or `interval`.
    timing: str = "enqueue"
    priority: int | None = None
    executor: str = "async"
    queue: str = "default"
    label: str | None = None
    #: Name of the schedule whose slot it is.
    schedule: str | None = None
    #: By which a run that has not started can be found, replaced and cancelled.
    run_key: str | None = None
    idempotency_key: str | None = None
    #: Encoded arguments, None where they cannot be stored.
    arguments: str | None = None
    #: Types of the arguments, shown where the arguments themselves are not.
    summary: str | None = None
    #: Options given per call, encoded.
    options: str | None = None
    recoverable: bool = True
    requeue_on_interrupt: bool = False
    cancel_requested: bool = False
    #: What its last attempt has said about how far it has come.
    progress: Progress | None = None
    #: What the function returned, as it is stored; filled where one record is read, None in lists.
    result: str | None = None
    #: Filled where one record is read, empty in lists.
    logs: Sequence[LogLine] = ()
    history: Sequence[AttemptRecord] = ()

    @property
    def task_id(self) -> str:
        """The id, under the name that taskflow's API gives it."""
        return self.id

    @property
    def is_final(self) -> bool:
        """Whether nothing will happen to the record unless a person asks."""
        return self.status in FINAL

    @property
    def retries_used(self) -> int:
        """Retries so far (seconds attempts and later)."""
        return max(0, self.attempts - 1)

    @property
    def duration(self) -> float | None:
        """Seconds that the last attempt took, None until it ended."""
        if self.start_time is None or self.end_time is None:
            return None
        return (self.end_time - self.start_time).total_seconds()

    @property
    def trace_id(self) -> str | None:
        """The trace of whoever asked for it, as OpenTelemetry shows it; None where nobody traces."""
        parent = json.loads(self.options).get("trace", {}).get("traceparent") if self.options else None
        return None if parent is None else str(parent).split("-")[1]

    @property
    def is_encrypted(self) -> bool:
        """Whether its arguments are stored in a form that only a key can read."""
        return is_sealed(self.arguments)

    def log_lines(self) -> list[str]:
        """The log as lines, with a separator where another attempt goes on."""
        lines: list[str] = []
        attempt = 1
        for line in self.logs:
            if line.attempt != attempt:
                attempt = line.attempt
                lines.append(f"--- Retry {attempt - 1} ---" if attempt > 1 else "--- Requeued ---")
            lines.append(str(line))
        return lines

    def to_dict(self) -> dict[str, Any]:
        """The record as JSON-ready values; the first sixteen keys are those of taskflow's API."""
        return {
            "task_id": self.id,
            "func_name": self.func_name,
            "status": self.status.value,
            "created_at": self.created_at.isoformat(),
            "start_time": self.start_time.isoformat() if self.start_time else None,
            "end_time": self.end_time.isoformat() if self.end_time else None,
            "duration": self.duration,
            "retries_used": self.retries_used,
            "error": self.error,
            "logs": self.log_lines(),
            "stacktrace": self.stacktrace,
            "tags": dict(self.tags),
            "source": self.source,
            "priority": self.priority,
            "executor": self.executor,
            "queue": self.queue,
            "func": self.func,
            "label": self.label,
            "schedule": self.schedule,
            "run_key": self.run_key,
            "timing": self.timing,
            "run_at": self.run_at.isoformat(),
            "attempts": self.attempts,
            "reason": self.reason,
            "recoverable": self.recoverable,
            "cancel_requested": self.cancel_requested,
            "progress": self.progress.to_dict() if self.progress else None,
            "owner": self.owner,
        }
