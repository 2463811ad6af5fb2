"""Triggers between two moments, from their text, and the chance by which slots fire later."""

import pytest

from outlive import ConfigError
from outlive.core.schedule import Firing, Policy, decide, jitter_of, policy_from, policy_text
from outlive.core.trigger import Cron, Every
from outlive.core.window import Between, between, trigger_from

NOW = 1_700_000_000.0
DAY = 86_400.0


def test_a_fixed_rate_lies_on_the_grid_of_its_start():
    trigger = Between(Every(60), NOW + 90)

    assert trigger.next_after(NOW) == NOW + 90
    assert trigger.next_after(NOW + 90) == NOW + 150
    assert trigger.next_after(NOW + 1000) == NOW + 1050
    assert trigger.next_after(NOW + 150, NOW + 150) == NOW + 210


def test_a_cron_slot_at_the_very_start_counts():
    midnight = NOW - NOW % DAY + DAY
    trigger = Between(Cron("0 0 * * *"), midnight, midnight + DAY)

    assert trigger.next_after(NOW - 10 * DAY) == midnight
    assert trigger.next_after(midnight) == midnight + DAY
    assert trigger.next_after(midnight + DAY) is None


def test_what_is_missed_ends_with_the_end():
    trigger = Between(Every(60), None, NOW + 180)

    assert trigger.newest(NOW, NOW + 9000) == NOW + 180
    assert trigger.count(NOW, NOW + 9000) == 4
    assert decide(trigger, Policy("latest"), NOW, NOW + 9000).slot == NOW + 180
    skipped = decide(trigger, Policy("skip"), NOW, NOW + 9000)
    assert (skipped.next_at, skipped.missed) == (None, 4)


@pytest.mark.parametrize(
    "trigger",
    [
        Every(0.1),
        Every(3600),
        Cron("*/5 9-17 * * 1-5", "Europe/Berlin"),
        Cron("@daily"),
        Between(Every(1 / 3), NOW + 1 / 7),
        Between(Cron("0 9 * * *", "Asia/Kolkata"), NOW, NOW + DAY),
        Between(Cron("0 9 * * *"), None, NOW + DAY),
    ],
)
def test_a_trigger_comes_back_from_its_text(trigger):
    again = trigger_from(trigger.key)

    assert again.key == trigger.key
    assert again.next_after(NOW) == trigger.next_after(NOW)
    assert again.timezone == trigger.timezone


@pytest.mark.parametrize("text", ["", "every", "every soon", "rrule FREQ=DAILY", "cron * * * *", "every 5 from noon"])
def test_a_text_that_is_no_trigger_is_refused(text):
    with pytest.raises(ValueError):  # noqa: PT011 - what is wrong with it differs
        trigger_from(text)


def test_without_bounds_there_is_no_window():
    assert between(Every(5), None, None) == Every(5)
    with pytest.raises(ConfigError, match="is after end="):
        Between(Every(5), NOW + 1, NOW)


def test_words():
    day = Between(Cron("0 9 * * *", "Europe/Berlin"), 1_770_000_000, 1_780_000_000)
    assert day.describe() == (
        "at 09:00 every day (Europe/Berlin), from 2026-02-02 03:40:00 CET, until 2026-05-28 22:26:40 CEST"
    )


def test_the_chance_of_a_slot_is_the_same_for_all_and_differs_from_slot_to_slot():
    drawn = [jitter_of("check", NOW + n, 30) for n in range(1000)]

    assert drawn == [jitter_of("check", NOW + n, 30) for n in range(1000)]
    assert all(0 <= seconds < 30 for seconds in drawn)
    assert 14 < sum(drawn) / 1000 < 16
    assert len(set(drawn)) == 1000
    assert jitter_of("other", NOW, 30) != drawn[0]
    assert jitter_of("check", NOW, 0) == 0


@pytest.mark.parametrize(
    "policy", [Policy(), Policy("all", 5, "wait", 2.5), Policy(overlap="cancel_previous"), Policy(grace=0)]
)
def test_a_policy_comes_back_from_its_text(policy):
    assert policy_from(policy_text(policy)) == (policy, {})
    assert policy_from(policy_text(policy, options="x", tags=None)) == (policy, {"options": "x"})


def test_a_policy_that_nobody_chose_is_no_text():
    assert policy_text(Policy()) == ""


def test_a_slot_that_waited_stands_for_those_that_came_meanwhile():
    waiting = Policy(overlap="wait")

    assert decide(Every(60), waiting, NOW, NOW + 5, waited=True) == Firing(NOW, NOW + 60)
    firing = decide(Every(60), waiting, NOW, NOW + 7205, waited=True)
    assert (firing.slot, firing.next_at, firing.missed) == (NOW + 7200, NOW + 7260, 120)
    assert "before an earlier run had ended (overlap='wait')" in str(firing.reason)
    assert decide(Every(60), Policy("all", overlap="wait"), NOW, NOW + 7205, waited=True) == Firing(NOW, NOW + 60)


def test_a_jitter_adds_to_what_counts_as_on_time():
    assert decide(Every(60), Policy(jitter=30), NOW, NOW + 89).slot == NOW
    assert decide(Every(60), Policy(jitter=30), NOW, NOW + 91).slot is None
