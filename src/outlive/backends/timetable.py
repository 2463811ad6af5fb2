"""Schedules in memory, the next one first."""

from collections import deque
from collections.abc import Callable, Collection, Sequence
from dataclasses import replace
from heapq import heappop, heappush

from outlive.core.moves import OVERLAPS, Fire
from outlive.core.schedule import GAPS_KEPT, Gap, ScheduleEntry, ScheduleState
from outlive.ports import Due


class Timetable:
    """Keeps schedules and says which are due; what is asked costs by what is due, not by what there is."""

    def __init__(self, is_running: Callable[[str], bool]) -> None:
        self._is_running = is_running
        self._states: dict[str, ScheduleState] = {}
        self._gaps: dict[str, deque[Gap]] = {}
        # An entry is stale when its schedule has another next time by now, or is paused.
        self._coming: list[tuple[float, str]] = []

    def register(self, entries: Sequence[ScheduleEntry], now: float) -> None:
        """Take over what an instance declares."""
        for entry in entries:
            self._set(_started(_declared(self._states.get(entry.name), entry), entry, now))

    def fire(self, move: Fire) -> bool:
        """Take a slot."""
        state = self._states.get(move.schedule)
        if state is None or state.paused or state.next_at is None or state.next_at != move.slot:
            return False
        running = (move.exclusive or move.waits) and self._is_running(move.schedule)
        if running and move.waits:
            return False
        overlaps = running and move.fired is not None
        missed = move.missed + overlaps
        if missed:
            reason = OVERLAPS if overlaps else move.reason
            self._gaps.setdefault(state.name, deque(maxlen=GAPS_KEPT)).append(Gap(move.slot, missed, move.at, reason))
            state = replace(state, missed=state.missed + missed, missed_at=move.at, missed_reason=reason)
        last_at, last_id = state.last_at, state.last_id
        if move.fired is not None and not overlaps:
            last_at, last_id = move.fired, move.id
        # Not by `replace`, which takes three times as long: many slots come at one moment.
        name, func, rule, policy, declared = state.name, state.func, state.rule, state.policy, state.declared
        gaps = state.missed, state.missed_at, state.missed_reason
        self._set(ScheduleState(name, func, rule, move.next_at, False, last_at, last_id, *gaps, policy, declared))
        return True

    def has_fired(self, schedule: str, record: str) -> bool:
        """Whether the schedule's last slot became this record."""
        state = self._states.get(schedule)
        return state is not None and state.last_id == record

    def due(self, now: float, limit: int, without: Collection[str]) -> Due:
        """What is due, and when the next is."""
        seen: list[tuple[float, str]] = []
        found: list[ScheduleState] = []
        next_at: float | None = None
        while self._coming and next_at is None:
            at, name = heappop(self._coming)
            state = self._states.get(name)
            if state is None or state.paused or state.next_at != at or (seen and seen[-1] == (at, name)):
                continue
            seen.append((at, name))
            if name not in without:
                next_at = at if at > now else None
                found += [state] if next_at is None else []
        for entry in seen:
            heappush(self._coming, entry)
        return Due(found[:limit], next_at)

    def list(self, names: Collection[str] | None = None) -> Sequence[ScheduleState]:
        """All of them, or those with these names, by name."""
        wanted = self._states if names is None else self._states.keys() & set(names)
        return [self._states[name] for name in sorted(wanted)]

    def pause(self, name: str, next_at: float | None, *, paused: bool) -> bool:
        """Pause or resume."""
        state = self._states.get(name)
        if state is None or state.paused == paused:
            return False
        self._set(replace(state, paused=paused, next_at=next_at))
        return True

    def put(self, entry: ScheduleEntry, *, new: bool) -> bool:
        """Add or change one at run time."""
        known = self._states.get(entry.name)
        if (known is None) != new:
            return False
        if known is None:
            self._set(_first(entry, None))
        else:
            next_at = known.next_at if known.rule == entry.rule else entry.next_at
            self._set(replace(known, rule=entry.rule, policy=entry.policy, next_at=next_at))
        return True

    def remove(self, name: str) -> bool:
        """Forget one."""
        self._gaps.pop(name, None)
        return self._states.pop(name, None) is not None

    def gaps(self, name: str, limit: int) -> Sequence[Gap]:
        """The newest gaps."""
        return list(self._gaps.get(name, ()))[::-1][:limit]

    def _set(self, state: ScheduleState) -> None:
        self._states[state.name] = state
        if state.next_at is not None and not state.paused:
            heappush(self._coming, (state.next_at, state.name))


def _declared(known: ScheduleState | None, entry: ScheduleEntry) -> ScheduleState:
    if known is None:
        return _first(entry, entry.declared)
    if known.declared == entry.declared:
        return replace(known, func=entry.func)
    next_at = known.next_at if known.rule == entry.rule else entry.next_at
    declared = replace(known, func=entry.func, rule=entry.rule, policy=entry.policy, next_at=next_at)
    return replace(declared, declared=entry.declared)


def _first(entry: ScheduleEntry, declared: str | None) -> ScheduleState:
    state = ScheduleState(entry.name, entry.func, entry.rule, entry.next_at, entry.paused)
    return replace(state, policy=entry.policy, declared=declared)


def _started(state: ScheduleState, entry: ScheduleEntry, now: float) -> ScheduleState:
    if entry.startup_window is None or state.paused:
        return state
    if state.last_at is not None and now - state.last_at < entry.startup_window:
        return state
    return replace(state, next_at=now)
