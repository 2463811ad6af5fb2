"""Runs intervals: each again and again in this process, with a pause between the end of a run and the next."""

import asyncio

from outlive.core.events import ScheduleFailed
from outlive.definitions.schedule import Schedule
from outlive.definitions.task import TaskControl
from outlive.runtime.clock import pause
from outlive.runtime.intake import Intake
from outlive.runtime.process import Process


class Intervals:
    """One loop per interval; its runs are records like any other."""

    def __init__(self, process: Process, intake: Intake, control: TaskControl) -> None:
        self._plan = process.plan
        self._clock = process.clock
        self._emit = process.emit
        self._intake = intake
        self._control = control
        self._loops: list[asyncio.Task[None]] = []

    def start(self) -> None:
        """Begin with all that are declared."""
        for schedule in self._plan:
            self.begin(schedule)

    def begin(self, schedule: Schedule) -> None:
        """Begin with one; its first run comes at once."""
        if isinstance(schedule.timing, (int, float)):
            loop = self._repeat(schedule, schedule.timing)
            self._loops.append(asyncio.create_task(loop, name=f"outlive interval {schedule.name}"))

    async def stop(self) -> None:
        """Begin no more runs."""
        for loop in self._loops:
            loop.cancel()
        await asyncio.gather(*self._loops, return_exceptions=True)
        self._loops.clear()

    async def _repeat(self, schedule: Schedule, seconds: float) -> None:
        while True:
            try:
                await self._run(schedule)
            except Exception as error:  # noqa: BLE001 - a run that was not accepted must not end its interval
                self._emit(ScheduleFailed(schedule.name, error))
            await pause(self._clock, seconds)

    async def _run(self, schedule: Schedule) -> None:
        """One run, its retries included."""
        task = self._intake.build(schedule.func, (), {}, schedule.options, "interval", "scheduled")
        self._intake.enqueue([task])
        await task.durable()
        await self._control.follow(task)
