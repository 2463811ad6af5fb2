"""The loop that every background service runs: step, pause, and go on after an error."""

import asyncio
from contextlib import suppress

from outlive.core.events import ServiceFailed
from outlive.ports import Handle
from outlive.runtime.process import Process

#: Seconds before a step that raised is tried again.
PAUSE_AFTER_ERROR = 1.0


class Service:
    """Runs `step` again and again: after `interval` seconds, or sooner when woken.

    `interval` None means only when woken. A test calls `step` by hand.
    """

    def __init__(self, process: Process, interval: float | None = None) -> None:
        self._process = process
        self.clock = process.clock
        self.emit = process.emit
        self.interval = interval
        #: What the last step has found to come next, None where nothing is known to.
        self.next_at: float | None = None
        self._awake = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._alarm: Handle | None = None

    async def step(self) -> None:
        """Do the service's work once."""
        raise NotImplementedError

    def start(self) -> None:
        """Begin to step in the background."""
        self._task = asyncio.create_task(self._loop(), name=f"outlive {type(self).__name__}")

    async def stop(self) -> None:
        """End the loop, also in the middle of a pause."""
        if self._task is not None:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task
            self._task = None
        self._silence()

    def wake(self) -> None:
        """Make the next step come at once."""
        self._awake.set()

    def hear(self, about: str | None) -> None:  # noqa: ARG002 - for those who care what it is about
        """Somebody says that there may be something to do."""
        self.wake()

    def wake_at(self, when: float) -> None:
        """Make the next step come at this moment unless something wakes the service before."""
        self._silence()
        self._alarm = self.clock.call_at(when, self.wake)

    async def _loop(self) -> None:
        while self._process.is_here:  # a forked child may go on with a copy of the event loop
            self._awake.clear()
            pause = await self._step_safely()
            if pause is not None and self._alarm is None:
                self.wake_at(self.clock.now() + pause)
            await self._awake.wait()
            self._silence()

    async def _step_safely(self) -> float | None:
        try:
            await self.step()
        except Exception as error:  # noqa: BLE001 - a service must outlive any single failure of its step
            self.emit(ServiceFailed(type(self).__name__, error))
            self._silence()  # what the step had in mind before it failed is void
            return PAUSE_AFTER_ERROR
        return self.interval

    def _silence(self) -> None:
        if self._alarm is not None:
            self._alarm.cancel()
            self._alarm = None
