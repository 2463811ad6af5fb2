"""What a lock is known by, what it keeps in memory, and on how many event loops it works."""

import asyncio
import gc
import os
import threading
import time
from functools import partial

import pytest
from support.waiting import turns, until

from outlive import TaskManager
from outlive.sync import LeaderElection, Lock, LockHeldError, TaskLock


@pytest.fixture
async def hold_for_ever():
    """Have somebody hold a lock until the test is over."""
    tasks = []

    async def hold(lock, entered):
        async with lock:
            entered.set()
            await asyncio.Event().wait()

    async def start(lock):
        entered = asyncio.Event()
        tasks.append(asyncio.create_task(hold(lock, entered)))
        await entered.wait()

    yield start
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


@pytest.mark.parametrize("kind", [Lock, TaskLock])
async def test_names_that_look_alike_are_different_locks(manager, kind, hold_for_ever):
    """Weakness 3.17: `a_b`, `a-b` and `a:b` became one lock."""
    names = ["a_b", "a-b", "a:b", "A_B", "a b", "a/b", "ä", "a" * 300]
    async with manager:
        for name in names:
            await hold_for_ever(kind(name))
        assert len(await manager.leases()) == len(names)


async def test_kinds_of_locks_do_not_exclude_each_other(manager):
    async with manager:
        leader = LeaderElection("x")
        manager.add_task(leader)
        await leader.wait_for_leader()
        async with Lock("x"), TaskLock("x"):
            assert {lease.key for lease in await manager.leases()} == {"leader:x", "lock:x", "tasklock:x"}


async def test_the_zone_of_a_process_changes_nothing(shared, monkeypatch, hold_for_ever):
    """Weakness 3.14: a process in Tokyo took a lock that one in London held."""
    london, tokyo = shared.instance(), shared.instance()
    try:
        async with london:
            await hold_for_ever(Lock("shop", backend=london.backend))
            monkeypatch.setenv("TZ", "Asia/Tokyo")
            monkeypatch.setenv("PGTZ", "Asia/Tokyo")
            time.tzset()
            async with tokyo:
                with pytest.raises(LockHeldError):
                    await Lock("shop").acquire_nowait()
                short = Lock("other", lease_duration=1)
                await short.acquire_nowait()
                [lease] = await tokyo.backend.leases.held(shared.clock.now(), "lock:other")
                assert lease.time_left(shared.clock.now()) == 1
    finally:
        monkeypatch.undo()
        time.tzset()
    assert "TZ" not in os.environ or os.environ["TZ"] != "Asia/Tokyo"


async def test_it_keeps_nothing_of_tasks_that_have_ended(manager):
    """Weakness 3.22: lock objects kept the numbers of dead tasks."""
    async with manager:
        lock = Lock("shop")

        async def use():
            async with lock:
                pass

        async def forget():
            await lock.acquire()

        for _ in range(100):
            await asyncio.create_task(use())
        await asyncio.create_task(forget())
        await until(_is_free(lock))
        gc.collect()
        assert len(lock._owners._holdings) == len(lock._owners._guards) == 0


def _is_free(lock):
    async def is_free():
        return not await lock.locked()

    return is_free


def test_one_lock_works_on_several_loops_one_after_the_other(backend_url):
    """Weakness 3.24: primitives belonged to the loop that saw them first."""
    lock, leader = Lock("shop"), LeaderElection("service")

    async def use():
        manager = TaskManager(backend_url)
        manager.add_task(leader)
        async with manager:
            await leader.wait_for_leader()
            async with lock:
                return lock.fencing_token

    assert all(asyncio.run(use()) for _ in range(3))


def test_one_lock_works_on_several_loops_at_the_same_time(tmp_path):
    lock, inside, most, ends = Lock("shop"), 0, 0, threading.Barrier(2)

    async def use():
        nonlocal inside, most
        async with TaskManager(f"sqlite:///{tmp_path}/tasks.db?synchronous=NORMAL"):
            for _ in range(10):
                async with lock:
                    inside += 1
                    most = max(most, inside)
                    await turns(3)
                    inside -= 1
        ends.wait(10)

    threads = [threading.Thread(target=partial(asyncio.run, use())) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert most == 1
    assert not ends.broken
