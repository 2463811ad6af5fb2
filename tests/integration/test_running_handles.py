"""The `Task` that accepting a run returns."""

import asyncio
import uuid

import pytest
from fastapi import FastAPI
from support.databases import FakeDatabase
from support.recording import Gate
from support.serving import serving
from support.waiting import ended, record_of, turns, until

from outlive import TaskArgumentError, TaskFailed, TaskManager, Tasks, TaskStatus, WouldDeadlockError


async def test_a_handle_says_what_runs(manager):
    async def double(number: int, *, times: int = 2) -> int:
        return number * times

    async with manager:
        task = await manager.using(retries=4).enqueue(double, 21, times=2)

        assert uuid.UUID(task.id).version == 7
        assert task.func is double
        assert (task.args, task.kwargs) == ((21,), {"times": 2})
        assert task.config.retries == 4
        assert "double" in repr(task)
        assert await task.result(5) == 42


async def test_a_handle_has_the_options_of_its_definition_under_those_of_the_call(manager):
    @manager.task(retries=4, tags={"area": "mail"})
    async def send() -> None: ...

    async with manager:
        named = await manager.using(name="monday", idempotency_key="k").enqueue(send)
        urgent = await manager.using(priority=3, retries=1).enqueue(send)

    assert (named.config.name, named.config.idempotency_key, named.config.retries) == ("monday", "k", 4)
    assert (urgent.config.priority, urgent.config.retries, urgent.config.tags) == (3, 1, {"area": "mail"})


async def test_the_task_gets_the_callers_own_objects(manager):
    given, got = object(), []

    async def take(thing):
        got.append(thing)

    async with manager:
        await (await manager.enqueue(take, given)).result(5)

    assert got[0] is given


async def test_started_and_finished_follow_the_run(manager):
    gate = Gate()

    async with manager:
        task = await manager.enqueue(gate.wait)
        await asyncio.wait_for(task.started.wait(), 5)
        assert not task.finished.is_set()
        gate.open.set()
        await asyncio.wait_for(task.finished.wait(), 5)

        assert task.started.is_set()
        assert task.status is TaskStatus.SUCCESS


async def test_events_that_are_asked_for_late_are_set_already(manager):
    async with manager:
        task = await manager.enqueue(turns)
        await ended(manager, task.id)
        await until(task.finished.is_set)

    assert task.started.is_set()


async def test_result_raises_task_failed_from_the_original_exception(manager):
    async def fails():
        raise KeyError("missing")

    async with manager:
        task = await manager.enqueue(fails)
        with pytest.raises(TaskFailed, match="missing") as caught:
            await task.result(5)

    assert isinstance(caught.value.__cause__, KeyError)
    assert task.id in str(caught.value)


async def test_result_waits_for_the_last_attempt(manager):
    attempts = []

    async def third_time():
        attempts.append(1)
        if len(attempts) < 3:
            raise OSError
        return "charm"

    async with manager:
        assert await (await manager.using(retries=2).enqueue(third_time)).result(5) == "charm"


async def test_result_gives_up_waiting_after_its_timeout_and_the_task_goes_on(manager):
    gate = Gate()

    async with manager:
        task = await manager.enqueue(gate.wait)
        with pytest.raises(TimeoutError):
            await task.result(0.02)
        gate.open.set()
        assert await task.result(5) is None


async def test_result_of_a_cancelled_task_says_so(manager):
    gate = Gate()

    async with manager:
        task = await manager.enqueue(gate.wait)
        await gate.entered.wait()
        await task.cancel("not needed any more")
        with pytest.raises(TaskFailed, match="not needed any more"):
            await task.result(5)


async def test_many_may_wait_for_one_result(manager):
    async def give():
        await turns()
        return 7

    async with manager:
        task = await manager.enqueue(give)
        assert await asyncio.gather(*(task.result(5) for _ in range(5))) == [7] * 5


async def test_durable_returns_when_the_record_is_committed():
    database = FakeDatabase()
    manager = TaskManager(database)
    app, states = FastAPI(), []
    manager.init_app(app)

    @app.get("/")
    async def endpoint(tasks: Tasks):
        for task in (tasks.schedule(turns), tasks.after_route.schedule(turns), tasks.after_response.schedule(turns)):
            assert not task.is_durable
            await task.durable()
            states.append((await record_of(manager, task.id)).id == task.id)

    async with serving(app) as client:
        answer = await client.get("/")

    assert answer.status_code == 200
    assert states == [True] * 3


@pytest.mark.parametrize("mode", ["after_route", "after_response"])
async def test_waiting_in_the_endpoint_for_what_comes_after_it_is_refused_with_the_remedy(manager, mode):
    app = FastAPI()
    manager.init_app(app)

    @app.get("/")
    async def endpoint(tasks: Tasks):
        task = getattr(tasks, mode).schedule(turns)
        with pytest.raises(WouldDeadlockError, match=r"tasks\.schedule"):
            await task.result(5)
        return task.id

    async with serving(app) as client:
        answer = await client.get("/")
        record = await ended(manager, answer.json())

    assert record.status is TaskStatus.SUCCESS


async def test_an_immediate_task_may_be_awaited_in_the_endpoint(manager):
    app = FastAPI()
    manager.init_app(app)

    async def double(number: int) -> int:
        return number * 2

    @app.get("/")
    async def endpoint(tasks: Tasks) -> int:
        return await tasks.schedule(double, 21).result(5)

    async with serving(app) as client:
        assert (await client.get("/")).json() == 42


async def test_another_task_may_wait_for_what_comes_after_the_response(manager):
    app = FastAPI()
    manager.init_app(app)

    async def give():
        return 7

    async def waits_for(task):
        return await task.result(5)

    @app.get("/")
    async def endpoint(tasks: Tasks):
        later = tasks.after_response.schedule(give)
        return tasks.schedule(waits_for, later).id

    async with serving(app) as client:
        answer = await client.get("/")
        record = await ended(manager, answer.json())

    assert record.status is TaskStatus.SUCCESS


async def test_the_handle_of_a_task_far_ahead_follows_it_when_its_time_comes(timed, clock):
    got = []

    @timed.task()
    async def work(thing: dict[str, int]) -> str:
        got.append(thing)
        return "done"

    async with timed:
        mine = {"a": 1}
        task = await timed.using(run_in=86_400).enqueue(work, mine)
        assert len(timed.store) == 0, "it is not held in memory"
        clock.advance(86_400)
        await asyncio.wait_for(task.finished.wait(), 5)
        assert await task.result(5) == "done"

    assert got[0] is mine, "while its process lives, a task gets the caller's own objects"


async def test_cancelling_a_task_far_ahead_finishes_its_handle(timed, clock):
    @timed.task()
    async def work() -> None: ...

    async with timed:
        by_handle, by_id = [await timed.using(run_in=86_400).enqueue(work) for _ in range(2)]
        assert await by_handle.cancel()
        assert await timed.cancel(by_id.id)
        for task in (by_handle, by_id):
            await asyncio.wait_for(task.finished.wait(), 5)
            assert task.status is TaskStatus.CANCELLED


async def test_an_argument_that_cannot_be_stored_is_refused_on_a_durable_backend(tmp_path):
    manager = TaskManager(str(tmp_path / "tasks.db"))

    @manager.task()
    async def work(thing: object) -> None: ...

    async with manager:
        with pytest.raises(TaskArgumentError, match="thing"):
            await manager.enqueue(work, object())
        assert await manager.merged_list() == []


async def test_an_argument_that_cannot_be_stored_is_fine_in_memory():
    manager, got = TaskManager(), []

    @manager.task()
    async def work(thing: object) -> None:
        got.append(thing)

    async with manager:
        thing = object()
        await (await manager.enqueue(work, thing)).result(5)

    assert got == [thing]


async def test_enqueue_many_accepts_all_or_nothing(manager):
    done = []

    @manager.task()
    async def work(number: int) -> None:
        done.append(number)

    async with manager:
        with pytest.raises(TypeError):
            await manager.enqueue_many(work, [[1], [2, "too many"]])
        assert await manager.merged_list() == []

        tasks = await manager.enqueue_many(work, [[1], {"number": 2}, (3,)])
        for task in tasks:
            await task.result(5)
        assert await manager.enqueue_many(work, []) == []

    assert sorted(done) == [1, 2, 3]
