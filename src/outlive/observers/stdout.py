"""What tasks log, on standard output."""

import sys

from outlive.core.events import LifecycleEvent, LogEvent
from outlive.observers.lines import lifecycle_line, log_line
from outlive.observers.observer import TaskObserver


class StdoutLogger(TaskObserver):
    """Prints what tasks log, and unless `log_lifecycle` is off what becomes of them; for development and containers."""

    def __init__(self, *, log_lifecycle: bool = True, min_level: str = "info") -> None:
        super().__init__(min_level)
        self.log_lifecycle = log_lifecycle

    def on_log(self, event: LogEvent) -> None:
        """Print what a task has said."""
        _print(log_line(event))

    def on_lifecycle(self, event: LifecycleEvent) -> None:
        """Print how a task has got on."""
        if self.log_lifecycle:
            _print(lifecycle_line(event))


def _print(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()
