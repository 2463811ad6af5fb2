"""The base of observers, and functions as observers."""

from collections.abc import Callable
from typing import Any

from outlive.core.events import LifecycleEvent, LogEvent, RuntimeEvent
from outlive.core.states import TaskStatus
from outlive.errors import ConfigError

_SEVERITY = {"debug": 10, "info": 20, "warning": 30, "error": 40}
_LIFECYCLE = {TaskStatus.FAILED: "error", TaskStatus.INTERRUPTED: "warning"}


class TaskObserver:
    """Is told what tasks log and how they get on; override what you need, as plain or as coroutine functions.

    Plain functions run in a thread of the observer, coroutine functions on the event loop of the manager; both beside
    the tasks, in the order of the events. What they raise is logged and touches nobody else.

    `min_level`: debug, info, warning or error; what is less severe is not told. A failure is an error, an interruption
    a warning, anything else that happens to a task is info.
    """

    def __init__(self, min_level: str = "info") -> None:
        if min_level not in _SEVERITY:
            raise ConfigError(f"min_level={min_level!r} is unknown; choose one of {', '.join(_SEVERITY)}")
        self.min_level = min_level

    def startup(self) -> Any:
        """The manager starts: open what belongs to its event loop here."""

    def on_log(self, event: LogEvent) -> Any:
        """A task has called `task_log`."""

    def on_lifecycle(self, event: LifecycleEvent) -> Any:
        """A task has begun or ended."""

    def on_event(self, event: RuntimeEvent) -> Any:
        """Something else has happened, see `outlive.core.events`."""

    def close(self) -> Any:
        """The manager stops; everything was told."""

    def handler(self, event: RuntimeEvent) -> Callable[[Any], Any] | None:
        """The method for an event, None where there is nothing to do."""
        if isinstance(event, LogEvent):
            return self.on_log if self._is_severe(event.level) and self._overrides("on_log") else None
        if isinstance(event, LifecycleEvent):
            level = _LIFECYCLE.get(event.status, "info")
            return self.on_lifecycle if self._is_severe(level) and self._overrides("on_lifecycle") else None
        return self.on_event if self._overrides("on_event") else None

    def _is_severe(self, level: str) -> bool:
        return _SEVERITY[level] >= _SEVERITY[self.min_level]

    def _overrides(self, method: str) -> bool:
        return getattr(type(self), method) is not getattr(TaskObserver, method)


class FunctionObserver:
    """A function that takes any event."""

    def __init__(self, function: Callable[[Any], Any]) -> None:
        self._function = function
        self.name = getattr(function, "__qualname__", repr(function))

    def startup(self) -> None:
        """Nothing to open."""

    def handler(self, event: RuntimeEvent) -> Callable[[Any], Any] | None:  # noqa: ARG002 - it takes all
        """The function."""
        return self._function

    def close(self) -> None:
        """Nothing to close."""
