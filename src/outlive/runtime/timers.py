"""Tasks of this process whose time has not come."""

from collections.abc import Callable
from heapq import heappop, heappush
from itertools import count
from typing import Any

from outlive.definitions.task import Task
from outlive.ports import Clock, Handle


class Timers:
    """Hands each task to `due` at its `run_at`; one alarm for all of them."""

    def __init__(self, clock: Clock, due: Callable[[Task[Any]], None]) -> None:
        self._clock = clock
        self._due = due
        self._arrivals = count()
        self._waiting: list[tuple[float, int, Task[Any]]] = []
        self._alarm: Handle | None = None
        self._alarm_at = 0.0

    def add(self, task: Task[Any]) -> None:
        """Let a task wait for its `run_at`."""
        heappush(self._waiting, (task.run_at, next(self._arrivals), task))
        self._set_alarm()

    @property
    def next_at(self) -> float | None:
        """When the next task is due."""
        return self._waiting[0][0] if self._waiting else None

    def _set_alarm(self) -> None:
        earliest = self._waiting[0][0]
        if self._alarm is not None:
            if self._alarm_at == earliest:
                return
            self._alarm.cancel()
        self._alarm_at = earliest
        self._alarm = self._clock.call_at(earliest, self._ring)

    def _ring(self) -> None:
        self._alarm = None
        now = self._clock.now()
        while self._waiting and self._waiting[0][0] <= now:
            self._due(heappop(self._waiting)[2])
        if self._waiting:
            self._set_alarm()

    def clear(self) -> None:
        """Forget who waits."""
        self._waiting.clear()
        if self._alarm is not None:
            self._alarm.cancel()
            self._alarm = None
