"""`add_task`, the call that Starlette's users know: ids, order, options."""

import asyncio
import threading
from datetime import UTC, datetime
from typing import Any

import pytest
from fastapi import BackgroundTasks, FastAPI
from support.recording import Gate, Trail
from support.serving import serving
from support.waiting import ended, record_of, turns, until

from outlive import ManagedBackgroundTasks, TaskManager, Tasks, TaskStatus


async def test_the_id_that_is_returned_finds_the_record(manager):
    app = FastAPI()
    manager.init_app(app)

    @app.get("/")
    async def endpoint(tasks: ManagedBackgroundTasks):
        return tasks.add_task(_nothing, tags={"customer": "7"})

    async with serving(app) as client:
        record = await ended(manager, (await client.get("/")).json())

    assert record.status is TaskStatus.SUCCESS
    assert dict(record.tags) == {"customer": "7"}
    assert (record.func_name, record.timing, record.priority) == ("_nothing", "after_response", None)


@pytest.mark.parametrize("is_async", [True, False])
async def test_the_calls_of_a_request_run_one_after_the_other_in_their_order(manager, is_async):
    app, trail = FastAPI(), Trail()
    manager.init_app(app)

    async def work_async(number):
        trail.mark(f"begin {number}")
        await turns(5)
        trail.mark(f"end {number}")

    def work(number):
        trail.mark(f"begin {number}")
        threading.Event().wait(0.002)
        trail.mark(f"end {number}")

    @app.get("/")
    def endpoint(tasks: BackgroundTasks):
        for number in range(5):
            tasks.add_task(work_async if is_async or number == 2 else work, number)

    async with serving(app) as client:
        await client.get("/")
        await until(lambda: len(trail) == 10)

    assert trail == [f"{word} {number}" for number in range(5) for word in ("begin", "end")]


async def test_two_requests_do_not_wait_for_each_other(manager):
    app, gate, trail = FastAPI(), Gate(), Trail()
    manager.init_app(app)

    @app.get("/slow")
    async def slow(tasks: Tasks):
        tasks.add_task(gate.wait)

    @app.get("/fast")
    async def fast(tasks: Tasks):
        tasks.add_task(trail.mark_async, "ran")

    async with serving(app) as client:
        await client.get("/slow")
        await gate.entered.wait()
        await client.get("/fast")
        await until(lambda: trail == ["ran"])
        gate.open.set()


async def test_a_failing_call_does_not_hold_up_the_next(manager):
    app, trail = FastAPI(), Trail()
    manager.init_app(app)

    @app.get("/")
    async def endpoint(tasks: Tasks):
        tasks.add_task(_fails)
        tasks.add_task(trail.mark_async, "next")

    async with serving(app) as client:
        await client.get("/")
        await until(lambda: trail == ["next"])


async def test_the_wait_for_a_retry_does_not_hold_up_the_next(timed):
    app, trail = FastAPI(), Trail()
    timed.init_app(app)
    timed.task(retries=1, delay=3600)(_fails)

    @app.get("/")
    async def endpoint(tasks: Tasks):
        tasks.add_task(_fails)
        tasks.add_task(trail.mark_async, "next")

    async with serving(app) as client:
        await client.get("/")
        await until(lambda: trail == ["next"])
        assert timed.store.count(TaskStatus.PENDING) == 1, "the first one waits for its retry"


async def test_cancelling_a_call_that_waits_lets_the_next_one_run(manager):
    app, gate, trail, ids = FastAPI(), Gate(), Trail(), []
    manager.init_app(app)

    @app.get("/")
    async def endpoint(tasks: Tasks):
        tasks.add_task(gate.wait)
        ids.append(tasks.add_task(trail.mark_async, "cancelled"))
        tasks.add_task(trail.mark_async, "next")

    async with serving(app) as client:
        await client.get("/")
        await gate.entered.wait()
        assert await manager.cancel(ids[0])
        gate.open.set()
        await until(lambda: trail)

    assert trail == ["next"]


@pytest.mark.parametrize("options", [{"eager": True}, {"priority": 5}, {"priority": 0}])
async def test_eager_or_a_priority_starts_the_task_while_the_endpoint_runs(manager, options):
    app, gate = FastAPI(), Gate()
    manager.init_app(app)

    @app.get("/")
    async def endpoint(tasks: Tasks):
        task_id = tasks.add_task(gate.wait, **options)
        await asyncio.wait_for(gate.entered.wait(), 5)
        gate.open.set()
        return task_id

    async with serving(app) as client:
        answer = await client.get("/")
        record = await ended(manager, answer.json())

    assert answer.status_code == 200
    assert (record.status, record.timing) == (TaskStatus.SUCCESS, "immediate")
    assert record.priority == options.get("priority")


async def test_eager_on_the_definition_counts_too(manager):
    app, gate = FastAPI(), Gate()
    manager.init_app(app)

    @manager.task(eager=True)
    async def at_once():
        await gate.wait()

    @app.get("/")
    async def endpoint(tasks: Tasks):
        tasks.add_task(at_once)
        await asyncio.wait_for(gate.entered.wait(), 5)
        gate.open.set()

    async with serving(app) as client:
        assert (await client.get("/")).status_code == 200


async def test_eager_works_in_a_plain_endpoint(manager):
    app, ran = FastAPI(), threading.Event()
    manager.init_app(app)

    @app.get("/")
    def endpoint(tasks: Tasks):
        task_id = tasks.add_task(ran.set, eager=True)
        assert ran.wait(5), "the task runs while the endpoint still does"
        return task_id

    async with serving(app) as client:
        answer = await client.get("/")
        record = await ended(manager, answer.json())

    assert answer.status_code == 200
    assert record.status is TaskStatus.SUCCESS


@pytest.mark.parametrize("how", ["run_in", "run_at", "naive run_at"])
async def test_a_delayed_call_waits_for_its_time(timed, clock, how):
    app, trail = FastAPI(), Trail()
    timed.init_app(app)
    at = datetime.fromtimestamp(clock.now() + 600, UTC)
    options: dict[str, Any] = {
        "run_in": {"run_in": 600},
        "run_at": {"run_at": at},
        "naive run_at": {"run_at": at.replace(tzinfo=None)},
    }

    @app.get("/")
    async def endpoint(tasks: Tasks):
        return tasks.add_task(trail.mark_async, "late", **options[how])

    async with serving(app) as client:
        task_id = (await client.get("/")).json()
        clock.advance(599)
        await turns(50)
        waiting = await record_of(timed, task_id)
        clock.advance(1)
        record = await ended(timed, task_id)

    assert (waiting.status, waiting.run_at) == (TaskStatus.PENDING, at)
    assert record.status is TaskStatus.SUCCESS
    assert trail == ["late"]


async def test_a_delayed_call_does_not_hold_up_the_next(timed):
    app, trail = FastAPI(), Trail()
    timed.init_app(app)

    @app.get("/")
    async def endpoint(tasks: Tasks):
        tasks.add_task(trail.mark_async, "late", run_in=10)
        tasks.add_task(trail.mark_async, "next")

    async with serving(app) as client:
        await client.get("/")
        await until(lambda: trail == ["next"])


async def test_the_inline_keywords_do_not_reach_the_function_and_the_others_do(manager):
    app, got = FastAPI(), []
    manager.init_app(app)

    async def work(*args, **kwargs):
        got.append((args, kwargs))

    @app.get("/")
    async def endpoint(tasks: Tasks):
        tasks.add_task(work, 1, tags={"a": "b"}, queue="mail", func="mine", name="yours")
        tasks.task(name="label", queue="mail").schedule(work, tags={"a": "b"}, priority=3)

    async with serving(app) as client:
        await client.get("/")
        await until(lambda: len(got) == 2)
        records = await manager.merged_list()

    assert ((1,), {"func": "mine", "name": "yours"}) in got
    assert ((), {"tags": {"a": "b"}, "priority": 3}) in got
    assert {record.queue for record in records} == {"mail"}
    assert {record.label for record in records} == {None, "label"}


async def test_managed_background_tasks_can_be_made_around_starlettes_own(manager):
    app, trail = FastAPI(), Trail()

    @app.get("/")
    async def endpoint(background_tasks: BackgroundTasks):
        tasks = ManagedBackgroundTasks(manager, background_tasks)
        return tasks.add_task(trail.mark_async, "ran")

    async with manager, serving(app) as client:
        answer = await client.get("/")
        record = await ended(manager, answer.json())

    assert record.status is TaskStatus.SUCCESS


async def test_an_idempotency_key_is_accepted_once_while_its_task_lives(manager: TaskManager):
    app, gate = FastAPI(), Gate()
    manager.init_app(app)

    @app.get("/")
    async def endpoint(tasks: Tasks):
        tasks.add_task(gate.wait, idempotency_key="order-7")

    async with serving(app) as client:
        answers = [(await client.get("/")).status_code for _ in range(3)]
        records = await manager.merged_list()
        gate.open.set()

    assert answers == [200, 200, 200]
    assert len(records) == 1


async def _nothing():
    pass


async def _fails():
    raise OSError("on purpose")
