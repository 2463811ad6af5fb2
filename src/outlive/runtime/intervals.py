"""Runs intervals: each again and again in this process, with a pause between the end of a run and the next."""

import asyncio
import random
from contextlib import nullcontext

import anyio

from outlive.core.events import ScheduleFailed, TurnLost, TurnSkipped
from outlive.definitions.coordination import bind
from outlive.definitions.schedule import Schedule
from outlive.errors import LockLostError
from outlive.runtime.clock import pause
from outlive.runtime.control import Control
from outlive.runtime.intake import Intake
from outlive.runtime.process import Process

_LOST = "its process lost the leadership or the task lock of its interval"


class Intervals:
    """One loop per interval; its runs are records like any other."""

    def __init__(self, process: Process, intake: Intake, control: Control) -> None:
        self._plan = process.plan
        self._clock = process.clock
        self._emit = process.emit
        self._intake = intake
        self._control = control
        self._duty = process.duty
        self._loops: set[asyncio.Task[None]] = set()
        #: The loops whose run holds something; they go on until it has ended.
        self._in_turn: set[asyncio.Task[None]] = set()
        self._is_stopping = False

    def start(self) -> None:
        """Begin with all that are declared."""
        for schedule in self._plan:
            self.begin(schedule)

    def begin(self, schedule: Schedule) -> None:
        """Begin with one; its first run comes at once."""
        if isinstance(schedule.timing, (int, float)):
            loop = asyncio.create_task(
                self._repeat(schedule, schedule.timing), name=f"outlive interval {schedule.name}"
            )
            self._loops.add(loop)
            loop.add_done_callback(self._loops.discard)

    async def stop(self) -> None:
        """Begin no more runs."""
        self._is_stopping = True
        ending = self._loops - self._in_turn
        for loop in ending:
            loop.cancel()
        await asyncio.gather(*ending, return_exceptions=True)

    async def over(self) -> None:
        """Return when what is held by runs is given back; without end where a thread does not end."""
        if self._loops:
            await asyncio.wait(self._loops)

    # -- one interval ----------------------------------------------------------------------------

    async def _repeat(self, schedule: Schedule, seconds: float) -> None:
        bind(self._control)
        while not self._is_stopping:
            if schedule.jitter:
                await pause(self._clock, random.uniform(0, schedule.jitter))  # noqa: S311 spreads runs, guards nothing
            try:
                if self._is_wanted(schedule):
                    await self._take_turn(schedule)
            except Exception as error:  # noqa: BLE001 - a run that was not accepted must not end its interval
                self._emit(ScheduleFailed(schedule.name, error))
            if not self._is_stopping:
                await pause(self._clock, seconds)

    def _is_wanted(self, schedule: Schedule) -> bool:
        # Where instances take turns nobody else runs it while this one leads.
        return not self._duty.is_off or (schedule.turn is not None and schedule.turn.is_shared)

    async def _take_turn(self, schedule: Schedule) -> None:
        try:
            async with schedule.turn.begin() if schedule.turn is not None else nullcontext() as token:
                await self._run(schedule, token)
        except anyio.WouldBlock as held:
            self._emit(TurnSkipped(schedule.name, str(held)))
        except LockLostError as error:
            self._emit(TurnLost(schedule.name, error))

    async def _run(self, schedule: Schedule, token: int | None) -> None:
        """One run, its retries included."""
        task = self._intake.build(schedule.func, (), {}, schedule.options, "interval", "scheduled")
        task.keep_turn(schedule.turn, token)
        self._intake.enqueue([task])
        if schedule.turn is None:
            await task.durable()
            await self._control.follow(task)
            return
        loop = asyncio.current_task()
        assert loop is not None
        self._in_turn.add(loop)
        try:
            await task.durable()
            await self._control.follow(task)
        except asyncio.CancelledError:  # the turn is lost; it must not be another's before the body has ended
            await self._control.break_off(task, _LOST)
            raise
        finally:
            self._in_turn.discard(loop)
