"""Elections: one leader, found soon after the last one is gone, and a body that does not lead any longer ends."""

import asyncio
import logging
import time

import pytest
from support.waiting import turns, until

from outlive import BackendUnavailableError, ConfigError, MemoryBackend, SqliteBackend, TaskManager
from outlive.sync import (
    ElectionNotRunningError,
    LeaderElection,
    LeadershipLostError,
    LockHeldError,
    LockLostError,
)


@pytest.fixture(params=["memory", "sqlite"])
async def backends(request, tmp_path):
    """As many processes as a test plays, by their backends."""
    if request.param == "memory":
        backend = MemoryBackend()
        return [backend, backend]
    path = tmp_path / "tasks.db"
    return [SqliteBackend(path, synchronous="NORMAL") for _ in range(2)]


def candidate(backend, **options):
    manager = TaskManager(backend)
    leader = LeaderElection("service", **options)
    manager.add_task(leader)
    return manager, leader


async def test_one_leads_and_the_other_follows_at_once_when_it_stops(backends):
    """Weaknesses 3.11 and 3.12: the old one said that it led; the new one waited for the whole lease."""
    (one, first), (two, second) = candidate(backends[0]), candidate(backends[1])
    await one.startup()
    await first.wait_for_leader()
    await two.startup()
    token = first.fencing_token
    await until(lambda: _has_waiter(second))
    assert not second.is_leader()

    begun = time.monotonic()
    await one.shutdown()
    assert not first.is_leader()
    await second.wait_for_leader()
    assert time.monotonic() - begun < 0.5
    assert second.fencing_token > token
    await two.shutdown()


async def _lease(leader):
    (lease,) = await leader._near.backend.leases.held(time.time(), "leader:service")
    return lease


async def _has_waiter(leader):
    return bool((await _lease(leader)).waiting)


async def _has_renewed(leader):
    """A condition that holds once the leadership was renewed twice from now on."""
    ends = {(await _lease(leader)).expires_at}

    async def has():
        ends.add((await _lease(leader)).expires_at)
        return len(ends) > 2

    return has


async def test_a_drained_instance_leads_on_until_one_at_work_waits_to_lead(backends):
    (one, first), (two, second) = (candidate(backend, retry_interval=0.05) for backend in backends)
    async with one:
        await first.wait_for_leader()
        token = first.fencing_token
        assert await one.drain_instance(one.runtime.process.instance.id)
        await until(await _has_renewed(first))
        assert first.fencing_token == token

        async with two:
            await second.wait_for_leader()
            assert not first.is_leader()
            assert (await _lease(second)).waiting == ()
            assert await two.drain_instance(two.runtime.process.instance.id)
            await until(await _has_renewed(second))
            assert second.is_leader()

            assert await one.resume_instance(one.runtime.process.instance.id)
            await first.wait_for_leader()


async def test_a_drained_leader_finishes_what_it_leads(backends):
    (one, first), (two, second) = (candidate(backend, retry_interval=0.05) for backend in backends)
    async with one, two:
        await first.wait_for_leader()
        await until(lambda: _has_waiter(second))
        async with first.lead():
            assert await one.drain_instance(one.runtime.process.instance.id)
            await until(await _has_renewed(first))
            assert first.is_leader()
        await second.wait_for_leader()


async def test_after_a_crash_another_leads_when_the_lease_ends(backends):
    manager, leader = candidate(backends[0])
    await manager.backend.open()
    taken = time.time()
    await manager.backend.leases.take("leader:service", "dead", 0.2, taken)
    async with manager:
        await leader.wait_for_leader()
        assert 0.2 <= time.time() - taken < 0.6


async def test_who_does_not_lead_is_told_and_not_kept_waiting(timed):
    leader = LeaderElection("service")
    timed.add_task(leader)
    async with timed:
        await leader.wait_for_leader()
        leader.guard()
        assert leader.is_running()
        async with leader:
            pass
        assert leader.is_leader()
        other = LeaderElection("service")
        timed.add_task(other)
        await turns()
        with pytest.raises(LockHeldError, match="wait_for_leader"):
            other.guard()
        with pytest.raises(LockHeldError):
            _ = other.fencing_token
        await other.wait_lose_leader()


async def test_an_election_that_does_not_run_is_an_error():
    """Weakness 3.13: what it gated never ran, and nobody was told."""
    leader = LeaderElection("service")
    for ask in (leader.wait_for_leader, leader.__aenter__, leader.lead().__aenter__):
        with pytest.raises(ElectionNotRunningError, match=r"call manager\.add_task\(leader\)"):
            await ask()
    with pytest.raises(ElectionNotRunningError):
        leader.guard()
    assert not leader.is_leader()
    assert not leader.is_running()
    await leader.wait_lose_leader()


async def test_who_waits_when_the_election_stops_is_told(timed):
    first, second = LeaderElection("service"), LeaderElection("service")
    timed.add_task(first)
    timed.add_task(second)
    async with timed:
        await first.wait_for_leader()
        waiting = asyncio.create_task(second.wait_for_leader())
        await turns()
        await second.stop()
        with pytest.raises(ElectionNotRunningError):
            await waiting


async def test_a_leader_that_cannot_renew_stops_to_be_one(timed, clock, monkeypatch, caplog):
    leader = LeaderElection("service", lease_duration=15, renew_deadline=10, retry_interval=2)
    timed.add_task(leader)
    async with timed:
        await leader.wait_for_leader()

        async def refuse(*given, **options):
            raise BackendUnavailableError("away")

        with monkeypatch.context() as patch:
            patch.setattr(type(timed.backend.leases), "take", refuse)
            clock.advance(9.9)
            await turns()
            assert leader.is_leader()
            clock.advance(0.1)
            assert not leader.is_leader(), "even before anything on the loop has noticed"
            await leader.wait_lose_leader()
        clock.advance(2)
        await until(leader.is_leader)
    assert len([line for line in caplog.records if "could not reach its backend" in line.message]) == 1
    assert "could not be renewed for 10 s" in caplog.text


async def test_a_body_ends_when_its_leadership_does(manager):
    """Weakness 3.10: it ran on to its end."""
    leader = LeaderElection("service", lease_duration=1, renew_deadline=0.5, retry_interval=0.02, backend_timeout=0.1)
    manager.add_task(leader)
    tokens = []

    async def work():
        async with leader.lead() as token:
            tokens.append(token)
            await leader.force_release("deploy")
            await asyncio.Event().wait()

    async with manager:
        with pytest.raises(LeadershipLostError) as caught:
            await work()
        assert isinstance(caught.value, LockLostError)
        await leader.wait_for_leader()
        assert leader.fencing_token > tokens[0]
        assert not asyncio.current_task().cancelling()


async def test_a_body_ends_when_the_manager_stops(manager):
    leader = LeaderElection("service")
    manager.add_task(leader)
    entered = asyncio.Event()

    async def work():
        async with leader.lead():
            entered.set()
            await asyncio.Event().wait()

    async with manager:
        working = asyncio.create_task(work())
        await entered.wait()
    with pytest.raises(LeadershipLostError):
        await working


async def test_what_a_leading_body_raises_is_its_own(manager):
    leader = LeaderElection("service")
    manager.add_task(leader)

    async def fail():
        async with leader.lead():
            raise KeyError("mine")

    async with manager:
        with pytest.raises(KeyError, match="mine"):
            await fail()
        async with leader.lead():
            pass
        assert leader.is_leader()
        held = await leader.holder()
        assert held is not None


async def test_the_deadline_counts_from_the_request(timed, clock, monkeypatch):
    """Weakness 3.18: it counted from the answer, so that two could lead at once."""
    leader = LeaderElection("service", lease_duration=15, renew_deadline=10, backend_timeout=9)
    timed.add_task(leader)
    kind = type(timed.backend.leases)
    take = kind.take

    async def slowly(*given, **options):
        lease = await take(*given, **options)
        clock.advance(8)
        return lease

    monkeypatch.setattr(kind, "take", slowly)
    async with timed:
        await leader.wait_for_leader()
        monkeypatch.undo()
        clock.advance(1.9)
        assert leader.is_leader()
        clock.advance(0.1)
        assert not leader.is_leader()


async def test_an_election_runs_again_with_its_manager(manager):
    leader = LeaderElection("service")
    manager.add_task(leader)
    manager.add_task(leader)
    for _ in range(2):
        async with manager:
            await leader.wait_for_leader()
        assert not leader.is_leader()


async def test_a_second_start_changes_nothing(manager, caplog):
    leader = LeaderElection("service")
    async with manager:
        manager.add_task(leader)
        await leader.wait_for_leader()
        leader.start(manager.coordination)
        assert "runs already" in caplog.text
        assert leader.is_leader()


async def test_the_log_has_what_happened(manager, caplog):
    caplog.set_level(logging.INFO, "outlive.sync")
    leader = LeaderElection("service")
    manager.add_task(leader)
    async with manager:
        await leader.wait_for_leader()
    assert "leads 'service' with token" in caplog.text
    assert "leads 'service' no more: stopped" in caplog.text


@pytest.mark.parametrize("thing", [print, "cleanup", None])
def test_only_elections_are_added(thing):
    with pytest.raises(TypeError, match=r"await manager\.enqueue\(func"):
        TaskManager().add_task(thing)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        pytest.param({"renew_deadline": 15}, "less than lease_duration=15", id="renew"),
        pytest.param({"retry_interval": 10}, "less than renew_deadline=10", id="retry"),
        pytest.param({"backend_timeout": 10}, "less than renew_deadline=10", id="timeout"),
        pytest.param({"error_interval": 0}, "error_interval=0", id="errors"),
        pytest.param({"lease_duration": -1}, "lease_duration=-1", id="lease"),
    ],
)
def test_options_that_cannot_work(options, message):
    with pytest.raises(ConfigError, match=message):
        LeaderElection("service", **options)
