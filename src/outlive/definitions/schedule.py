"""What fires by itself: schedules and intervals, as an application declares them."""

from collections.abc import Callable, Iterator
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Any, Literal, Protocol, get_args

from outlive.core.checks import is_seconds
from outlive.core.config import UNSET, TaskConfig
from outlive.core.schedule import Misfire, Overlap, Policy
from outlive.core.trigger import Cron, Every, Trigger
from outlive.errors import ConfigError, DefinitionError

#: Whether to fire at start-up: once for the instances that start together, or once for each.
RunOnStartup = bool | Literal["each"]

#: Seconds within which instances that start count as starting together, for a cron schedule.
_CRON_WINDOW = 60.0


@dataclass(frozen=True, slots=True)
class Timing:
    """When a schedule fires, and what it does about slots that cannot be had in time."""

    trigger: Trigger
    policy: Policy
    run_on_startup: RunOnStartup = False

    @property
    def startup_window(self) -> float | None:
        """Seconds without a fire after which a start fires at once, None where it does not."""
        if self.run_on_startup is not True:
            return None
        return self.trigger.seconds if isinstance(self.trigger, Every) else _CRON_WINDOW


class Turn(Protocol):
    """What the runs of an interval hold, see `outlive.sync.turns`."""

    def begin(self) -> AbstractAsyncContextManager[None]:
        """From before there is a record until it has ended; raises `anyio.WouldBlock` where it is not our turn.

        The task that has entered it is cancelled where the turn is lost, and leaving it raises `LockLostError`.
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
    every: float | None,
    cron: str | None,
    timezone: str,
    run_on_startup: RunOnStartup,
    policy: Policy,
) -> Timing:
    """Check what `schedule(…)` was given; a value that cannot work raises `ConfigError`."""
    if every is not None and cron is not None:
        raise ConfigError(f"every={every!r} and cron={cron!r} are two schedules; give one of them")
    if run_on_startup not in (True, False, "each"):
        raise ConfigError(f"run_on_startup={run_on_startup!r} must be True, False or 'each'")
    _check_policy(policy)
    if cron is not None:
        return Timing(Cron(cron, timezone), policy, run_on_startup)
    if every is not None:
        return Timing(Every(every), policy, run_on_startup)
    raise ConfigError("a schedule needs every= (seconds) or cron= (an expression such as '0 9 * * *'); give one")


def _check_policy(policy: Policy) -> None:
    for name, value, known in (("misfire", policy.misfire, Misfire), ("overlap", policy.overlap, Overlap)):
        if value not in get_args(known):
            raise ConfigError(f"{name}={value!r} is unknown; choose one of {', '.join(get_args(known))}")
    if policy.grace is not None and not is_seconds(policy.grace):
        raise ConfigError(f"grace={policy.grace!r} must be a number of seconds, 0 or more")


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
    """Refuse what makes no sense for runs that come by themselves."""
    for name in ("run_at", "run_in", "idempotency_key"):
        if getattr(options, name) is not None:
            raise ConfigError(
                f"{name}={getattr(options, name)!r} is for one run; a schedule has many. Leave it out, or enqueue"
            )
