"""What fires by itself: schedules and intervals, as an application declares them."""

from collections.abc import Callable, Iterator
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, replace
from datetime import datetime
from functools import lru_cache
from typing import Any, Literal, Protocol, TypedDict, cast, get_args

from outlive.core.checks import is_seconds
from outlive.core.config import UNSET, TaskConfig, TaskOptions, config_of
from outlive.core.schedule import Misfire, Overlap, Policy, ScheduleState, policy_from, policy_text
from outlive.core.trigger import Cron, Every, Trigger
from outlive.core.window import Between, between, trigger_from
from outlive.definitions.options import as_utc, decode_options, encode_options
from outlive.errors import ConfigError, DefinitionError

#: Whether to fire at start-up: once for the instances that start together, or once for each.
RunOnStartup = bool | Literal["each"]

#: Seconds within which instances that start count as starting together, for a cron schedule.
_CRON_WINDOW = 60.0

#: Moments are shown as dates in any zone, and so are the ten slots after `start`, each a century later at most.
_FIRST_YEAR = 2
_LAST_YEAR = {"start": 8000, "end": 9998}


@dataclass(frozen=True, slots=True)
class Timing:
    """When a schedule fires, and what it does about slots that cannot be had in time."""

    trigger: Trigger
    policy: Policy
    run_on_startup: RunOnStartup = False
    #: Whether it begins paused.
    paused: bool = False

    def fires_at_startup(self, now: float) -> bool:
        """Whether a start at this moment fires at once; none does before `start` and after `end`."""
        if not self.run_on_startup or not isinstance(self.trigger, Between):
            return bool(self.run_on_startup)
        start, end = self.trigger.start, self.trigger.end
        return (start is None or start <= now) and (end is None or now <= end)

    def startup_window(self, now: float) -> float | None:
        """Seconds without a fire after which a start at this moment fires at once, None where it does not."""
        if self.run_on_startup is not True or not self.fires_at_startup(now):
            return None
        return self.trigger.period or _CRON_WINDOW


class TimingOptions(TypedDict, total=False):
    """What a schedule may be given, at declaration and at run time, as keywords."""

    every: float | None
    cron: str | None
    timezone: str
    start: datetime | None
    end: datetime | None
    misfire: Misfire
    grace: float | None
    overlap: Overlap
    jitter: float


class ScheduleOptions(TimingOptions, TaskOptions, total=False):
    """What a schedule and its runs may be given, as keywords."""


def split_options(options: ScheduleOptions) -> tuple[TimingOptions, TaskConfig]:
    """The options of a schedule, and those of its runs."""
    timing = {name: value for name, value in options.items() if name in TimingOptions.__annotations__}
    others = {name: value for name, value in options.items() if name not in timing}
    return cast("TimingOptions", timing), config_of(cast("TaskOptions", others))


class Turn(Protocol):
    """What the runs of an interval hold, see `outlive.sync.turns`."""

    @property
    def is_shared(self) -> bool:
        """Whether instances take turns, rather than all run it."""
        ...

    def begin(self) -> AbstractAsyncContextManager[int | None]:
        """From before there is a record until it has ended; raises `anyio.WouldBlock` where it is not our turn.

        It gives the fencing token of the turn. The task that has entered it is cancelled where the turn is lost, and
        leaving it raises `LockLostError`.
        """
        ...

    def around(self, stop: Callable[[], None] | None) -> AbstractAsyncContextManager[None]:
        """Around each attempt; where what it holds is lost, `stop` is called, or else the task is cancelled."""
        ...


@dataclass(frozen=True, slots=True)
class Schedule:
    """A function that fires by itself; `timing` is a number for an interval: seconds between its runs."""

    name: str
    func: Callable[..., Any]
    timing: Timing | float
    #: For the runs of this schedule alone, over those of the definition.
    options: TaskConfig = UNSET
    #: For an interval whose runs hold something.
    turn: Turn | None = None
    #: Seconds by which each run of an interval may come later, by chance.
    jitter: float = 0.0


class Plan:
    """All schedules and intervals of one manager or router, by name."""

    def __init__(self) -> None:
        self._by_name: dict[str, Schedule] = {}
        #: Told of each that comes.
        self.on_add: Callable[[Schedule], None] | None = None

    def check(self, name: str) -> None:
        """Raise `DefinitionError` where the name is taken."""
        if name in self._by_name:
            raise DefinitionError(f"two schedules are named {name!r}; give one of them another name=")

    def add(self, schedule: Schedule) -> None:
        """Take a schedule in."""
        self.check(schedule.name)
        self._by_name[schedule.name] = schedule
        if self.on_add is not None:
            self.on_add(schedule)

    def get(self, name: str) -> Schedule | None:
        """The schedule of this name."""
        return self._by_name.get(name)

    def __len__(self) -> int:
        return len(self._by_name)

    def __iter__(self) -> Iterator[Schedule]:
        return iter(list(self._by_name.values()))


def timing_of(
    options: TimingOptions, *, run_on_startup: RunOnStartup = False, paused: bool = False, before: Timing | None = None
) -> Timing:
    """Check what a schedule was given; a value that cannot work raises `ConfigError`.

    What is not given stays as it was `before`, if it was there.
    """
    if run_on_startup not in (True, False, "each"):
        raise ConfigError(f"run_on_startup={run_on_startup!r} must be True, False or 'each'")
    trigger = _trigger(options, None if before is None else before.trigger)
    policy = _policy(options, Policy() if before is None else before.policy)
    if trigger.period is not None and policy.jitter >= trigger.period:
        raise ConfigError(f"jitter={policy.jitter!r} must be less than every={trigger.period!r}")
    return Timing(trigger, policy, run_on_startup, paused)


def _trigger(options: TimingOptions, before: Trigger | None) -> Trigger:
    every, cron = options.get("every"), options.get("cron")
    if every is not None and cron is not None:
        raise ConfigError(f"every={every!r} and cron={cron!r} are two schedules; give one of them")
    start, end = _moment(options, "start"), _moment(options, "end")
    inner = before.trigger if isinstance(before, Between) else before
    if isinstance(before, Between):
        start, end = before.start if start is None else start, before.end if end is None else end
    zone = options.get("timezone") or (inner.timezone if inner is not None else None) or "UTC"
    if cron is not None:
        return between(Cron(cron, zone), start, end)
    if every is not None:
        return between(Every(every), start, end)
    if isinstance(inner, Cron):
        return between(Cron(inner.expression, zone), start, end)
    if isinstance(inner, Every):
        return between(inner, start, end)
    raise ConfigError("a schedule needs every= (seconds) or cron= (an expression such as '0 9 * * *'); give one")


def _moment(options: TimingOptions, name: Literal["start", "end"]) -> float | None:
    value = options.get(name)
    if value is not None and not isinstance(value, datetime):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise ConfigError(f"{name}={value!r} must be a datetime; a naive one is UTC")
    if value is None:
        return None
    if not _FIRST_YEAR <= value.year <= _LAST_YEAR[name]:
        raise ConfigError(
            f"{name}={value!r} must be in the years {_FIRST_YEAR} to {_LAST_YEAR[name]}; leave it out for no limit"
        )
    return as_utc(value).timestamp()


def _policy(options: TimingOptions, before: Policy) -> Policy:
    names = ("misfire", "grace", "overlap", "jitter")
    given: dict[str, Any] = {name: value for name in names if (value := options.get(name)) is not None}
    policy = replace(before, **given)
    for name, value, known in (("misfire", policy.misfire, Misfire), ("overlap", policy.overlap, Overlap)):
        if value not in get_args(known):
            raise ConfigError(f"{name}={value!r} is unknown; choose one of {', '.join(get_args(known))}")
    for name, seconds in (("grace", policy.grace), ("jitter", policy.jitter)):
        if seconds is not None and not is_seconds(seconds):
            raise ConfigError(f"{name}={seconds!r} must be a number of seconds, 0 or more")
    return policy


# -- as a backend keeps it ---------------------------------------------------------------------------


def stored_policy(name: str, timing: Timing, options: TaskConfig = UNSET) -> str:
    """What a backend keeps beside the rule; with the `options` of a schedule that no code declares."""
    text, note = encode_options(options)
    if note is not None:
        raise ConfigError(f"schedule {name!r}: {note}; give it a function or exception of a module")
    return policy_text(timing.policy, options=text, tags=dict(options.tags) if options.tags else None)


@lru_cache(maxsize=1024)
def _timing_from(rule: str, policy: str) -> Timing:
    return Timing(trigger_from(rule), policy_from(policy)[0])


def timing_in_force(state: ScheduleState) -> Timing | None:
    """The timing that the backend holds, None where a release wrote it that this one does not understand."""
    try:
        return _timing_from(state.rule, state.policy)
    except (ValueError, TypeError):
        return None


def stored_options(policy: str) -> TaskConfig:
    """The options of a schedule that no code declares."""
    _, more = policy_from(policy)
    options = decode_options(more.get("options"))
    return options.merge(TaskConfig(tags=more["tags"])) if "tags" in more else options


def seconds_between(seconds: float) -> float:
    """Check the `seconds` of an interval."""
    try:
        return Every(seconds).seconds
    except ConfigError as error:
        raise ConfigError(str(error).replace("every=", "seconds=", 1)) from None


def check_jitter(jitter: float) -> float:
    """Check the `jitter` of an interval."""
    if not is_seconds(jitter):
        raise ConfigError(f"jitter={jitter!r} must be a number of seconds, 0 or more")
    return float(jitter)


def check_options(options: TaskConfig) -> None:
    """Refuse, for what is declared and so has many runs, the options of one."""
    for name in ("run_at", "run_in", "idempotency_key"):
        if getattr(options, name) is not None:
            raise ConfigError(
                f"{name}={getattr(options, name)!r} is for one run, and what is declared has many; "
                f"give it to the call, as in manager.using({name}=...).enqueue(...)"
            )
