"""Fires schedules: takes each slot that has come, in one write together with the record that it becomes."""

import asyncio
from collections.abc import Collection, Sequence
from functools import partial
from itertools import islice
from typing import Any, NamedTuple

from uuid_utils import uuid7

from outlive.core.events import ScheduleFailed, SlotsMissed
from outlive.core.moves import OVERLAPS, Fire
from outlive.core.schedule import Firing, ScheduleState, decide, jitter_of
from outlive.definitions.schedule import Schedule, Timing
from outlive.definitions.task import Task
from outlive.ports import Backend
from outlive.runtime.control import Control
from outlive.runtime.intake import Intake
from outlive.runtime.journal import Journal
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


class _Slot(NamedTuple):
    """A slot that has come, of a schedule that this process can fire."""

    schedule: Schedule
    timing: Timing
    state: ScheduleState


class _Written(NamedTuple):
    """What the backend has made of a slot: whether it was taken, and why it became no run, if it did not."""

    firing: Firing
    taken: bool
    lost: str | None


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
            await self._fire(due.schedules, now)
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

    async def _fire(self, states: Sequence[ScheduleState], now: float) -> None:
        """Fire slots that have come; those that need not ask for earlier runs are written in one turn of the loop."""
        asking: list[_Slot] = []
        writing: list[tuple[_Slot, asyncio.Future[_Written]]] = []
        for state in states:
            slot = self._look_up(state, now)
            if slot is None:
                continue
            if slot.timing.policy.waits:
                asking.append(slot)
            else:
                writing.append((slot, self._write(slot, now)))
        try:
            await asyncio.gather(*(self._fire_in_turn(slot, now) for slot in asking))
            for slot, written in writing:
                await self._finish(slot, written, now)
        finally:
            for _, written in writing:
                written.cancel()  # where this was stopped; nobody waits for them any more

    def _look_up(self, state: ScheduleState, now: float) -> _Slot | None:
        """How to fire a slot; None where this process cannot, or where it comes later by chance."""
        assert state.next_at is not None
        try:
            known = self._known.of(state)
        except Exception as error:  # noqa: BLE001 - one schedule's trouble is not that of the others
            self._leave(state, now, error)
            return None
        later = now + _LEAVE_ALONE
        if known is not None:
            jitter = known[1].policy.jitter
            until = state.next_at + (jitter_of(state.name, state.next_at, jitter) if jitter else 0.0)
            if until <= now:
                return _Slot(*known, state)
            later = min(until, later)
        self._aside[state.name] = later
        return None

    async def _fire_in_turn(self, slot: _Slot, now: float) -> None:
        try:
            if await self._overlaps.is_held(slot.state, slot.timing.policy):
                self._aside[slot.state.name] = now + _LOOK
                return
        except Exception as error:  # noqa: BLE001 - see above
            self._leave(slot.state, now, error)
        else:
            await self._finish(slot, self._write(slot, now), now)

    def _write(self, slot: _Slot, now: float) -> asyncio.Future[_Written]:
        """Decide about a slot and hand it to the journal, together with the record that it becomes."""
        written: asyncio.Future[_Written] = asyncio.get_running_loop().create_future()
        schedule, timing, state = slot
        assert state.next_at is not None
        try:
            waited = self._overlaps.has_waited(state)
            firing = decide(timing.trigger, timing.policy, state.next_at, now, waited=waited)
            task = None if firing.slot is None else self._task_of(schedule, firing.slot)
            move = Fire(str(uuid7()) if task is None else task.id, state.name, state.next_at, firing.next_at, now)
            move.fired, move.missed, move.reason = firing.slot, firing.missed, firing.reason
            move.exclusive, move.waits = timing.policy.overlap == "skip", timing.policy.waits
            full = None if task is None else self._intake.reject_if_full(task)
            landed = partial(_landed, written, firing, full)
            if task is not None and full is None:
                self._intake.follow_up(task, move, landed)
            else:  # a slot that meets a full queue becomes a record that says so
                self._journal.write([move] if task is None else [move, task.facts], landed, refusable=True)
        except Exception as error:  # noqa: BLE001 - told where it is waited for
            written.set_exception(error)
        return written

    def _task_of(self, schedule: Schedule, slot: float) -> Task[Any]:
        task = self._intake.build(schedule.func, (), {}, schedule.options, "schedule", "scheduled")
        task.keep_slot(schedule.name, slot)
        return task

    async def _finish(self, slot: _Slot, written: asyncio.Future[_Written], now: float) -> None:
        state = slot.state
        try:
            firing, taken, lost = await written
            if taken:
                self._overlaps.forget(state.name)
                self._report(state.name, firing, lost)
            elif self._overlaps.has_waited(state):
                self._aside[state.name] = now + _LOOK
                self._overlaps.watch(state)
            elif slot.timing.policy.waits:
                await self._overlaps.not_taken(state)
        except Exception as error:  # noqa: BLE001 - see above
            self._leave(state, now, error)

    def _leave(self, state: ScheduleState, now: float, error: Exception) -> None:
        self._aside[state.name] = now + PAUSE_AFTER_ERROR
        self.emit(ScheduleFailed(state.name, error))

    def _report(self, name: str, firing: Firing, lost: str | None) -> None:
        if firing.missed:
            self.emit(SlotsMissed(name, firing.missed, firing.reason or ""))
        if lost is not None:
            self.emit(SlotsMissed(name, 1, lost))


def _landed(
    written: asyncio.Future[_Written],
    firing: Firing,
    full: str | None,
    answers: Sequence[bool],
    error: BaseException | None,
) -> None:
    if written.done():  # nobody waits for it any more
        return
    if error is not None:
        written.set_exception(error)
    else:
        written.set_result(_Written(firing, answers[0], full or (None if answers[-1] else OVERLAPS)))
