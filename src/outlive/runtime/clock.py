"""The clock of the machine."""

import asyncio
import time
from collections.abc import Callable

from outlive.ports import Clock, Handle

#: Longest stretch slept in one go: the event loop's clock and the wall clock drift apart when a machine is
#: suspended or its clock is set, so long waits look at the wall clock again now and then.
_STRETCH = 60.0


class _Alarm:
    __slots__ = ("_callback", "_handle", "_when")

    def __init__(self, when: float, callback: Callable[[], None]) -> None:
        self._when = when
        self._callback = callback
        self._arm()

    def _arm(self) -> None:
        delay = max(0.0, self._when - time.time())
        loop = asyncio.get_running_loop()
        self._handle = loop.call_later(min(delay, _STRETCH), self._ring)

    def _ring(self) -> None:
        if time.time() < self._when:
            self._arm()
        else:
            self._callback()

    def cancel(self) -> None:
        self._handle.cancel()


class SystemClock:
    """Wall time and the event loop's timers."""

    def now(self) -> float:
        """Seconds since the epoch."""
        return time.time()

    def call_at(self, when: float, callback: Callable[[], None]) -> Handle:
        """Call back on the running event loop at this moment."""
        return _Alarm(when, callback)


async def pause(clock: Clock, seconds: float) -> None:
    """Sleep by an injected clock."""
    over = asyncio.Event()
    alarm = clock.call_at(clock.now() + seconds, over.set)
    try:
        await over.wait()
    finally:
        alarm.cancel()
