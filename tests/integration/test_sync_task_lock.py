"""Task locks: once per interval, renewed while the block runs, held for a while after it."""

import asyncio
import time

import pytest
from support.waiting import until

from outlive import ConfigError
from outlive.sync import LockHeldError, LockLostError, LockNotOwnedError, LockReentrantError, TaskLock


@pytest.fixture
async def started(timed):
    async with timed:
        yield timed


async def in_task(work):
    return await asyncio.create_task(work)


async def enter(lock):
    async with lock:
        pass


async def test_it_is_held_for_its_minimum_after_the_block(started, clock):
    lock = TaskLock("turn", min_lock_seconds=5, max_lock_seconds=60)
    async with lock:
        clock.advance(12)
    assert await lock.locked()
    clock.advance(4.75)
    with pytest.raises(LockHeldError):
        await in_task(enter(lock))
    clock.advance(0.25)
    assert not await lock.locked()
    await in_task(enter(lock))


async def test_a_block_that_fails_holds_it_as_long(started, clock):
    lock = TaskLock("turn", min_lock_seconds=5)

    async def fail():
        async with lock:
            raise KeyError("mine")

    with pytest.raises(KeyError, match="mine"):
        await fail()
    assert await lock.locked()
    clock.advance(5)
    assert not await lock.locked()


async def test_nobody_waits_for_it(started):
    lock = TaskLock("turn")
    async with lock:
        assert lock.fencing_token > 0
        with pytest.raises(LockHeldError):
            await in_task(enter(lock))
        with pytest.raises(LockReentrantError):
            await enter(lock)
        with pytest.raises(LockHeldError):
            await enter(TaskLock("turn"))
    with pytest.raises(LockNotOwnedError):
        await lock.__aexit__(None, None, None)


async def test_after_a_crash_others_get_it_after_its_maximum(started, clock):
    await started.backend.leases.take("tasklock:turn", "dead", 60, clock.now())
    lock = TaskLock("turn")
    clock.advance(59.9)
    with pytest.raises(LockHeldError):
        await enter(lock)
    clock.advance(0.1)
    await enter(lock)


async def test_a_block_longer_than_the_maximum_does_not_overlap(manager):
    """Weakness 3.3: one second of work under a lock of 0.3 s ran three times at once."""
    async with manager:
        lock = TaskLock("turn", min_lock_seconds=0.05, max_lock_seconds=0.15)
        async with lock:
            first = await lock.holder()
            assert first is not None
            await until(lambda: time.time() > first.expires_at + 0.15)
            with pytest.raises(LockHeldError):
                await in_task(enter(lock))


async def test_a_lost_lock_ends_the_block(manager):
    async with manager:
        lock = TaskLock("turn", min_lock_seconds=0.05, max_lock_seconds=0.1)

        async def work():
            async with lock:
                await lock.force_release("deploy")
                await asyncio.Event().wait()

        with pytest.raises(LockLostError, match="forced: deploy"):
            await work()


async def test_from_threads(started, clock):
    lock = TaskLock("turn", min_lock_seconds=5)

    def work():
        with lock.from_thread:
            assert lock.from_thread.locked()

    def fail():
        with lock.from_thread:
            raise KeyError

    await asyncio.to_thread(work)
    with pytest.raises(LockHeldError):
        await asyncio.to_thread(work)
    clock.advance(5)
    with pytest.raises(KeyError):
        await asyncio.to_thread(fail)
    assert await lock.locked()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        pytest.param({"min_lock_seconds": 0}, "min_lock_seconds=0", id="least"),
        pytest.param({"max_lock_seconds": 0.5}, "must not be more than", id="order"),
    ],
)
def test_options_that_cannot_work(options, message):
    with pytest.raises(ConfigError, match=message):
        TaskLock("turn", **options)


async def test_two_instances_of_an_application(shared):
    first, second = shared.instance(), shared.instance()
    lock = TaskLock("turn", min_lock_seconds=5)
    async with first, second, TaskLock("turn", backend=first.backend):
        with pytest.raises(LockHeldError):
            await in_task(enter(lock))
