"""What this process knows of the schedules in the backend: which function, by which timing, with which options."""

from outlive.core.schedule import ScheduleEntry, ScheduleState
from outlive.definitions.schedule import Schedule, Timing, stored_options, stored_policy, timing_in_force
from outlive.runtime.process import Process


class KnownSchedules:
    """Joins what the backend holds with what this application declares.

    The timing is the backend's, where changes made at run time are; the function and the options of its runs are those
    of the declaration, if there is one, else what the schedule was added with.
    """

    def __init__(self, process: Process) -> None:
        self._plan = process.plan
        self._registry = process.registry

    def of(self, state: ScheduleState) -> tuple[Schedule, Timing] | None:
        """How to fire it, None where this process cannot: another release or another application has to."""
        timing = self.timing_of(state)
        declared = self._plan.get(state.name)
        if timing is None or (declared is not None and not isinstance(declared.timing, Timing)):
            return None
        if declared is not None:
            return declared, timing
        definition = self._registry.find(state.func)
        if definition is None:
            return None
        return Schedule(state.name, definition.func, timing, stored_options(state.policy)), timing

    def timing_of(self, state: ScheduleState) -> Timing | None:
        """The timing in force, None where this release does not understand it."""
        declared = self._plan.get(state.name)
        if declared is not None and isinstance(declared.timing, Timing):
            timing = declared.timing
            if (timing.trigger.key, stored_policy(state.name, timing)) == (state.rule, state.policy):
                return timing
        return timing_in_force(state)

    def entry(self, schedule: Schedule, timing: Timing, now: float) -> ScheduleEntry:
        """A declared schedule as the backend is told of it."""
        return ScheduleEntry(
            schedule.name,
            self._registry.of(schedule.func).identity,
            timing.trigger.key,
            timing.trigger.next_after(now),
            timing.startup_window(now),
            stored_policy(schedule.name, timing),
            timing.paused,
        )
