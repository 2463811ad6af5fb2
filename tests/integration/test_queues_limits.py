"""Limits across instances: one key at a time, rates, queues that are limited as a whole."""

import asyncio

import pytest
from support.recording import Trail
from support.waiting import ended, record_of, turns, until

from outlive import QueueConfig, TaskArgumentError, TaskManager, TaskStatus


class Work:
    """Bodies under a name that stay until they are let out."""

    def __init__(self):
        self.inside = []
        self.most = {}
        self.out = asyncio.Event()

    async def stay(self, name: str) -> None:
        self.inside.append(name)
        self.most[name] = max(self.most.get(name, 0), self.inside.count(name))
        await self.out.wait()
        self.inside.remove(name)

    async def pass_by(self, name: str) -> None:
        self.inside.append(name)
        self.most[name] = max(self.most.get(name, 0), self.inside.count(name))
        await turns(2)
        self.inside.remove(name)


@pytest.fixture
async def work():
    return Work()


@pytest.mark.parametrize("limit", [1, 3])
async def test_runs_with_one_key_come_one_after_the_other_and_others_beside_them(backend_url, work, limit):
    manager = TaskManager(backend_url)
    manager.task(concurrency_key=lambda name: name, concurrency_limit=limit)(work.pass_by)

    async with manager:
        tasks = await manager.enqueue_many(work.pass_by, [[name] for name in "abc" * 12])
        for task in tasks:
            await task.result(10)

    assert work.most == dict.fromkeys("abc", limit)


async def test_a_key_may_be_text_given_with_the_call(backend_url, work):
    manager = TaskManager(backend_url)
    manager.task()(work.stay)

    async with manager:
        one = manager.using(concurrency_key="one")
        await one.enqueue(work.stay, "a")
        waiting = await one.enqueue(work.stay, "b")
        await manager.enqueue(work.stay, "c")
        await until(lambda: sorted(work.inside) == ["a", "c"])
        assert waiting.status is TaskStatus.PENDING
        work.out.set()
        await waiting.result(5)


async def test_arguments_without_a_key_have_no_limit(backend_url, work):
    manager = TaskManager(backend_url)
    manager.task(concurrency_key=lambda name: None)(work.stay)

    async with manager:
        await manager.enqueue_many(work.stay, [["a"], ["b"]])
        await until(lambda: len(work.inside) == 2)
        work.out.set()


@pytest.mark.parametrize("key", [pytest.param(lambda name: 7, id="no text"), pytest.param(lambda: "k", id="raises")])
async def test_a_key_that_cannot_be_used_refuses_the_call(manager, work, key):
    manager.task(concurrency_key=key)(work.stay)

    async with manager:
        with pytest.raises(TaskArgumentError, match="stay: its concurrency_key"):
            await manager.enqueue(work.stay, "a")


async def test_the_limit_of_a_key_holds_for_all_instances(shared, work):
    def instance():
        manager = shared.instance()
        manager.task(name="stay", concurrency_key=lambda name: name)(work.stay)
        return manager

    one, two = instance(), instance()
    async with one, two:
        first = await one.enqueue(work.stay, "a")
        await until(lambda: work.inside == ["a"])
        second = await two.enqueue(work.stay, "a")
        await two.enqueue(work.stay, "b")
        await until(lambda: work.inside == ["a", "b"])
        shared.clock.advance(1)
        await turns(200)
        assert (await record_of(two, second.id)).status is TaskStatus.PENDING
        work.out.set()
        await first.result(5)

        async def has_run():
            shared.clock.advance(1)
            return (await record_of(two, second.id)).is_final

        await until(has_run)
    assert work.most == {"a": 1, "b": 1}


async def test_a_recovered_run_has_the_limits_that_it_was_given(shared, work):
    def instance():
        manager = shared.instance()
        manager.task(name="stay")(work.stay)
        return manager

    async with instance() as one:
        await one.pause_queue("default")
        tasks = [await one.using(concurrency_key=lambda name: "k").enqueue(work.stay, name) for name in "ab"]
        await turns()

    async with instance() as two:
        await two.resume_queue("default")
        await until(lambda: len(work.inside) == 1)
        await turns(200)
        assert len(work.inside) == 1
        work.out.set()
        for task in tasks:
            assert (await ended(two, task.id)).status is TaskStatus.SUCCESS


async def test_a_queue_may_be_limited_in_all_instances_together(shared, work):
    def instance():
        manager = shared.instance(queues={"mail": QueueConfig(global_concurrency=3)}, queue="mail")
        manager.task(name="stay")(work.stay)
        return manager

    one, two = instance(), instance()
    async with one, two:
        tasks = [await manager.enqueue(work.stay, "a") for manager in (one, two) for _ in range(5)]
        await until(lambda: len(work.inside) == 3)
        shared.clock.advance(1)
        await turns(200)
        work.out.set()

        async def all_ended():
            shared.clock.advance(1)
            return all([(await record_of(one, task.id)).is_final for task in tasks])

        await until(all_ended)
    assert work.most == {"a": 3}


async def test_one_key_that_is_busy_does_not_hold_back_its_queue(shared, work):
    def instance():
        manager = shared.instance(queues={"mail": QueueConfig(global_concurrency=50)}, queue="mail")
        manager.task(name="stay", concurrency_key=lambda name: name)(work.stay)
        return manager

    one, two = instance(), instance()
    async with one, two:
        await one.enqueue(work.stay, "a")
        await until(lambda: work.inside == ["a"])
        await two.enqueue(work.stay, "a")
        for name in "bcdef":
            await two.enqueue(work.stay, name)
        await until(lambda: len(work.inside) == 6)
        work.out.set()

        def all_have_run():
            shared.clock.advance(1)
            return not two.store.list()

        await until(all_have_run)


async def test_no_more_start_in_a_time_than_its_rate_allows(backend_url, clock):
    manager, begun, starts = TaskManager(backend_url, clock=clock), clock.now(), []

    @manager.task(rate_limit="4/2s")
    async def work(number: int) -> None:
        starts.append((number, clock.now() - begun))

    async with manager:
        tasks = await manager.enqueue_many(work, [[number] for number in range(9)])
        await until(lambda: len(starts) == 4)
        await turns(200)
        assert len(starts) == 4

        def all_have_run():
            clock.advance(0.125)
            return len(starts) == 9

        await until(all_have_run)
        for task in tasks:
            await task.result(5)

    assert [number for number, _ in starts] == list(range(9))
    assert all(at >= 0.5 * (number - 3) for number, at in starts)


async def test_a_rate_holds_for_all_instances(shared):
    trail = Trail()

    def instance():
        manager = shared.instance()
        manager.task(name="mark", rate_limit="3/m")(trail.mark_async)
        return manager

    one, two = instance(), instance()
    async with one, two:
        for manager in (one, two):
            await manager.enqueue_many(trail.mark_async, [["x"]] * 4)
        await until(lambda: len(trail) == 3)
        await turns(300)
        assert len(trail) == 3
        begun = shared.clock.now()

        def one_more_has_run():
            shared.clock.advance(0.5)
            return len(trail) == 4

        await until(one_more_has_run)
        assert shared.clock.now() - begun >= 20
        assert one.store.list() or two.store.list()


async def test_a_place_is_free_again_when_its_instance_has_died(shared, work):
    def instance():
        manager = shared.instance()
        manager.task(name="stay", concurrency_key="k")(work.stay)
        return manager

    one, two = instance(), instance()
    async with two:
        async with one:
            held = await one.enqueue(work.stay, "a")
            await until(lambda: work.inside == ["a"])
            waiting = await two.enqueue(work.stay, "b")
            await one.backend.rescue(one.runtime.process.instance.id, shared.clock.now(), "taken for dead")

            async def runs():
                shared.clock.advance(1)
                return "b" in work.inside

            await until(runs)
            assert (await record_of(two, held.id)).status is TaskStatus.INTERRUPTED
            work.out.set()
        await waiting.result(5)
