"""What people ask of schedules: a list, pause, resume, a run now; one more, another timing, one less."""

import asyncio
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from outlive.core.config import TaskConfig
from outlive.core.filter import Page, TaskFilter
from outlive.core.schedule import ScheduleEntry, ScheduleState, policy_from, policy_text
from outlive.core.text import storable
from outlive.definitions.schedule import Schedule, Timing, TimingOptions, check_options, stored_policy, timing_of
from outlive.definitions.task import Task
from outlive.errors import ConfigError, DefinitionError, ScheduleConflictError, UnknownScheduleError
from outlive.ports import Backend
from outlive.runtime.intake import Intake
from outlive.runtime.known import KnownSchedules
from outlive.runtime.process import Process
from outlive.runtime.schedule_info import ScheduleInfo, describe, describe_interval


class ScheduleControl:
    """Acts on schedules, in the backend where all instances see it; `on_change` is told which may be due sooner."""

    def __init__(self, process: Process, backend: Backend, intake: Intake, on_change: Callable[[str], None]) -> None:
        self._plan = process.plan
        self._registry = process.registry
        self._clock = process.clock
        self._known = KnownSchedules(process)
        self._backend = backend
        self._intake = intake
        self._on_change = on_change

    # -- looking ---------------------------------------------------------------------------------

    async def list(self, runs: int = 0, limit: int | None = None, after: str | None = None) -> list[ScheduleInfo]:
        """All of them by name, or `limit` of those after a name; each with so many of its newest runs and gaps."""
        found: list[ScheduleState | Schedule] = list(await self._backend.schedules())
        found += [one for one in self._plan if not isinstance(one.timing, Timing)]
        found = sorted((one for one in found if after is None or one.name > after), key=lambda one: one.name)[:limit]
        return list(await asyncio.gather(*(self._describe(one, runs) for one in found)))

    async def one(self, name: str, runs: int) -> ScheduleInfo:
        """One of them."""
        schedule = self._plan.get(name)
        if schedule is not None and not isinstance(schedule.timing, Timing):
            return await self._describe(schedule, runs)
        return await self._describe(await self._state(name), runs)

    async def _describe(self, one: ScheduleState | Schedule, runs: int) -> ScheduleInfo:
        if isinstance(one, Schedule):
            return describe_interval(one, self._registry.of(one.func).identity)
        timing, declared = self._known.timing_of(one), self._plan.get(one.name) is not None
        fires_here = self._known.of(one) is not None
        if not runs:
            return describe(one, timing, declared=declared, fires_here=fires_here)
        records = await self._backend.find(TaskFilter(schedule=one.name), Page(runs))
        gaps = await self._backend.gaps(one.name, runs) if one.missed else ()
        return describe(one, timing, declared=declared, fires_here=fires_here, runs=records, gaps=gaps)

    # -- acting ----------------------------------------------------------------------------------

    async def pause(self, name: str) -> bool:
        """Let it fire no more; False where it is paused."""
        state = await self._state(name)
        return await self._backend.pause(name, state.next_at, paused=True)

    async def resume(self, name: str) -> bool:
        """Let it go on with its next slot; what came while it was paused is gone. False where it is not paused."""
        state = await self._state(name)
        timing = self._known.timing_of(state)
        next_at = state.next_at
        if timing is not None and next_at is not None and next_at <= self._clock.now():
            next_at = timing.trigger.next_after(self._clock.now(), next_at)
        resumed = await self._backend.pause(name, next_at, paused=False)
        self._on_change(name)
        return resumed

    async def trigger(self, name: str) -> Task[Any]:
        """Run it now, as a manual run."""
        schedule = self._plan.get(name) or await self._added(name)
        task = self._intake.build(schedule.func, (), {}, schedule.options)
        task.keep_turn(schedule.turn)
        self._intake.enqueue([task])
        await task.durable()
        return task

    async def _added(self, name: str) -> Schedule:
        known = self._known.of(await self._state(name))
        if known is None:
            raise UnknownScheduleError(
                f"this application declares neither schedule {name!r} nor its function, so it cannot run it; see "
                f"manager.schedules()"
            )
        return known[0]

    # -- changing --------------------------------------------------------------------------------

    async def add(self, func: Callable[..., Any], timing: Timing, options: TaskConfig) -> ScheduleInfo:
        """Add one that no code declares."""
        check_options(options)
        definition = self._registry.of(func)
        if not definition.declared:
            raise DefinitionError(
                f"{definition.display_name} is not declared, so neither the other instances nor this one after a "
                f"restart could find it; declare it with @manager.task()"
            )
        definition.check_schedulable()
        name = options.name or definition.identity
        label = None if name == definition.identity else name
        now = self._clock.now()
        policy = stored_policy(name, timing, replace(options, name=label))
        entry = ScheduleEntry(
            name, definition.identity, timing.trigger.key, timing.trigger.next_after(now), None, policy, timing.paused
        )
        if self._plan.get(name) is not None or not await self._backend.put(entry, new=True):
            raise ScheduleConflictError(f"there is a schedule {name!r} already; change it, or give another name=")
        self._on_change(name)
        return await self.one(name, 0)

    async def change(self, name: str, given: TimingOptions) -> ScheduleInfo:
        """Give it another timing, in all instances."""
        state = await self._state(name)
        before = self._known.timing_of(state)
        if before is None:
            raise ScheduleConflictError(
                f"schedule {name!r} is {state.rule!r}, which this release does not understand; change it in an "
                f"instance of the release that does"
            )
        if not given:
            raise ConfigError(f"nothing to change in schedule {name!r}; give every=, cron=, overlap= or another option")
        timing = timing_of(given, before=before)
        await self._put(state, timing)
        return await self.one(name, 0)

    async def _put(self, state: ScheduleState, timing: Timing) -> None:
        _, more = policy_from(state.policy)
        now, trigger = self._clock.now(), timing.trigger
        policy = policy_text(timing.policy, **more)
        entry = ScheduleEntry(state.name, state.func, trigger.key, trigger.next_after(now), None, policy)
        await self._backend.put(entry, new=False)
        self._on_change(state.name)

    async def reset(self, name: str) -> ScheduleInfo:
        """Let it fire as the code says again."""
        state = await self._state(name)
        schedule = self._plan.get(name)
        if schedule is None or not isinstance(schedule.timing, Timing):
            raise ScheduleConflictError(f"this application does not declare schedule {name!r}, so there is no way back")
        await self._put(state, schedule.timing)
        return await self.one(name, 0)

    async def remove(self, name: str) -> None:
        """Forget one that this application does not declare."""
        if self._plan.get(name) is not None:
            raise ScheduleConflictError(
                f"schedule {name!r} is declared in code and would be back after a restart; pause it, or take it out of "
                f"the code first"
            )
        if not await self._backend.remove(name):
            raise _unknown(name)
        self._on_change(name)

    async def _state(self, name: str) -> ScheduleState:
        schedule = self._plan.get(name)
        if schedule is not None and not isinstance(schedule.timing, Timing):
            raise UnknownScheduleError(
                f"{name!r} is an interval, which each instance runs for itself; only schedules can be paused or changed"
            )
        found = await self._backend.schedules([name]) if storable(name) == name else ()
        if not found:
            raise _unknown(name)
        return found[0]


def _unknown(name: str) -> UnknownScheduleError:
    return UnknownScheduleError(f"there is no schedule {name!r}; see manager.schedules()")
