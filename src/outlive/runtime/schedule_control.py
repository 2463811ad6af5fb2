"""What people ask of schedules: a list, pause, resume, and a run now."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from itertools import pairwise
from typing import Any
from zoneinfo import ZoneInfo

from outlive.core.record import moment
from outlive.core.schedule import Policy, ScheduleState
from outlive.core.trigger import Cron, Every, Trigger
from outlive.definitions.schedule import Schedule, Timing
from outlive.definitions.task import Task
from outlive.errors import UnknownScheduleError
from outlive.ports import Backend
from outlive.runtime.intake import Intake
from outlive.runtime.process import Process

#: How many coming slots a list shows.
SHOWN = 10


@dataclass(frozen=True, slots=True)
class ScheduleInfo:
    """A schedule or interval as it stands; moments are aware, those to come in the schedule's own zone."""

    name: str
    #: Identity of the function.
    func: str
    #: `every`, `cron` or `interval`.
    kind: str
    #: When it fires, in words.
    trigger: str
    #: Zone of a cron schedule, None for others.
    timezone: str | None
    #: The next ten slots; none where it is paused, or an interval.
    next_fires: tuple[datetime, ...]
    #: The slot that fired last, and its record.
    last_fire: datetime | None = None
    last_task_id: str | None = None
    paused: bool = False
    #: How many slots became no run, when that was last, and why.
    missed: int = 0
    last_missed: datetime | None = None
    missed_reason: str | None = None
    misfire: str | None = None
    overlap: str | None = None
    #: Whether this application declares it; the backend may know more.
    declared: bool = True

    def to_dict(self) -> dict[str, Any]:
        """The schedule as JSON-ready values; `clock_change` marks the slots between which the zone's clock changes."""
        return {
            "name": self.name,
            "func": self.func,
            "kind": self.kind,
            "trigger": self.trigger,
            "timezone": self.timezone,
            "next_fires": self._coming(),
            "last_fire": self.last_fire.isoformat() if self.last_fire else None,
            "last_task_id": self.last_task_id,
            "paused": self.paused,
            "missed": self.missed,
            "last_missed": self.last_missed.isoformat() if self.last_missed else None,
            "missed_reason": self.missed_reason,
            "misfire": self.misfire,
            "overlap": self.overlap,
            "declared": self.declared,
        }

    def _coming(self) -> list[dict[str, Any]]:
        changes = [False, *(before.utcoffset() != after.utcoffset() for before, after in pairwise(self.next_fires))]
        return [
            {"at": at.isoformat(), "clock_change": changed}
            for at, changed in zip(self.next_fires, changes[: len(self.next_fires)], strict=True)
        ]


class ScheduleControl:
    """Acts on schedules, in the backend where all instances see it; `on_change` is told when one may be due sooner."""

    def __init__(self, process: Process, backend: Backend, intake: Intake, on_change: Callable[[], None]) -> None:
        self._plan = process.plan
        self._registry = process.registry
        self._clock = process.clock
        self._backend = backend
        self._intake = intake
        self._on_change = on_change

    async def list(self) -> list[ScheduleInfo]:
        """All of them, by name."""
        found = [self._describe(state) for state in await self._backend.schedules()]
        found += [self._describe_interval(one) for one in self._plan if not isinstance(one.timing, Timing)]
        return sorted(found, key=lambda info: info.name)

    async def pause(self, name: str) -> bool:
        """Let it fire no more; False where it is paused."""
        state = await self._state(name)
        return await self._backend.pause(name, state.next_at, paused=True)

    async def resume(self, name: str) -> bool:
        """Let it go on with its next slot; what came while it was paused is gone. False where it is not paused."""
        state = await self._state(name)
        timing = self._timing_of(state)
        next_at = state.next_at
        if timing is not None and next_at is not None and next_at <= self._clock.now():
            next_at = timing.trigger.next_after(self._clock.now(), next_at)
        resumed = await self._backend.pause(name, next_at, paused=False)
        self._on_change()
        return resumed

    async def trigger(self, name: str) -> Task[Any]:
        """Run it now, as a manual run."""
        schedule = self._plan.get(name)
        if schedule is None:
            raise UnknownScheduleError(f"this application declares no schedule {name!r}; see manager.schedules()")
        task = self._intake.build(schedule.func, (), {}, schedule.options)
        task.keep_turn(schedule.turn)
        self._intake.enqueue([task])
        await task.durable()
        return task

    async def _state(self, name: str) -> ScheduleState:
        schedule = self._plan.get(name)
        if schedule is not None and not isinstance(schedule.timing, Timing):
            raise UnknownScheduleError(
                f"{name!r} is an interval, which each instance runs for itself; only schedules are paused"
            )
        for state in await self._backend.schedules():
            if state.name == name:
                return state
        raise UnknownScheduleError(f"there is no schedule {name!r}; see manager.schedules()")

    def _timing_of(self, state: ScheduleState) -> Timing | None:
        """How this application declares it, None where it does not, or has another rule than the backend."""
        schedule = self._plan.get(state.name)
        if schedule is None or not isinstance(schedule.timing, Timing) or schedule.timing.trigger.key != state.rule:
            return None
        return schedule.timing

    def _describe(self, state: ScheduleState) -> ScheduleInfo:
        timing = self._timing_of(state)
        trigger = None if timing is None else timing.trigger
        policy = Policy() if timing is None else timing.policy
        return ScheduleInfo(
            name=state.name,
            func=state.func,
            kind=state.rule.partition(" ")[0],
            trigger=state.rule if trigger is None else trigger.describe(),
            timezone=trigger.timezone if isinstance(trigger, Cron) else None,
            next_fires=() if state.paused else tuple(_coming(trigger, state.next_at)),
            last_fire=moment(state.last_at),
            last_task_id=state.last_id,
            paused=state.paused,
            missed=state.missed,
            last_missed=moment(state.missed_at),
            missed_reason=state.missed_reason,
            misfire=None if timing is None else policy.misfire,
            overlap=None if timing is None else policy.overlap,
            declared=timing is not None,
        )

    def _describe_interval(self, schedule: Schedule) -> ScheduleInfo:
        assert isinstance(schedule.timing, (int, float))
        words = f"{Every(schedule.timing).describe()} after the end of the last run, in each instance"
        identity = self._registry.of(schedule.func).identity
        return ScheduleInfo(schedule.name, identity, "interval", words, None, ())


def _coming(trigger: Trigger | None, next_at: float | None) -> list[datetime]:
    zone: tzinfo = ZoneInfo(trigger.timezone) if isinstance(trigger, Cron) else UTC
    slots: list[float] = []
    while next_at is not None and len(slots) < SHOWN:
        slots.append(next_at)
        next_at = None if trigger is None else trigger.next_after(next_at, next_at)
    return [datetime.fromtimestamp(slot, zone) for slot in slots]
