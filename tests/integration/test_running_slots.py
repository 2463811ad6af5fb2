"""How many bodies run at once, and whose turn it is."""

import asyncio
import threading
from datetime import timedelta

import pytest
from support.recording import Gate, Trail
from support.waiting import ended, record_of, turns, until

from outlive import ConfigError, TaskManager, TaskStatus


class Crowd:
    """Counts how many bodies are inside at once."""

    def __init__(self):
        self.inside = 0
        self.most = 0
        self.lock = threading.Lock()
        self.release = threading.Event()

    def enter(self):
        with self.lock:
            self.inside += 1
            self.most = max(self.most, self.inside)

    def leave(self):
        with self.lock:
            self.inside -= 1

    async def body(self):
        self.enter()
        await turns(3)
        self.leave()

    def thread_body(self):
        self.enter()
        self.release.wait(20)
        self.leave()


async def test_max_concurrent_tasks_is_never_exceeded_and_always_used(backend_url):
    crowd = Crowd()
    manager = TaskManager(backend_url, max_concurrent_tasks=3)

    async with manager:
        tasks = await manager.enqueue_many(crowd.body, [[]] * 30)
        for task in tasks:
            await task.result(10)

    assert crowd.most == 3


async def test_without_a_limit_coroutines_all_run_at_once(manager):
    gate, crowd = Gate(), Crowd()

    async def body():
        crowd.enter()
        await gate.wait()

    async with manager:
        await manager.enqueue_many(body, [[]] * 150)
        await until(lambda: crowd.most == 150)
        gate.open.set()


async def test_max_sync_threads_limits_plain_functions_only(backend_url):
    crowd, trail = Crowd(), Trail()
    manager = TaskManager(backend_url, max_sync_threads=2)

    async with manager:
        tasks = await manager.enqueue_many(crowd.thread_body, [[]] * 6)
        await until(lambda: crowd.inside == 2)
        await (await manager.enqueue(trail.mark_async, "coroutines go on")).result(5)
        assert manager.store.count(TaskStatus.PENDING) == 4
        crowd.release.set()
        for task in tasks:
            await task.result(10)

    assert crowd.most == 2


async def test_forty_threads_are_the_default():
    crowd, manager = Crowd(), TaskManager()

    async with manager:
        tasks = await manager.enqueue_many(crowd.thread_body, [[]] * 45)
        await until(lambda: crowd.inside == 40)
        await turns()
        assert crowd.inside == 40
        crowd.release.set()
        for task in tasks:
            await task.result(10)


async def test_a_task_that_waits_for_a_slot_is_pending_and_its_duration_is_that_of_its_body(timed, clock, backend_url):
    manager = TaskManager(backend_url, clock=clock, max_concurrent_tasks=1)
    gate = Gate()

    async with manager:
        first = await manager.enqueue(gate.wait)
        await gate.entered.wait()
        second = await manager.enqueue(turns)
        record = await record_of(manager, second.id)
        assert (record.status, record.start_time, record.attempts) == (TaskStatus.PENDING, None, 0)
        clock.advance(100)
        gate.open.set()
        records = [await ended(manager, task.id) for task in (first, second)]

    assert [record.duration for record in records] == [100, 0]
    assert records[1].start_time is not None
    assert records[1].start_time - records[1].created_at == timedelta(seconds=100)


async def test_tasks_of_one_priority_run_in_the_order_of_their_acceptance(backend_url):
    trail, gate = Trail(), Gate()
    manager = TaskManager(backend_url, max_concurrent_tasks=1)

    async with manager:
        await manager.enqueue(gate.wait)
        await gate.entered.wait()
        tasks = [await manager.enqueue(trail.mark_async, str(number)) for number in range(10)]
        gate.open.set()
        await tasks[-1].result(5)

    assert trail == [str(number) for number in range(10)]


async def test_a_higher_priority_runs_first(backend_url):
    trail, gate = Trail(), Gate()
    manager = TaskManager(backend_url, max_concurrent_tasks=1)

    async with manager:
        await manager.enqueue(gate.wait)
        await gate.entered.wait()
        for priority in (None, -1, 5, 1, 5):
            await manager.using(priority=priority).enqueue(trail.mark_async, str(priority))
        gate.open.set()
        await until(lambda: len(trail) == 5)

    assert trail == ["5", "5", "1", "None", "-1"]


async def test_a_newcomer_does_not_overtake_those_who_wait(backend_url):
    trail, gate = Trail(), Gate()
    manager = TaskManager(backend_url, max_concurrent_tasks=1)

    async def first():
        await gate.wait()
        await manager.enqueue(trail.mark_async, "newcomer")
        trail.mark("first")

    async with manager:
        await manager.enqueue(first)
        await gate.entered.wait()
        await manager.enqueue(trail.mark_async, "waited")
        gate.open.set()
        await until(lambda: len(trail) == 3)

    assert trail == ["first", "waited", "newcomer"]


async def test_what_exceeds_the_room_of_the_process_runs_when_there_is_room(backend_url):
    gate, done = Gate(), []
    manager = TaskManager(backend_url, room=5, max_concurrent_tasks=2)

    @manager.task()
    async def body(number: int) -> None:
        await gate.wait()
        done.append(number)

    async with manager:
        tasks = await manager.enqueue_many(body, [[number] for number in range(25)])
        assert len(manager.store) == 5
        gate.open.set()
        await until(lambda: all(task.finished.is_set() for task in tasks))

    assert sorted(done) == list(range(25))


async def test_a_fast_thread_pool_loses_nothing(manager):
    lock, done = threading.Lock(), []

    def body(number):
        with lock:
            done.append(number)

    async with manager:
        for _ in range(5):
            tasks = await manager.enqueue_many(body, [[number] for number in range(100)])
            await asyncio.gather(*(task.result(10) for task in tasks))

    assert len(done) == 500


@pytest.mark.parametrize("name", ["max_concurrent_tasks", "max_sync_threads"])
@pytest.mark.parametrize("value", [0, -1])
def test_a_limit_that_lets_nothing_run_is_refused(name, value):
    with pytest.raises(ConfigError, match=f"{name}={value}"):
        TaskManager(**{name: value})
