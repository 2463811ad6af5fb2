"""A trigger between two moments, and triggers from their stored text."""

import math
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from zoneinfo import ZoneInfo

from outlive.core.trigger import Cron, Every, Trigger
from outlive.errors import ConfigError

#: Seconds: less than two slots can lie apart.
_JUST_AFTER = 0.0005


@dataclass(frozen=True, slots=True)
class Between:
    """The slots of another trigger that are not before `start` and not after `end`, in seconds since the epoch.

    The grid of a fixed rate begins at `start`.
    """

    trigger: Every | Cron
    start: float | None = None
    end: float | None = None

    def __post_init__(self) -> None:
        if self.start is not None and self.end is not None and self.end < self.start:
            raise ConfigError(
                f"start={_utc(self.start).isoformat()} is after end={_utc(self.end).isoformat()}; the schedule would "
                f"never fire"
            )

    @property
    def key(self) -> str:
        """The trigger as stored text."""
        start = "" if self.start is None else f" from {float(self.start)!r}"
        return f"{self.trigger.key}{start}{'' if self.end is None else f' until {float(self.end)!r}'}"

    @property
    def timezone(self) -> str | None:
        """Zone of a cron expression."""
        return self.trigger.timezone

    @property
    def period(self) -> float | None:
        """Seconds between two slots of a fixed rate."""
        return self.trigger.period

    def next_after(self, moment: float, slot: float | None = None) -> float | None:
        """The first slot later than `moment`, None if there is none."""
        if self.start is not None:
            slot = self.start if slot is None else slot
            moment = max(moment, math.nextafter(self.start, -math.inf))
        found = self.trigger.next_after(moment, slot)
        return None if found is None or (self.end is not None and found > self.end) else found

    def newest(self, slot: float, moment: float) -> float:
        """The newest slot that has come."""
        return self.trigger.newest(slot, moment if self.end is None else max(slot, min(moment, self.end)))

    def count(self, slot: float, before: float) -> int:
        """How many slots there are from `slot` on and before a moment."""
        return self.trigger.count(slot, before if self.end is None else min(before, self.end + _JUST_AFTER))

    def describe(self) -> str:
        """The trigger in words."""
        zone = zone_of(self)
        start = "" if self.start is None else f", from {_shown(self.start, zone)}"
        return f"{self.trigger.describe()}{start}{'' if self.end is None else f', until {_shown(self.end, zone)}'}"


def zone_of(trigger: Trigger) -> tzinfo:
    """The zone in which the moments of a trigger are shown."""
    return UTC if trigger.timezone is None else ZoneInfo(trigger.timezone)


def between(trigger: Every | Cron, start: float | None, end: float | None) -> Trigger:
    """The trigger, within bounds where there are any."""
    return trigger if start is None and end is None else Between(trigger, start, end)


def trigger_from(key: str) -> Trigger:
    """The trigger whose `key` this is; `ConfigError` for a text that none has."""
    words = key.split(" ")
    bounds: dict[str, float] = {}
    while len(words) > 2 and words[-2] in ("from", "until"):  # noqa: PLR2004 - the word, its moment, and what they bound
        *words, bound, moment = words
        bounds[bound] = float(moment)
    match words:
        case ["every", seconds]:
            return between(Every(float(seconds)), bounds.get("from"), bounds.get("until"))
        case ["cron", *fields, timezone]:
            return between(Cron(" ".join(fields), timezone), bounds.get("from"), bounds.get("until"))
        case _:
            raise ConfigError(f"{key!r} is no trigger that this release knows")


def _utc(moment: float) -> datetime:
    return datetime.fromtimestamp(moment, UTC)


def _shown(moment: float, zone: tzinfo) -> str:
    return f"{datetime.fromtimestamp(moment, zone):%Y-%m-%d %H:%M:%S %Z}"
