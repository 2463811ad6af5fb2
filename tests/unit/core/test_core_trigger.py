"""Cron is held against an oracle that walks through the minutes of UTC and looks at the clock."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from outlive import ConfigError
from outlive.core.trigger import MOST_COUNTED, Cron, Every

NEW_YORK = ZoneInfo("America/New_York")
ZONES = ["Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kolkata", "UTC"]

Matches = Callable[[datetime], bool]

#: What the expression means, said once more: whether a time on the clock matches.
TIMES_OF_DAY: dict[str, Matches] = {
    "30 1 * * *": lambda wall: (wall.hour, wall.minute) == (1, 30),
    "30 2 * * *": lambda wall: (wall.hour, wall.minute) == (2, 30),
    "15,45 1-3 * * *": lambda wall: wall.minute in (15, 45) and wall.hour in (1, 2, 3),
    "0 2 * * SUN": lambda wall: (wall.hour, wall.minute) == (2, 0) and wall.isoweekday() == 7,
    "10 0 1 * *": lambda wall: (wall.day, wall.hour, wall.minute) == (1, 0, 10),
}
BY_PASSING: dict[str, Matches] = {
    "0 * * * *": lambda wall: wall.minute == 0,
    "*/15 * * * *": lambda wall: wall.minute % 15 == 0,
    "*/20 2 * * *": lambda wall: wall.minute % 20 == 0 and wall.hour == 2,
    "*/10 1 * * 0": lambda wall: wall.minute % 10 == 0 and wall.hour == 1 and wall.isoweekday() == 7,
    "5 */2 * * *": lambda wall: wall.minute == 5 and wall.hour % 2 == 0,
    "* 2 * * *": lambda wall: wall.hour == 2,
}


def at(*parts: int, fold: int = 0, zone: ZoneInfo = NEW_YORK) -> float:
    return datetime(*parts, tzinfo=zone, fold=fold).timestamp()  # type: ignore[misc, arg-type]


def changes(zone: ZoneInfo) -> list[datetime]:
    """The days on which the clock is changed, a quiet one where it never is."""
    days = [datetime(2025, 1, 1, tzinfo=UTC) + timedelta(days=number) for number in range(730)]
    found = [
        day for day, later in pairwise(days) if day.astimezone(zone).utcoffset() != later.astimezone(zone).utcoffset()
    ]
    return found or [datetime(2025, 3, 30, tzinfo=UTC)]


def minutes_around(day: datetime) -> list[datetime]:
    return [day + timedelta(days=-2, minutes=number) for number in range(5 * 24 * 60)]


def by_passing(matches: Matches, zone: ZoneInfo, minutes: list[datetime]) -> list[float]:
    return [minute.timestamp() for minute in minutes if matches(minute.astimezone(zone))]


def by_time_of_day(matches: Matches, zone: ZoneInfo, minutes: list[datetime]) -> list[float]:
    """Each wall time once: when the clock shows it first, else when the clock has gone past it."""
    shown: dict[datetime, float] = {}
    expected = minutes[0].astimezone(zone).replace(tzinfo=None)
    for minute in minutes:
        wall = minute.astimezone(zone).replace(tzinfo=None, fold=0)
        while expected <= wall:
            shown[expected] = minute.timestamp()
            expected += timedelta(minutes=1)
    return sorted({moment for wall, moment in shown.items() if matches(wall)})


def slots(trigger: Cron, minutes: list[datetime]) -> list[float]:
    found: list[float] = []
    moment = minutes[0].timestamp() - 1
    while (moment := trigger.next_after(moment) or 0.0) <= minutes[-1].timestamp():
        found.append(moment)
    return found


@pytest.mark.parametrize("name", ZONES)
@pytest.mark.parametrize("expression", TIMES_OF_DAY)
def test_times_of_day_fire_once_also_where_the_clock_is_changed(expression, name):
    zone = ZoneInfo(name)
    for day in changes(zone):
        minutes = minutes_around(day)
        assert slots(Cron(expression, name), minutes) == by_time_of_day(TIMES_OF_DAY[expression], zone, minutes)


@pytest.mark.parametrize("name", ZONES)
@pytest.mark.parametrize("expression", BY_PASSING)
def test_everything_else_goes_by_the_time_that_passes(expression, name):
    zone = ZoneInfo(name)
    for day in changes(zone):
        minutes = minutes_around(day)
        assert slots(Cron(expression, name), minutes) == by_passing(BY_PASSING[expression], zone, minutes)


def test_a_time_of_day_in_the_missing_hour_fires_when_the_clock_goes_on():
    assert Cron("30 2 * * *", "America/New_York").next_after(at(2026, 3, 8, 0, 0)) == at(2026, 3, 8, 3, 0)


def test_a_time_of_day_in_the_doubled_hour_fires_the_first_time_only():
    trigger = Cron("30 1 * * *", "America/New_York")

    assert trigger.next_after(at(2026, 11, 1, 0, 0)) == at(2026, 11, 1, 1, 30)
    assert trigger.next_after(at(2026, 11, 1, 1, 10, fold=1)) == at(2026, 11, 2, 1, 30)


def test_an_hourly_schedule_fires_in_both_of_the_doubled_hours():
    trigger = Cron("0 * * * *", "America/New_York")
    first = trigger.next_after(at(2026, 11, 1, 0, 30))

    assert first == at(2026, 11, 1, 1, 0)
    assert trigger.next_after(first) == at(2026, 11, 1, 1, 0, fold=1) == first + 3600


@pytest.mark.parametrize(
    ("alias", "expression"),
    [
        ("@yearly", "0 0 1 1 *"),
        ("@annually", "0 0 1 1 *"),
        ("@monthly", "0 0 1 * *"),
        ("@weekly", "0 0 * * 0"),
        ("@daily", "0 0 * * *"),
        ("@midnight", "0 0 * * *"),
        ("@Hourly", "0 * * * *"),
    ],
)
def test_an_alias_stands_for_its_expression(alias, expression):
    assert Cron(alias).key == Cron(expression).key
    assert Cron(alias).next_after(1.7e9) == Cron(expression).next_after(1.7e9)


@pytest.mark.parametrize(
    "expression", ["61 * * * *", "* * * *", "0 0 * * * *", "0 0 31 2 *", "0 0 31 2,4 *", "@often", "", "a b c d e", 5]
)
def test_an_expression_that_cannot_work_is_refused_with_its_value_and_the_remedy(expression):
    with pytest.raises(ConfigError) as refused:
        Cron(expression)

    assert f"cron={expression!r}" in str(refused.value)
    assert "'0 9 * * " in str(refused.value)


@pytest.mark.parametrize("name", ["Mars/Base", "", "../etc/passwd", "/etc/localtime", None, "Europe"])
def test_a_zone_that_is_not_known_is_refused(name):
    with pytest.raises(ValueError, match="Europe/Berlin") as refused:
        Cron("@daily", name)

    assert f"timezone={name!r}" in str(refused.value)


@pytest.mark.parametrize("seconds", [0, -1, float("nan"), float("inf"), True, "60", None, 1e12, 1e-9])
def test_a_rate_that_cannot_work_is_refused(seconds):
    with pytest.raises(ConfigError, match="every="):
        Every(seconds)


def test_a_rate_keeps_the_grid_of_the_slot_that_is_known():
    assert Every(60).next_after(1000.0) == 1060.0
    assert Every(60).next_after(1000.0, slot=970.0) == 1030.0
    assert Every(60).next_after(5000.0, slot=970.0) == 970.0 + 68 * 60
    assert Every(60).next_after(970.0, slot=5000.0) == 980.0


@given(st.floats(0.01, 1e6), st.floats(0, 2e9), st.floats(0, 1e6))
def test_the_next_slot_of_a_rate_is_later_and_at_most_one_step_away(seconds, slot, ahead):
    found = Every(seconds).next_after(slot + ahead, slot)

    assert slot + ahead < found <= slot + ahead + seconds * 1.001


@pytest.mark.parametrize(
    "trigger", [Every(60), Every(3600), Cron("*/5 * * * *"), Cron("0 2 * * *", "Europe/Berlin"), Cron("0 0 1 * *")]
)
@pytest.mark.parametrize("downtime", [30.0, 3600.0, 86_400.0 * 3, 86_400.0 * 20])
def test_the_newest_slot_and_their_number_are_those_of_a_walk(trigger, downtime):
    slot = trigger.next_after(1_740_000_000.0)
    now = slot + downtime
    walk = [slot]
    while (later := trigger.next_after(walk[-1], slot)) <= now:
        walk.append(later)

    assert trigger.newest(slot, now) == walk[-1]
    limit = len(walk) if isinstance(trigger, Every) else MOST_COUNTED
    assert trigger.count(slot, now + 0.5) == min(len(walk), limit)


@pytest.mark.parametrize(
    ("trigger", "words"),
    [
        (Every(60), "every minute"),
        (Every(300), "every 5 minutes"),
        (Every(7200), "every 2 hours"),
        (Every(86_400), "every day"),
        (Every(90), "every 90 seconds"),
        (Every(0.5), "every 0.5 seconds"),
        (Cron("@daily"), "at 00:00 every day (UTC)"),
        (Cron("0 9 * * *", "America/New_York"), "at 09:00 every day (America/New_York)"),
        (Cron("*/5 * * * *"), "every fifth minute of every hour (UTC)"),
    ],
)
def test_a_trigger_says_in_words_when_it_fires(trigger, words):
    assert trigger.describe() == words
