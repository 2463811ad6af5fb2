import pytest

from outlive.core.schedule import Firing, Policy, decide
from outlive.core.trigger import Cron, Every

SLOT = 1_700_000_000.0
HOUR = 3600.0


def decided(policy, late, seconds=60.0):
    return decide(Every(seconds), policy, SLOT, SLOT + late)


@pytest.mark.parametrize("misfire", ["skip", "latest", "all"])
@pytest.mark.parametrize("late", [0.0, 0.5, 59.0])
def test_a_slot_that_is_on_time_fires(misfire, late):
    assert decided(Policy(misfire), late) == Firing(SLOT, SLOT + 60)


@pytest.mark.parametrize(
    ("seconds", "grace"), [pytest.param(0.1, 1.0, id="least"), pytest.param(30.0, 30.0, id="own"), (HOUR, 60.0)]
)
def test_on_time_is_until_the_next_slot_within_a_second_and_a_minute(seconds, grace):
    assert decided(Policy(), grace, seconds).slot == SLOT
    assert decided(Policy(), grace + 0.5, seconds).slot is None


def test_the_grace_that_a_schedule_names_goes_before():
    assert decided(Policy(grace=HOUR), HOUR).slot == SLOT
    assert decided(Policy(grace=0), 0.1).slot is None


def test_skip_drops_what_is_late_and_goes_on_with_the_first_slot_that_is_not():
    firing = decided(Policy("skip"), HOUR + 10)

    assert (firing.slot, firing.next_at, firing.missed) == (None, SLOT + HOUR, 60)
    assert "in time" in str(firing.reason)
    assert decided(Policy("skip"), 61, HOUR).missed == 1


def test_latest_fires_the_newest_for_all():
    firing = decided(Policy("latest"), HOUR + 10)

    assert (firing.slot, firing.next_at, firing.missed) == (SLOT + HOUR, SLOT + HOUR + 60, 60)
    assert "for all" in str(firing.reason)
    assert decided(Policy("latest"), 61, HOUR) == Firing(SLOT, SLOT + HOUR)


def test_all_fires_every_slot_one_after_the_other():
    assert decided(Policy("all"), HOUR + 10) == Firing(SLOT, SLOT + 60)


def test_a_cron_schedule_is_late_by_the_same_rules():
    nightly = Cron("0 2 * * *")
    slot = nightly.next_after(SLOT)
    assert slot is not None

    day = 86_400.0
    assert decide(nightly, Policy(), slot, slot + 3 * day + 1) == Firing(
        None, slot + 3 * day, 3, decided(Policy(), HOUR).reason
    )
    latest = decide(nightly, Policy("latest"), slot, slot + 3 * day + HOUR)
    assert (latest.slot, latest.next_at, latest.missed) == (slot + 3 * day, slot + 4 * day, 3)
