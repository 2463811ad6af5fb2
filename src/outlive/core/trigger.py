"""When a schedule fires: at a fixed rate, or as a cron expression says. Moments are seconds since the epoch.

Cron follows Debian's rule where a clock is changed. An expression whose minute and hour both begin with something
else than `*` names times of day: each fires once in the doubled hour (the first time), and at the next existing
instant where the hour is missing. Any other goes by the time that passes: it fires in both of the doubled hours, and
not at all in the missing one.
"""

import math
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import Protocol
from zoneinfo import ZoneInfo

from cronsim import CronSim, CronSimError

from outlive.errors import ConfigError

_ALIASES = {
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
    "@monthly": "0 0 1 * *",
    "@weekly": "0 0 * * 0",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@hourly": "0 * * * *",
}
_FIELDS = 5
_UNITS = ((86_400.0, "day"), (3600.0, "hour"), (60.0, "minute"), (1.0, "second"))
_DAY = 86_400.0
#: How far back to look for the newest slot, nearest first, so that few slots are walked through.
_LOOKS_BACK = (60.0, 3600.0, _DAY, 32 * _DAY, 366 * _DAY, 5 * 366 * _DAY)
#: Counting missed slots of a cron expression ends here.
MOST_COUNTED = 1000
_LONGEST = 100 * 366 * _DAY
_LEAST = 0.001


class Trigger(Protocol):
    """What says when a schedule fires."""

    @property
    def key(self) -> str:
        """The trigger as stored text; another text means that the schedule was changed."""
        ...

    @property
    def timezone(self) -> str | None:
        """Zone of a cron expression, None for a fixed rate."""
        ...

    @property
    def period(self) -> float | None:
        """Seconds between two slots of a fixed rate, None for a cron expression."""
        ...

    def next_after(self, moment: float, slot: float | None = None) -> float | None:
        """The first slot later than `moment`, None if there is none; `slot` is one that is known."""
        ...

    def newest(self, slot: float, moment: float) -> float:
        """The newest slot that is not later than `moment`; `slot` is one that is known and has come."""
        ...

    def count(self, slot: float, before: float) -> int:
        """How many slots there are from `slot` on and before a moment, counted to 1,000 at most for cron."""
        ...

    def describe(self) -> str:
        """The trigger in words."""
        ...


@dataclass(frozen=True, slots=True)
class Every:
    """A fixed rate: slots lie whole multiples of `seconds` apart."""

    seconds: float

    def __post_init__(self) -> None:
        if isinstance(self.seconds, bool) or not isinstance(self.seconds, (int, float)):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise ConfigError(f"every={self.seconds!r} must be a number of seconds")
        if not _LEAST <= self.seconds <= _LONGEST:
            raise ConfigError(f"every={self.seconds!r} must be from 0.001 seconds to 100 years")

    @property
    def key(self) -> str:
        """The trigger as stored text."""
        return f"every {float(self.seconds)!r}"

    @property
    def timezone(self) -> None:
        """A fixed rate knows no zone."""
        return

    @property
    def period(self) -> float:
        """Seconds between two slots."""
        return self.seconds

    def next_after(self, moment: float, slot: float | None = None) -> float:
        """The next slot of the grid that `slot` lies on; without one the grid begins at `moment`."""
        base = moment if slot is None else slot
        steps = math.floor((moment - base) / self.seconds) + 1
        # In whole microseconds, or the error of each sum would move the grid: a second in ten days of `every=0.1`.
        while (found := round(base + steps * self.seconds, 6)) <= moment:
            steps += 1
        return found

    def newest(self, slot: float, moment: float) -> float:
        """The newest slot that has come."""
        return max(slot, round(self.next_after(moment, slot) - self.seconds, 6))

    def count(self, slot: float, before: float) -> int:
        """How many slots there are from `slot` on and before a moment."""
        return max(0, math.ceil((before - slot) / self.seconds - 1e-6))

    def describe(self) -> str:
        """The trigger in words."""
        for size, unit in _UNITS:
            count = self.seconds / size
            if count >= 1 and count == int(count):
                return f"every {unit}" if count == 1 else f"every {count:.0f} {unit}s"
        return f"every {self.seconds:g} seconds"


@dataclass(frozen=True)
class Cron:
    """A cron expression of five fields, or an alias such as `@daily`, in a time zone of the IANA database."""

    expression: str
    timezone: str = "UTC"
    _zone: ZoneInfo = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_zone", _zone_of(self.timezone))
        self._check()

    @property
    def key(self) -> str:
        """The trigger as stored text."""
        return f"cron {self._fields} {self.timezone}"

    @property
    def period(self) -> None:
        """Its slots lie differently far apart."""
        return

    @cached_property
    def _fields(self) -> str:
        return " ".join(_ALIASES.get(self.expression.strip().lower(), self.expression).split())

    @cached_property
    def _names_times_of_day(self) -> bool:
        minute, hour = self._fields.split()[:2]
        return not minute.startswith("*") and not hour.startswith("*")

    def _check(self) -> None:
        if not isinstance(self.expression, str):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise ConfigError(f"cron={self.expression!r} must be text, such as '0 9 * * *'")
        advice = "give minute, hour, day of month, month and day of week, such as '0 9 * * 1-5', or an alias: "
        advice += ", ".join(_ALIASES)
        if len(self._fields.split()) != _FIELDS:
            raise ConfigError(f"cron={self.expression!r} has not five fields; {advice}")
        try:
            next(CronSim(self._fields, datetime(2000, 1, 1)))  # noqa: DTZ001 - wall time has no zone
        except CronSimError as error:
            raise ConfigError(f"cron={self.expression!r} cannot be read: {error}; {advice}") from error
        except StopIteration:
            raise ConfigError(f"cron={self.expression!r} never comes (a date that no year has?); {advice}") from None

    def next_after(self, moment: float, slot: float | None = None) -> float | None:  # noqa: ARG002 - the port's signature
        """The first slot later than `moment`, None if there is none within 50 years."""
        try:
            return self._next_time_of_day(moment) if self._names_times_of_day else self._next_by_passing(moment)
        except (StopIteration, OverflowError, ValueError):
            return None

    def newest(self, slot: float, moment: float) -> float:
        """The newest slot that has come."""
        for look in _LOOKS_BACK:
            start = max(slot, moment - look)
            found = slot if start == slot else None
            while (later := self.next_after(found or start)) is not None and later <= moment:
                found = later
            if found is not None:
                return found
        return slot

    def count(self, slot: float, before: float) -> int:
        """How many slots there are from `slot` on and before a moment, at most 1,000."""
        found = 0
        at: float | None = slot
        while at is not None and at < before and found < MOST_COUNTED:
            found += 1
            at = self.next_after(at)
        return found

    def describe(self) -> str:
        """The trigger in words."""
        words = CronSim(self._fields, datetime(2000, 1, 1)).explain()  # noqa: DTZ001 - wall time has no zone
        return f"{words[:1].lower()}{words[1:]} ({self.timezone})"

    # -- times of day ----------------------------------------------------------------------------

    def _next_time_of_day(self, moment: float) -> float:
        walls = CronSim(self._fields, self._wall(moment))
        # Where the clock was put back, times that have been come again; they are not slots.
        return next(found for wall in walls if (found := self._instant(wall)) > moment)

    def _instant(self, wall: datetime) -> float:
        """When the clock shows this first; where it never does, when it goes on after the missing time."""
        found = wall.replace(tzinfo=self._zone, fold=0).timestamp()
        if self._wall(found) == wall:
            return found
        return self._change_between(wall.replace(tzinfo=self._zone, fold=1).timestamp(), found)

    # -- by the time that passes -----------------------------------------------------------------

    def _next_by_passing(self, moment: float) -> float:
        """Go through stretches of one offset from UTC; a clock changes at most once a day."""
        start, wall = moment, self._wall(moment)
        while True:
            offset = self._offset(start)
            found = next(CronSim(self._fields, wall)).replace(tzinfo=UTC).timestamp() - offset
            end = min(found, start + _DAY)
            if self._offset(end) != offset:
                start = self._change_between(start, end)
                wall = self._wall(start) - timedelta(seconds=1)
            elif end == found:
                return found
            else:
                # No clock that is changed in between shows the time of a slot before `found` is near.
                start = max(end, found - 2 * _DAY)
                wall = self._wall(start)

    # -- clocks ----------------------------------------------------------------------------------

    def _wall(self, moment: float) -> datetime:
        """What the clock shows, in whole seconds."""
        return datetime.fromtimestamp(math.floor(moment), self._zone).replace(tzinfo=None, fold=0)

    def _offset(self, moment: float) -> float:
        offset = datetime.fromtimestamp(moment, self._zone).utcoffset()
        assert offset is not None
        return offset.total_seconds()

    def _change_between(self, before: float, after: float) -> float:
        """The second in which the clock is changed."""
        low, high = math.floor(before), math.ceil(after)
        offset = self._offset(low)
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (middle, high) if self._offset(middle) == offset else (low, middle)
        return float(high)


def _zone_of(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (OSError, ValueError, TypeError, LookupError) as error:
        raise ConfigError(
            f"timezone={name!r} is not in the IANA database of this machine; use a name such as 'Europe/Berlin' "
            f"(where no zone is known, install tzdata)"
        ) from error
