"""Ten years of cron, held against an oracle that reads the expression for itself and looks at the clock of the zone.

The oracle walks the time of UTC in stretches in which the clock of the zone has one offset, which it finds by looking
at the clock every hour.
"""

from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import cache
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest

from outlive.core.trigger import Cron

ZONES = ["Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kolkata", "UTC"]
FIRST, LAST = datetime(2021, 1, 1, tzinfo=UTC), datetime(2031, 1, 1, tzinfo=UTC)
EXPRESSIONS = ["30 2 * * *", "15 1,3 * * 0", "0 */8 * * 1", "*/20 2 * * 6,7", "10 0 1,15 * *", "45 1-2 29-31 */2 5"]


@dataclass
class Stretch:
    """Minutes since the epoch from `start` up to `end` in which the clock is `offset` minutes ahead of UTC."""

    start: int
    end: int
    offset: int


@cache
def stretches(zone: ZoneInfo) -> list[Stretch]:
    def offset(minute: int) -> int:
        ahead = datetime.fromtimestamp(minute * 60, zone).utcoffset()
        assert ahead is not None
        return int(ahead.total_seconds()) // 60

    first, last = int(FIRST.timestamp()) // 60, int(LAST.timestamp()) // 60
    found = [Stretch(first, last, offset(first))]
    for hour in range(first, last, 60):
        if offset(hour) != found[-1].offset:
            change = next(minute for minute in range(hour - 60, hour + 1) if offset(minute) != found[-1].offset)
            found[-1].end = change
            found.append(Stretch(change, last, offset(change)))
    return found


def values(field: str, low: int, high: int) -> set[int]:
    found: set[int] = set()
    for part in field.split(","):
        span, _, step = part.partition("/")
        begin, _, end = (f"{low}-{high}" if span == "*" else span).partition("-")
        found |= set(range(int(begin), int(end or begin) + 1, int(step or 1)))
    return found


class Reading:
    """A cron expression, read once more."""

    def __init__(self, expression: str) -> None:
        minute, hour, day, month, weekday = expression.split()
        self.times = sorted(h * 60 + m for h in values(hour, 0, 23) for m in values(minute, 0, 59))
        self.names_times = not minute.startswith("*") and not hour.startswith("*")
        self._days, self._months = values(day, 1, 31), values(month, 1, 12)
        self._weekdays = {number % 7 for number in values(weekday, 0, 7 if "7" in weekday else 6)}
        self._either = not day.startswith("*") and not weekday.startswith("*")

    def is_on(self, day: date) -> bool:
        fits = day.day in self._days, day.isoweekday() % 7 in self._weekdays
        return day.month in self._months and (any(fits) if self._either else all(fits))

    def walls(self) -> Iterator[int]:
        """Every time it names, in minutes of the clock on the wall."""
        day = FIRST.date() - timedelta(days=2)
        while day < LAST.date() + timedelta(days=2):
            if self.is_on(day):
                midnight = int(datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp()) // 60
                yield from (midnight + time for time in self.times)
            day += timedelta(days=1)


def expected(expression: str, zone: ZoneInfo) -> list[float]:
    reading, parts = Reading(expression), stretches(zone)
    starts = [part.start + part.offset for part in parts]
    found: set[int] = set()
    for wall in reading.walls():
        near = parts[max(0, bisect_right(starts, wall) - 2) : bisect_right(starts, wall) + 2]
        shown = [wall - part.offset for part in near if part.start <= wall - part.offset < part.end]
        if not reading.names_times:
            found.update(shown)
        elif shown:
            found.add(min(shown))
        else:
            # Never shown: in the missing hour, or before or after the ten years.
            found.update(
                after.start
                for before, after in pairwise(near)
                if before.end + before.offset <= wall < after.start + after.offset
            )
    return [minute * 60.0 for minute in sorted(found)]


def slots(trigger: Cron) -> list[float]:
    found: list[float] = []
    moment = FIRST.timestamp() - 1
    while (following := trigger.next_after(moment)) is not None and following < LAST.timestamp():
        found.append(following)
        moment = following
    return found


@pytest.mark.parametrize("zone", ZONES)
@pytest.mark.parametrize("expression", EXPRESSIONS)
def test_ten_years(expression, zone):
    found, wanted = slots(Cron(expression, zone)), expected(expression, ZoneInfo(zone))

    assert len(wanted) > 100
    assert found == wanted
