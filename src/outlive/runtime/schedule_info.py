"""A schedule as people see it: when it fires, what it has run, what it missed."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import pairwise
from typing import Any

from outlive.core.record import TaskRecord, moment
from outlive.core.schedule import Gap, ScheduleState
from outlive.core.trigger import Every, Trigger
from outlive.core.window import zone_of
from outlive.definitions.schedule import Schedule, Timing

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
    #: Seconds: how late a slot may be, None for the default; and by how much it may be later by chance.
    grace: float | None = None
    jitter: float | None = None
    #: Whether this application declares it; the backend may know more.
    declared: bool = True
    #: Whether this process can fire it: it knows the function and understands the timing.
    fires_here: bool = True
    #: Whether it was changed at run time and fires otherwise than the code says.
    changed: bool = False
    #: The newest records of its slots, and the newest slots that became no run, where they were asked for.
    last_runs: tuple[TaskRecord, ...] = ()
    last_gaps: tuple[Gap, ...] = ()

    @property
    def lateness(self) -> tuple[float | None, ...]:
        """For each of `last_runs` the seconds from its slot to its start; None where a retry has hidden that."""
        return tuple(_lateness(record) for record in self.last_runs)

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
            "grace": self.grace,
            "jitter": self.jitter,
            "declared": self.declared,
            "fires_here": self.fires_here,
            "changed": self.changed,
            "last_runs": [_run(record) for record in self.last_runs],
            "last_gaps": [_gap(gap) for gap in self.last_gaps],
        }

    def _coming(self) -> list[dict[str, Any]]:
        changes = [False, *(before.utcoffset() != after.utcoffset() for before, after in pairwise(self.next_fires))]
        return [
            {"at": at.isoformat(), "clock_change": changed}
            for at, changed in zip(self.next_fires, changes[: len(self.next_fires)], strict=True)
        ]


def describe(
    state: ScheduleState,
    timing: Timing | None,
    *,
    declared: bool,
    fires_here: bool,
    runs: Sequence[TaskRecord] = (),
    gaps: Sequence[Gap] = (),
) -> ScheduleInfo:
    """A schedule of the backend; one whose timing this release does not understand shows its text."""
    trigger = None if timing is None else timing.trigger
    policy = None if timing is None else timing.policy
    return ScheduleInfo(
        name=state.name,
        func=state.func,
        kind=state.rule.partition(" ")[0],
        trigger=state.rule if trigger is None else trigger.describe(),
        timezone=None if trigger is None else trigger.timezone,
        next_fires=() if state.paused else _next_fires(trigger, state.next_at),
        last_fire=moment(state.last_at),
        last_task_id=state.last_id,
        paused=state.paused,
        missed=state.missed,
        last_missed=moment(state.missed_at),
        missed_reason=state.missed_reason,
        misfire=None if policy is None else policy.misfire,
        overlap=None if policy is None else policy.overlap,
        grace=None if policy is None else policy.grace,
        jitter=None if policy is None else policy.jitter,
        declared=declared,
        fires_here=fires_here,
        changed=state.is_changed,
        last_runs=tuple(runs),
        last_gaps=tuple(gaps),
    )


def describe_interval(schedule: Schedule, func: str) -> ScheduleInfo:
    """An interval, which the backend does not know."""
    assert isinstance(schedule.timing, (int, float))
    where = "in one instance at a time" if schedule.turn is not None and schedule.turn.is_shared else "in each instance"
    words = f"{Every(schedule.timing).describe()} after the end of the last run, {where}"
    return ScheduleInfo(schedule.name, func, "interval", words, None, ())


def _next_fires(trigger: Trigger | None, next_at: float | None) -> tuple[datetime, ...]:
    zone = UTC if trigger is None else zone_of(trigger)
    slots: list[float] = []
    while next_at is not None and len(slots) < SHOWN:
        slots.append(next_at)
        next_at = None if trigger is None else trigger.next_after(next_at, next_at)
    return tuple(datetime.fromtimestamp(slot, zone) for slot in slots)


def _run(record: TaskRecord) -> dict[str, Any]:
    whole = record.to_dict()
    names = ("task_id", "status", "created_at", "start_time", "end_time", "duration", "attempts", "error", "reason")
    return {name: whole[name] for name in names} | {"late_seconds": _lateness(record)}


def _lateness(record: TaskRecord) -> float | None:
    if record.start_time is None or record.fence != 1 or record.schedule is None:
        return None
    return max(0.0, (record.start_time - record.run_at).total_seconds())


def _gap(gap: Gap) -> dict[str, Any]:
    slot, at = moment(gap.slot), moment(gap.at)
    assert slot is not None
    assert at is not None
    return {"slot": slot.isoformat(), "count": gap.count, "at": at.isoformat(), "reason": gap.reason}
