"""Fires schedules: takes each slot that has come, in one write together with the record that it becomes."""

import asyncio
from collections.abc import Collection, Sequence
from functools import partial
from itertools import islice

from uuid_utils import uuid7

from outlive.core.events import ScheduleFailed, SlotsMissed
from outlive.core.moves import OVERLAPS, Fire
from outlive.core.schedule import Firing, ScheduleState, decide, jitter_of
from outlive.definitions.schedule import Schedule, Timing
from outlive.ports import Backend
from outlive.runtime.control import Control
from outlive.runtime.intake import Intake
from outlive.runtime.journal import Journal, commit, resolve
from outlive.runtime.known import KnownSchedules
from outlive.runtime.overlaps import Overlaps
from outlive.runtime.process import Process
from outlive.runtime.service import PAUSE_AFTER_ERROR, Service

#: Schedules fired in one go, and announced in one go.
AT_ONCE = 500
#: Seconds before a schedule that this process cannot fire is looked at again, and one that waits for a later moment.
_LEAVE_ALONE = 60.0
#: Seconds between looks at whether the run of another instance, which a slot waits for, has ended.
_LOOK = 1.0


class Scheduler(Service):
    """Wakes when the next schedule is due; what others have changed in a shared backend it sees within a poll."""

    def __init__(self, process: Process, backend: Backend, journal: Journal, intake: Intake, control: Control) -> None:
        super().__init__(process, process.limits.poll_interval if backend.durable else None)
        self._plan = process.plan
        self._known = KnownSchedules(process)
        self._backend = backend
        self._journal = journal
        self._intake = intake
        self._overlaps = Overlaps(process, backend, control, self.look_at)
        self._announced: set[str] = set()
        # How many were declared when all of them were announced.
        self._declared = 0
        # Not to be looked at until then: left to others, in trouble, later by chance, waiting for an earlier run.
        self._aside: dict[str, float] = {}

    async def step(self) -> None:
        """Fire until nothing is due."""
        await self.announce()
        if self._process.duty.is_off:
            return
        while True:
            now = self.clock.now()
            due = await self._backend.due(now, AT_ONCE, self._set_aside(now))
            if not due.schedules:
                break
            await asyncio.gather(*(self._fire_safely(state, now) for state in due.schedules))
        self._wake_for([*self._aside.values(), *([] if due.next_at is None else [due.next_at])])

    def look_at(self, name: str) -> None:
        """Something about a schedule has changed."""
        self._aside.pop(name, None)
        self.wake()

    async def stop(self) -> None:
        """End the loop."""
        await super().stop()
        await self._overlaps.stop()

    def _wake_for(self, moments: Sequence[float]) -> None:
        self.next_at = min(moments, default=None)
        if moments and (self.interval is None or min(moments) < self.clock.now() + self.interval):
            self.wake_at(min(moments))

    def _set_aside(self, now: float) -> Collection[str]:
        self._aside = {name: until for name, until in self._aside.items() if until > now}
        return self._aside

    # -- announcing ------------------------------------------------------------------------------

    async def announce(self) -> None:
        """Tell the backend of what was declared since the last time."""
        declared = len(self._plan)
        if declared == self._declared:
            return
        coming = (schedule for schedule in self._plan if schedule.name not in self._announced)
        fresh = ((schedule, schedule.timing) for schedule in coming if isinstance(schedule.timing, Timing))
        while some := list(islice(fresh, AT_ONCE)):
            now = self.clock.now()
            await self._backend.register([self._known.entry(schedule, timing, now) for schedule, timing in some], now)
            for schedule, timing in some:
                self._announced.add(schedule.name)
                self._aside.pop(schedule.name, None)
                if timing.run_on_startup == "each" and timing.fires_at_startup(now):
                    self._run_beside(schedule)
        self._declared = declared

    def _run_beside(self, schedule: Schedule) -> None:
        """A run that is no slot: in this instance, whatever the others do."""
        try:
            self._intake.enqueue([self._intake.build(schedule.func, (), {}, schedule.options, "schedule", "scheduled")])
        except Exception as error:  # noqa: BLE001 - one schedule's trouble must not keep the others from starting
            self.emit(ScheduleFailed(schedule.name, error))

    # -- firing ----------------------------------------------------------------------------------

    async def _fire_safely(self, state: ScheduleState, now: float) -> None:
        try:
            known = self._known.of(state)
            if known is None:
                self._aside[state.name] = now + _LEAVE_ALONE
            elif not await self._has_to_wait(state, known[1], now):
                await self._fire(*known, state, now)
        except Exception as error:  # noqa: BLE001 - one schedule's trouble is not that of the others
            self._aside[state.name] = now + PAUSE_AFTER_ERROR
            self.emit(ScheduleFailed(state.name, error))

    async def _has_to_wait(self, state: ScheduleState, timing: Timing, now: float) -> bool:
        """Whether it is too early to take the slot: for a while by chance, or until an earlier run has ended."""
        assert state.next_at is not None
        until = state.next_at + jitter_of(state.name, state.next_at, timing.policy.jitter)
        if until > now:
            self._aside[state.name] = min(until, now + _LEAVE_ALONE)
            return True
        if timing.policy.waits and await self._overlaps.is_held(state, timing.policy):
            self._aside[state.name] = now + _LOOK
            return True
        return False

    async def _fire(self, schedule: Schedule, timing: Timing, state: ScheduleState, now: float) -> None:
        assert state.next_at is not None
        policy, has_waited = timing.policy, self._overlaps.has_waited(state)
        firing = decide(timing.trigger, policy, state.next_at, now, waited=has_waited)
        move = Fire(str(uuid7()), state.name, state.next_at, firing.next_at, now)
        move.fired, move.missed, move.reason = firing.slot, firing.missed, firing.reason
        move.exclusive, move.waits = policy.overlap == "skip", policy.waits
        lost = None
        if firing.slot is None:
            (taken,) = await commit(self._journal, [move])
        else:
            taken, lost = await self._take(schedule, move, firing.slot)
        if taken:
            self._overlaps.forget(state.name)
            self._report(state.name, firing, lost)
        elif has_waited:
            self._aside[state.name] = now + _LOOK
            self._overlaps.watch(state)
        elif policy.waits:
            await self._overlaps.not_taken(state)

    async def _take(self, schedule: Schedule, move: Fire, slot: float) -> tuple[bool, str | None]:
        """Whether the slot was taken, and why it did not become a run, if it did not."""
        task = self._intake.build(schedule.func, (), {}, schedule.options, "schedule", "scheduled")
        task.keep_slot(schedule.name, slot)
        move.id = task.id
        full = self._intake.reject_if_full(task)
        if full is not None:  # the slot becomes a record that says so
            taken, _ = await commit(self._journal, [move, task.facts])
            return taken, full
        landed: asyncio.Future[Sequence[bool]] = asyncio.get_running_loop().create_future()
        self._intake.follow_up(task, move, partial(resolve, landed))
        taken, became_run = await landed
        return taken, None if became_run else OVERLAPS

    def _report(self, name: str, firing: Firing, lost: str | None) -> None:
        if firing.missed:
            self.emit(SlotsMissed(name, firing.missed, firing.reason or ""))
        if lost is not None:
            self.emit(SlotsMissed(name, 1, lost))
