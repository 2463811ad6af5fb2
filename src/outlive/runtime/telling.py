"""What observers are told of a task."""

from collections.abc import Mapping
from typing import Any

from outlive.core.events import LifecycleEvent, LogEvent
from outlive.core.moves import Settle
from outlive.core.record import moment
from outlive.core.states import Event, TaskStatus
from outlive.definitions.task import Task


def log_event(task: Task[Any], level: str, message: str, at: float, extra: Mapping[str, Any]) -> LogEvent:
    """It has said something."""
    when = moment(at)
    assert when is not None
    return LogEvent(task.id, task.func_name, message, level, when, max(0, task.attempts - 1), task.tags, extra)


def begun_event(task: Task[Any]) -> LifecycleEvent:
    """Its first attempt begins."""
    return _event(task, TaskStatus.RUNNING, task.began_at)


def ended_event(task: Task[Any], move: Settle) -> LifecycleEvent:
    """It has ended, or was given up by this process."""
    status = TaskStatus.INTERRUPTED if move.event is Event.INTERRUPT else move.status
    return _event(task, status, move.at, move.at - task.began_at, move.error or move.reason, move.stacktrace)


def _event(
    task: Task[Any],
    status: TaskStatus,
    at: float,
    duration: float | None = None,
    error: str | None = None,
    stacktrace: str | None = None,
) -> LifecycleEvent:
    when = moment(at)
    assert when is not None
    attempt = max(0, task.attempts - 1)
    return LifecycleEvent(
        task.id, task.func_name, status, when, attempt, attempt, duration, error, stacktrace, task.tags,
        task.facts.queue,
    )  # fmt: skip
