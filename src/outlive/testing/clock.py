"""A clock that stands still until a test moves it."""

import asyncio
import threading
from collections.abc import Callable

from outlive.ports import Handle


class _Alarm:
    __slots__ = ("_callback", "_loop", "is_cancelled", "when")

    def __init__(self, when: float, callback: Callable[[], None]) -> None:
        self.when = when
        self.is_cancelled = False
        self._callback = callback
        self._loop = asyncio.get_running_loop()

    def cancel(self) -> None:
        self.is_cancelled = True

    def ring(self) -> None:
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._call)

    def _call(self) -> None:
        if not self.is_cancelled:
            self._callback()


class ManualClock:
    """Time for tests: `TaskManager(clock=ManualClock())`, then `clock.advance(60)`.

    `now`: where it starts, in seconds since the epoch. Retries, delayed tasks, heartbeats and pauses follow it;
    `timeout`, `shutdown_grace` and `shutdown_timeout` are limits on work that really goes on and stay real time.
    """

    def __init__(self, now: float = 1_700_000_000.0) -> None:
        self._now = now
        self._lock = threading.Lock()
        self._alarms: list[_Alarm] = []

    def now(self) -> float:
        """Seconds since the epoch, as far as this clock was moved."""
        return self._now

    def advance(self, seconds: float) -> None:
        """Move time forward; what has become due is called, earliest first, in the next turn of its event loop.

        Callable from any thread.
        """
        if seconds < 0:
            raise ValueError(f"seconds={seconds!r} must be 0 or more; time does not run backwards")
        with self._lock:
            self._now += seconds
            due = [alarm for alarm in self._alarms if alarm.when <= self._now]
            self._alarms = [alarm for alarm in self._alarms if alarm.when > self._now and not alarm.is_cancelled]
        for alarm in sorted(due, key=lambda alarm: alarm.when):
            alarm.ring()

    def call_at(self, when: float, callback: Callable[[], None]) -> Handle:
        """Call back on the running event loop once the clock was moved to `when`; at once where it stands there."""
        alarm = _Alarm(when, callback)
        with self._lock:
            is_due = when <= self._now
            if not is_due:
                self._alarms.append(alarm)
        if is_due:
            alarm.ring()
        return alarm
