"""What code inside a task can ask and say."""

import logging
from collections.abc import Mapping
from contextvars import ContextVar
from dataclasses import dataclass
from math import isfinite
from typing import Any, Protocol

from outlive.core.text import storable

LEVELS = {"debug": logging.DEBUG, "info": logging.INFO, "warning": logging.WARNING, "error": logging.ERROR}


class Run(Protocol):
    """The run that code belongs to: a `Task`, or what stands for one in a worker process."""

    id: str
    attempts: int
    #: The fencing token of the turn of its interval.
    turn_token: int | None
    is_stopping: bool
    has_seen_stop: bool

    @property
    def func_name(self) -> str:
        """What screens call the function."""
        ...

    @property
    def tags(self) -> Mapping[str, str]:
        """The tags of the run."""
        ...

    def log(self, level: str, message: str, extra: Mapping[str, Any]) -> None:
        """Append a line to the log of the record, with `extra` as `key=value`; from any thread."""
        ...

    def advance(self, done: float, total: float | None, message: str | None) -> None:
        """Say how far it has come; from any thread."""
        ...


current: ContextVar[Run | None] = ContextVar("outlive_task", default=None)

_outside = logging.getLogger("outlive.task")


@dataclass(frozen=True, slots=True)
class TaskContext:
    """The run that the current code belongs to."""

    task_id: str
    func_name: str
    #: 0 for the first attempt.
    attempt: int
    tags: Mapping[str, str]
    #: For a run of an interval that takes turns: a number that grows with each turn. A store that refuses smaller ones
    #: than it has seen is safe from a process that stood still.
    fencing_token: int | None = None


def get_task_context() -> TaskContext | None:
    """The current run, None outside a task."""
    task = current.get()
    if task is None:
        return None
    return TaskContext(task.id, task.func_name, max(0, task.attempts - 1), task.tags, task.turn_token)


def task_log(message: str, *, level: str = "info", **extra: Any) -> None:
    """Write a line to the log of the current record; outside a task, to the logger `outlive.task`.

    `level` is debug, info, warning or error; `extra` is appended as `key=value`. Callable from any thread that
    carries the task's context.
    """
    if level not in LEVELS:
        raise ValueError(f"level={level!r} is unknown; choose one of {', '.join(LEVELS)}")
    task = current.get()
    if task is None:
        _outside.log(LEVELS[level], "%s", with_extra(str(message), extra))
    else:
        task.log(level, str(message), extra)


def with_extra(message: str, extra: Mapping[str, Any]) -> str:
    """The line that a record keeps of a `task_log` call."""
    return " ".join([message, *(f"{key}={value!r}" for key, value in extra.items())]) if extra else message


def progress(done: float, total: float | None = None, message: str | None = None) -> None:
    """Say how far the current task has come: `done` of `total`, in whatever unit, and what it is at.

    The record shows the newest; call it as often as you like, it is not written each time. Nothing happens outside a
    task. Callable from any thread that carries the task's context. Raises `ValueError` for what is no finite number.
    """
    for name, number in (("done", done), ("total", total)):
        if number is not None and not _is_finite(number):
            raise ValueError(f"{name}={number!r} is no finite number")
    task = current.get()
    if task is not None:
        task.advance(done, total, None if message is None else storable(str(message)))


def _is_finite(number: object) -> bool:
    return isinstance(number, (int, float)) and isfinite(number)


def cancelled() -> bool:
    """Whether the current task was asked to stop: cancelled, over its timeout, or at shutdown.

    A thread cannot be interrupted from outside: a plain function that runs long asks this now and then and returns.
    What runs in a process of its own is killed instead.
    """
    task = current.get()
    if task is None or not task.is_stopping:
        return False
    task.has_seen_stop = True
    return True
