"""What can be seen of locks and elections from outside: who holds, who waits, who led, and who was forced out."""

import asyncio

import pytest
from support.waiting import turns, until

from outlive import BackendUnavailableError
from outlive.sync import LeaderElection, Lock, LockLostError, TaskLock


async def hold(lock, until_then):
    async with lock:
        await until_then.wait()


async def test_holders_waiters_tokens_and_time_left(timed, clock):
    async with timed:
        over = asyncio.Event()
        lock = Lock("stock", worker="web-1", lease_duration=60)
        first = asyncio.create_task(hold(lock, over))
        await until(lock.locked)
        others = [asyncio.create_task(hold(Lock("stock", worker=f"web-{name}"), over)) for name in "23"]
        await until(lambda: _waiting(timed, 2))
        async with TaskLock("nightly", max_lock_seconds=30):
            clock.advance(4)
            held = {lease.key: lease for lease in await timed.leases()}

            assert list(held) == ["lock:stock", "tasklock:nightly"]
            stock = held["lock:stock"]
            assert stock.holder.startswith("web-1:")
            assert [name.split(":")[0] for name in stock.waiting] == ["web-2", "web-3"]
            assert stock.time_left(clock.now()) == 56
            assert held["tasklock:nightly"].fence > stock.fence > 0
        over.set()
        await asyncio.gather(first, *others)
        assert "lock:stock" not in [lease.key for lease in await timed.leases()]


async def _waiting(manager, count):
    return any(len(lease.waiting) == count for lease in await manager.leases())


async def test_who_led_is_known_after_a_restart(shared, clock):
    first, second = shared.instance(), shared.instance()
    leader = LeaderElection("service", worker="a")
    first.add_task(leader)
    async with first:
        await leader.wait_for_leader()
        token = leader.fencing_token
        clock.advance(1)

    heir = LeaderElection("service", worker="b")
    second.add_task(heir)
    async with second:
        await heir.wait_for_leader()
        found = await until(lambda: _history(second, 3))
        assert [(one.event, one.holder[0], one.reason) for one in found] == [
            ("acquired", "b", None),
            ("released", "a", "stopped"),
            ("acquired", "a", None),
        ]
        assert [one.fence for one in found] == [heir.fencing_token, token, token]
        assert found[1].at - found[2].at == 1
        assert await second.lease_history("leader:other") == []


async def _history(manager, count):
    found = await manager.lease_history("leader:service")
    return found if len(found) == count else None


async def test_a_leader_that_was_forced_out_is_in_the_history_with_the_reason(timed, clock):
    leader = LeaderElection("service", retry_interval=2)
    timed.add_task(leader)
    async with timed:
        await leader.wait_for_leader()
        token = leader.fencing_token
        await until(lambda: _history(timed, 1))
        assert await timed.force_release("leader:service", "hangs since noon")
        clock.advance(2)
        await until(lambda: leader.is_leader() and leader.fencing_token > token)

        found = await until(lambda: _history(timed, 4))
        assert [one.event for one in found] == ["acquired", "lost", "forced", "acquired"]
        assert (found[2].fence, found[2].reason) == (token, "hangs since noon")


async def test_a_loss_that_could_not_be_written_is_written_later(timed, clock, monkeypatch):
    leader = LeaderElection("service", lease_duration=15, renew_deadline=10, retry_interval=2)
    timed.add_task(leader)
    async with timed:
        await leader.wait_for_leader()

        async def refuse(*given, **options):
            raise BackendUnavailableError("away")

        with monkeypatch.context() as patch:
            for verb in ("take", "note"):
                patch.setattr(type(timed.backend.leases), verb, refuse)
            clock.advance(10)
            await leader.wait_lose_leader()
            await turns()
        clock.advance(2)
        await until(leader.is_leader)
        found = await until(lambda: _history(timed, 3))
        assert found[1].event == "lost"
        assert "could not be renewed for 10 s" in found[1].reason


async def test_a_lock_that_was_forced_away_is_in_the_history(manager):
    async with manager:
        lock = Lock("stock", lease_duration=0.3)
        tokens = []

        async def work():
            async with lock:
                tokens.append(lock.fencing_token)
                assert await manager.force_release("lock:stock", "hangs")
                await asyncio.Event().wait()

        with pytest.raises(LockLostError, match="forced: hangs"):
            await work()

        [event] = await manager.lease_history("lock:stock")
        assert (event.event, [event.fence], event.reason) == ("forced", tokens, "hangs")
        assert not await manager.force_release("lock:stock", "nobody has it")
        assert await manager.leases() == []
