"""One idempotency key, one run: everybody who comes with the key of a live or successful record is given that one."""

import asyncio

import pytest
from fastapi import FastAPI, HTTPException
from support.instances import declare
from support.recording import Gate, Trail
from support.serving import serving
from support.waiting import ended, record_of, until

from outlive import QueueConfig, QueueFullError, TaskManager, Tasks, TaskStatus


async def test_a_second_call_is_given_the_handle_of_the_first(manager):
    gate = Gate()

    async with manager:
        keyed = manager.using(idempotency_key="order-7")
        first = await keyed.enqueue(gate.wait)
        second = await keyed.enqueue(gate.wait)
        others = await keyed.enqueue_many(gate.wait, [(), ()])
        gate.open.set()
        await asyncio.gather(first.result(5), second.result(5))

    assert {second.id, *(task.id for task in others)} == {first.id}


async def test_a_call_after_success_is_given_the_record_that_succeeded(manager):
    trail = Trail()

    async with manager:
        keyed = manager.using(idempotency_key="order-7")
        first = await keyed.enqueue(trail.mark_async, "ran")
        await ended(manager, first.id)
        second = await keyed.enqueue(trail.mark_async, "ran")
        records = await manager.merged_list()

    assert trail == ["ran"]
    assert [record.id for record in records] == [first.id] == [second.id]
    assert second.status is TaskStatus.SUCCESS
    assert second.finished.is_set()


@pytest.mark.parametrize("end", ["failed", "cancelled"])
async def test_a_first_try_that_came_to_nothing_blocks_nobody(manager, end):
    trail, gate = Trail(), Gate()

    async def fails():
        await gate.wait()
        raise OSError

    async with manager:
        keyed = manager.using(idempotency_key="order-7")
        first = await keyed.enqueue(fails)
        await gate.entered.wait()
        if end == "cancelled":
            await first.cancel()
        gate.open.set()
        assert (await ended(manager, first.id)).status == end
        second = await keyed.enqueue(trail.mark_async, "ran")
        await second.result(5)

    assert second.id != first.id
    assert trail == ["ran"]


async def test_a_call_that_a_full_queue_has_rejected_runs_when_it_is_made_again(backend_url):
    manager, trail, gate = TaskManager(backend_url, queues={"mail": QueueConfig(1, max_size=1)}), Trail(), Gate()
    manager.task(name="wait", queue="mail")(gate.wait)
    manager.task(name="mark", queue="mail")(trail.mark_async)

    async with manager:
        await manager.enqueue(gate.wait)
        await gate.entered.wait()
        last = await manager.enqueue(gate.wait)
        keyed = manager.using(idempotency_key="order-7")
        for _ in range(2):
            with pytest.raises(QueueFullError):
                await keyed.enqueue(trail.mark_async, "ran")
        gate.open.set()
        await last.result(5)
        task = await keyed.enqueue(trail.mark_async, "ran")
        await task.result(5)
        await keyed.enqueue(trail.mark_async, "again")
        counts = await manager.counts()

    assert trail == ["ran"]
    assert counts[TaskStatus.REJECTED] == 2


async def test_an_endpoint_that_is_called_again_answers_with_the_same_record(manager):
    app, trail = FastAPI(), Trail()
    manager.init_app(app)

    @app.get("/{mode}")
    async def endpoint(mode: str, tasks: Tasks):
        if mode == "add_task":
            return tasks.add_task(trail.mark_async, mode, idempotency_key=mode)
        return getattr(tasks, mode).task(idempotency_key=mode).schedule(trail.mark_async, mode).id

    modes = ["add_task", "after_route", "after_response"]
    async with serving(app) as client:
        first = [(await client.get(f"/{mode}")).json() for mode in modes]
        for task_id in first:
            await ended(manager, task_id)
        again = [(await client.get(f"/{mode}")).json() for mode in modes]
        found = [(await record_of(manager, task_id)).id for task_id in again]
        records = await manager.merged_list()

    assert found == first
    assert sorted(trail) == sorted(modes)
    assert len(records) == 3


async def test_two_calls_in_one_request_are_one(manager):
    app, trail = FastAPI(), Trail()
    manager.init_app(app)

    @app.get("/")
    async def endpoint(tasks: Tasks):
        ids = [tasks.add_task(trail.mark_async, "ran", idempotency_key="order-7") for _ in range(2)]
        return [*ids, tasks.task(idempotency_key="order-7").schedule(trail.mark_async, "ran").id]

    async with serving(app) as client:
        ids = (await client.get("/")).json()
        await ended(manager, ids[0])

    assert len(set(ids)) == 1
    assert trail == ["ran"]


async def test_a_request_that_fails_takes_nothing_from_the_one_that_comes_after(manager):
    app, trail = FastAPI(), Trail()
    manager.init_app(app)
    inside, go_on = asyncio.Event(), asyncio.Event()

    @app.get("/fails")
    async def fails(tasks: Tasks):
        task = tasks.after_response.task(idempotency_key="order-7").schedule(trail.mark_async, "dropped")
        inside.set()
        await go_on.wait()
        raise HTTPException(400, task.id)

    @app.get("/works")
    async def works(tasks: Tasks):
        return tasks.after_response.task(idempotency_key="order-7").schedule(trail.mark_async, "ran").id

    async with serving(app) as client:
        failing = asyncio.create_task(client.get("/fails"))
        await inside.wait()
        answer = await client.get("/works")
        go_on.set()
        await failing
        record = await ended(manager, answer.json())

    assert record.status is TaskStatus.SUCCESS
    assert trail == ["ran"]


async def test_requests_at_one_time_from_threads_are_one(manager):
    app, gate = FastAPI(), Gate()
    manager.init_app(app)

    @app.get("/{key}")
    def endpoint(key: str, tasks: Tasks):
        return tasks.add_task(gate.wait, idempotency_key=key, eager=True)

    async with serving(app) as client:
        for key in ("k", "l", "m"):
            answers = await asyncio.gather(*(client.get(f"/{key}") for _ in range(8)))
            assert len({answer.json() for answer in answers}) == 1
        records = await manager.merged_list()
        gate.open.set()

    assert len(records) == 3


async def test_an_id_that_stands_for_another_record_can_be_asked_for_cancelled_and_requeued(shared):
    trail, gate = Trail(), Gate()
    here, there = shared.instance(), shared.instance()
    work, _ = declare(here, trail, gate), declare(there, trail, gate)

    async with here, there:
        first = await here.using(idempotency_key="order-7").enqueue(work, "here")
        await gate.entered.wait()
        app = FastAPI()
        there.init_app(app)

        @app.get("/")
        async def endpoint(tasks: Tasks):
            return tasks.add_task(there.registry.get_by_name("work")[0], "there", idempotency_key="order-7")

        async with serving(app) as client:
            alias = (await client.get("/")).json()
            assert alias != first.id
            assert (await record_of(there, alias)).id == (await record_of(here, alias)).id == first.id
            assert await here.cancel(alias, "enough")
            assert (await ended(here, alias)).reason == "enough"
            gate.open.set()
            await here.requeue(alias)
            assert (await ended(here, alias)).status is TaskStatus.SUCCESS

    assert set(trail) == {"here"}


async def test_a_handle_from_another_instance_becomes_one_of_the_record_that_holds_the_key(shared):
    trail, gate = Trail(), Gate()
    here, there = shared.instance(), shared.instance()
    works = [declare(one, trail, gate) for one in (here, there)]

    async with here, there:
        tasks = [
            await one.using(idempotency_key="order-7").enqueue(work, "ran")
            for one, work in zip((here, there), works, strict=True)
        ]
        assert tasks[1].id == tasks[0].id
        gate.open.set()
        await until(tasks[0].finished.is_set)
        await there.runtime.control.follow(tasks[1])

    assert tasks[1].status is TaskStatus.SUCCESS
    assert trail == ["ran"]


async def test_a_task_that_is_not_persisted_is_found_by_the_ids_that_stand_for_it_after_its_flush(tmp_path):
    trail = Trail()
    manager = TaskManager(f"sqlite:///{tmp_path}/tasks.db?synchronous=NORMAL")

    async with manager:
        keyed = manager.using(idempotency_key="order-7", persist=False)
        first = await keyed.enqueue(trail.mark_async, "ran")
        await first.result(5)
        app = FastAPI()
        manager.init_app(app)

        @app.get("/")
        async def endpoint(tasks: Tasks):
            task = tasks.after_response.task(idempotency_key="order-7", persist=False).schedule(trail.mark_async, "no")
            return task.id

        async with serving(app) as client:
            alias = (await client.get("/")).json()
            found = await record_of(manager, alias)

    async with TaskManager(f"sqlite:///{tmp_path}/tasks.db?synchronous=NORMAL") as later:
        stored = await record_of(later, alias)

    assert found.id == stored.id == first.id != alias
    assert trail == ["ran"]
