"""Leases: one holder at a time, tokens that grow, turns in the order of asking."""

import asyncio

import pytest
from support.waiting import turns, until
from tests.conformance.conformance_backends import FACTORIES
from tests.conformance.conformance_kit import NOW

from outlive.ports import HANDOVER_SECONDS, LEASE_EVENTS, LeaseEvent


@pytest.fixture
def leases(backend):
    return backend.leases


async def test_one_holder_at_a_time(leases):
    mine = await leases.take("k", "a", 10, NOW)
    other = await leases.take("k", "b", 10, NOW + 9.999)

    assert (mine.holder, mine.taken_at, mine.expires_at) == ("a", NOW, NOW + 10)
    assert other == mine
    assert (await leases.take("l", "b", 10, NOW)).holder == "b"


@pytest.mark.parametrize("seconds", [0.001, 0.1, 0.5, 60.25])
async def test_expiry_is_exact(leases, seconds):
    await leases.take("k", "a", seconds, NOW)

    assert (await leases.take("k", "b", 10, NOW + seconds - 0.0005)).holder == "a"
    assert (await leases.take("k", "b", 10, NOW + seconds)).holder == "b"


async def test_tokens_grow_with_every_change_of_hands_and_never_else(leases):
    first = await leases.take("k", "a", 10, NOW)
    again = await leases.take("k", "a", 20, NOW + 1)
    assert again.fence == first.fence
    assert again.expires_at == NOW + 21

    await leases.drop("k", "a", NOW + 2)
    released = await leases.take("k", "b", 10, NOW + 3)
    expired = await leases.take("k", "c", 10, NOW + 13)

    assert first.fence < released.fence < expired.fence


async def test_renew(leases):
    await leases.take("k", "a", 10, NOW)

    assert await leases.renew("k", "a", 10, NOW + 9)
    assert not await leases.renew("k", "b", 10, NOW + 9)
    assert not await leases.renew("other", "a", 10, NOW + 9)
    assert (await leases.take("k", "b", 10, NOW + 18)).holder == "a"
    assert await leases.renew("k", "a", 0.5, NOW + 18), "a lease may also be cut short"
    assert not await leases.renew("k", "a", 10, NOW + 18.5), "what has expired is lost, even if nobody took it"


async def test_drop(leases):
    await leases.take("k", "a", 10, NOW)

    assert not await leases.drop("k", "b", NOW)
    assert not await leases.drop("other", "a", NOW)
    assert await leases.drop("k", "a", NOW)
    assert not await leases.drop("k", "a", NOW)
    await leases.take("k", "a", 10, NOW)
    assert not await leases.drop("k", "a", NOW + 10), "it had run out"


async def test_a_drop_comes_after_the_take_whose_caller_was_cancelled(leases):
    for number in range(30):
        taking = asyncio.ensure_future(leases.take("k", f"h{number}", 10, NOW, wait=60))
        await turns(number % 3)
        taking.cancel()
        await leases.drop("k", f"h{number}", NOW)

    assert list(await leases.held(NOW)) == []


async def test_what_a_cancelled_caller_asked_for_is_done_in_its_turn(leases):
    for number in range(30):
        taking = asyncio.ensure_future(leases.take("k", f"h{number}", 10, NOW))
        dropping = asyncio.ensure_future(leases.drop("k", f"h{number}", NOW))
        await turns(1 + number % 3)
        dropping.cancel()

        assert not await leases.renew("k", f"h{number}", 10, NOW)
        assert (await taking).holder == f"h{number}"


async def test_turns_come_in_the_order_of_asking(leases):
    await leases.take("k", "a", 10, NOW)
    for name in "bcd":
        await leases.take("k", name, 10, NOW, wait=60)
    await leases.take("k", "b", 10, NOW + 1, wait=60)
    held = [await _after_drop(leases, name, NOW + 2) for name in "abcd"]

    assert held == ["b", "c", "d", None]


async def _after_drop(leases, holder, now):
    assert await leases.drop("k", holder, now)
    found = await leases.held(now, "k")
    return found[0].holder if found else None


async def test_nobody_overtakes_who_waits(leases):
    await leases.take("k", "a", 10, NOW)
    await leases.take("k", "b", 10, NOW, wait=60)

    lease = await leases.take("k", "hasty", 10, NOW + 10)

    assert lease.holder == "b", "the lease ran out, and it is b's turn"


async def test_who_is_called_has_a_moment_to_confirm(leases):
    await leases.take("k", "a", 10, NOW)
    await leases.take("k", "dead", 10, NOW, wait=60)
    await leases.take("k", "alive", 10, NOW, wait=60)
    await leases.drop("k", "a", NOW + 1)

    assert (await leases.take("k", "alive", 10, NOW + 1.5, wait=60)).holder == "dead"
    confirmed = await leases.take("k", "alive", 10, NOW + 1 + HANDOVER_SECONDS, wait=60)
    assert confirmed.holder == "alive"
    assert confirmed.expires_at == NOW + 1 + HANDOVER_SECONDS + 10


async def test_a_place_lasts_as_long_as_it_was_asked_for(leases):
    await leases.take("k", "a", 100, NOW)
    await leases.take("k", "gone", 10, NOW, wait=5)
    await leases.take("k", "patient", 10, NOW, wait=5)
    await leases.take("k", "patient", 10, NOW + 4, wait=5)
    await leases.drop("k", "a", NOW + 6)

    [lease] = await leases.held(NOW + 6)
    assert (lease.holder, lease.waiting) == ("patient", ())


async def test_a_place_can_be_given_up(leases):
    await leases.take("k", "a", 10, NOW)
    await leases.take("k", "b", 10, NOW, wait=60)

    assert not await leases.drop("k", "b", NOW)
    await leases.drop("k", "a", NOW)
    assert list(await leases.held(NOW)) == []


async def test_who_does_not_wait_gets_no_turn(leases):
    await leases.take("k", "a", 10, NOW)
    await leases.take("k", "b", 10, NOW)
    await leases.drop("k", "a", NOW)

    assert list(await leases.held(NOW)) == []


async def test_what_is_held_can_be_read(leases):
    await leases.take("l", "x", 10, NOW)
    await leases.take("k", "a", 10, NOW + 0.25)
    await leases.take("k", "b", 10, NOW + 1, wait=60)
    await leases.take("k", "c", 10, NOW + 1, wait=60)

    k, lease = await leases.held(NOW + 2)
    assert (k.key, k.holder, k.waiting) == ("k", "a", ("b", "c"))
    assert k.time_left(NOW + 2) == 8.25
    assert (lease.key, lease.waiting, lease.time_left(NOW + 99)) == ("l", (), 0)
    assert list(await leases.held(NOW + 2, "l")) == [lease]
    assert list(await leases.held(NOW + 2, "none")) == []
    assert [one.key for one in await leases.held(NOW + 10)] == ["k"]


async def test_force(leases):
    await leases.take("k", "a", 10, NOW)
    await leases.take("k", "b", 10, NOW, wait=60)

    assert await leases.force("k", "hangs since noon", NOW + 1)

    assert await leases.why_lost("a") == "hangs since noon"
    assert not await leases.renew("k", "a", 10, NOW + 1)
    [lease] = await leases.held(NOW + 1)
    assert lease.holder == "b"
    assert await leases.why_lost("b") is None
    assert not await leases.force("free", "why not", NOW)
    assert not await leases.force("k", "too late", NOW + 60)


async def test_who_waits_is_called(leases):
    calls = []
    watch = leases.watch("b", lambda: calls.append("b"))
    await leases.take("k", "a", 10, NOW)
    await leases.take("k", "b", 10, NOW, wait=60)
    assert not calls

    await leases.drop("k", "a", NOW)
    assert calls
    watch.cancel()
    watch.cancel()


async def test_who_waits_is_called_when_somebody_else_finds_the_lease_run_out(leases):
    calls = []
    watch = leases.watch("b", lambda: calls.append("b"))
    await leases.take("k", "a", 10, NOW)
    await leases.take("k", "b", 10, NOW, wait=60)

    await leases.take("k", "c", 10, NOW + 10, wait=60)

    assert calls
    watch.cancel()


@pytest.mark.parametrize("name", [name for name in FACTORIES if name != "memory"])
async def test_who_waits_is_called_by_another_process(name, tmp_path):
    ours, theirs = FACTORIES[name](tmp_path), FACTORIES[name](tmp_path)
    await ours.open()
    await theirs.open()
    calls = []
    watch = ours.leases.watch("b", lambda: calls.append("b"))
    await theirs.leases.take("k", "a", 10, NOW)
    await ours.leases.take("k", "b", 10, NOW, wait=60)

    await theirs.leases.drop("k", "a", NOW)
    await until(lambda: calls)

    watch.cancel()
    await ours.close()
    await theirs.close()


@pytest.mark.parametrize("name", [name for name in FACTORIES if name != "memory"])
async def test_the_zone_of_a_session_changes_nothing(name, tmp_path, monkeypatch):
    london = FACTORIES[name](tmp_path)
    await london.open()
    await london.leases.take("k", "a", 60, NOW)
    monkeypatch.setenv("PGTZ", "Asia/Tokyo")
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    tokyo = FACTORIES[name](tmp_path)
    await tokyo.open()

    assert (await tokyo.leases.take("k", "b", 60, NOW + 59.5)).holder == "a"
    assert (await tokyo.leases.take("k", "b", 1, NOW + 60)).holder == "b"
    assert (await london.leases.take("k", "c", 1, NOW + 61)).holder == "c"

    await london.close()
    await tokyo.close()


async def test_expired_names_do_not_pile_up(leases):
    for number in range(2000):
        await leases.take(f"k{number}", f"h{number}", 0.5, NOW + number)

    assert [lease.key for lease in await leases.held(NOW + 1999)] == ["k1999"]
    if hasattr(leases, "_leases"):
        assert len(leases._leases) < 300


async def test_what_happened_can_be_read_newest_first(leases):
    await leases.take("leader:a", "one", 10, NOW)
    led = LeaseEvent("leader:a", "one", 1, NOW, "acquired")
    await leases.note(led)
    await leases.note(LeaseEvent("leader:b", "other", 2, NOW + 1.25, "lost", "it could not be renewed"))
    await leases.force("leader:a", "deploy", NOW + 2)

    newest, lost, first = await leases.history()
    assert (newest.key, newest.holder, newest.at, newest.event, newest.reason) == (
        "leader:a",
        "one",
        NOW + 2,
        "forced",
        "deploy",
    )
    assert (lost.at, lost.event, lost.reason) == (NOW + 1.25, "lost", "it could not be renewed")
    assert first == led
    assert list(await leases.history("leader:a")) == [newest, first]
    assert list(await leases.history(limit=1)) == [newest]
    assert list(await leases.history("leader:c")) == []


async def test_a_token_that_was_forced_away_is_that_of_the_lease(leases):
    lease = await leases.take("k", "a", 10, NOW)
    await leases.force("k", "hangs", NOW + 1)

    [event] = await leases.history("k")
    assert event.fence == lease.fence


async def test_the_history_is_bounded(leases):
    for number in range(LEASE_EVENTS + 20):
        await leases.note(LeaseEvent("k", "h", number, NOW + number, "acquired"))

    kept = await leases.history(limit=10 * LEASE_EVENTS)
    assert len(kept) == LEASE_EVENTS
    assert kept[0].fence == LEASE_EVENTS + 19


@pytest.mark.parametrize("name", [name for name in FACTORIES if name != "memory"])
async def test_the_history_outlives_the_process(name, tmp_path):
    for number in range(2):
        backend = FACTORIES[name](tmp_path)
        await backend.open()
        await backend.leases.take("k", f"h{number}", 10, NOW + number)
        assert await backend.leases.force("k", f"reason {number}", NOW + number + 0.5)
        found = [event.reason for event in await backend.leases.history()]
        await backend.close()

    assert found == ["reason 1", "reason 0"]
