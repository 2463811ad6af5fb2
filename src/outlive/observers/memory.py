"""What tasks log, in lists."""

from outlive.core.events import LifecycleEvent, LogEvent
from outlive.observers.observer import TaskObserver


class InMemoryLogger(TaskObserver):
    """Keeps every event, for tests; `await manager.logger.flush()` waits until it has heard all."""

    def __init__(self, *, min_level: str = "debug") -> None:
        super().__init__(min_level)
        self.log_events: list[LogEvent] = []
        self.lifecycle_events: list[LifecycleEvent] = []

    async def on_log(self, event: LogEvent) -> None:
        """Keep it."""
        self.log_events.append(event)

    async def on_lifecycle(self, event: LifecycleEvent) -> None:
        """Keep it."""
        self.lifecycle_events.append(event)

    def clear(self) -> None:
        """Forget everything."""
        self.log_events.clear()
        self.lifecycle_events.clear()
