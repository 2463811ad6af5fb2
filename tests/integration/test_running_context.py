"""What code inside a task finds: the caller's context, its own identity, its log."""

import asyncio
import contextvars
import re
import threading

import pytest
from fastapi import FastAPI
from support.recording import captured_log
from support.serving import serving
from support.waiting import ended, record_of, until

from outlive import TaskManager, Tasks, TaskStatus, get_task_context, task_log

user: contextvars.ContextVar[str] = contextvars.ContextVar("user", default="nobody")


@pytest.mark.parametrize("is_async", [True, False])
async def test_the_callers_context_variables_are_carried_into_the_task(manager, is_async):
    seen = []

    def look():
        seen.append(user.get())
        user.set("changed by the task")

    async def look_async():
        look()

    async with manager:
        user.set("ada")
        task = await manager.enqueue(look_async if is_async else look)
        user.set("bob")
        await task.finished.wait()

    assert seen == ["ada"], "as they were when the task was scheduled"
    assert user.get() == "bob", "the task has a copy"


@pytest.mark.parametrize("is_async", [True, False])
async def test_the_context_of_a_request_is_carried_into_its_tasks(manager, is_async):
    app, seen = FastAPI(), []
    manager.init_app(app)

    async def look():
        seen.append(user.get())

    async def endpoint_async(tasks: Tasks):
        user.set("eve")
        for schedule in (tasks.schedule, tasks.after_route.schedule, tasks.after_response.schedule, tasks.add_task):
            schedule(look)

    def endpoint(tasks: Tasks):
        user.set("eve")
        for schedule in (tasks.schedule, tasks.after_route.schedule, tasks.after_response.schedule, tasks.add_task):
            schedule(look)

    app.get("/")(endpoint_async if is_async else endpoint)
    async with serving(app) as client:
        await client.get("/")
        await until(lambda: len(seen) == 4)

    assert seen == ["eve"] * 4


async def test_each_attempt_starts_with_the_callers_context(manager):
    seen = []

    async def fails():
        seen.append(user.get())
        user.set("left over")
        raise OSError

    async with manager:
        user.set("ada")
        await ended(manager, (await manager.using(retries=2).enqueue(fails)).id)

    assert seen == ["ada"] * 3


@pytest.mark.parametrize("is_async", [True, False])
async def test_a_task_knows_which_run_and_which_attempt_it_is(manager, is_async):
    seen = []

    def look():
        context = get_task_context()
        assert context is not None
        seen.append((context.task_id, context.func_name, context.attempt, dict(context.tags)))
        if context.attempt < 1:
            raise OSError

    async def look_async():
        look()

    async with manager:
        func = look_async if is_async else look
        task = await manager.using(retries=1, tags={"customer": "7"}).enqueue(func)
        await task.finished.wait()

    name = "look_async" if is_async else "look"
    assert seen == [(task.id, name, 0, {"customer": "7"}), (task.id, name, 1, {"customer": "7"})]


async def test_outside_of_a_task_there_is_no_context_and_the_log_goes_to_the_logger():
    with captured_log("outlive.task") as lines:
        assert get_task_context() is None
        task_log("said outside", level="warning")

    assert [(line.getMessage(), line.levelname) for line in lines] == [("said outside", "WARNING")]


async def test_a_task_that_enqueues_another_does_not_leak_its_identity(manager):
    seen = []

    async def inner():
        context = get_task_context()
        assert context is not None
        seen.append(context.task_id)

    async def outer():
        return await manager.enqueue(inner)

    async with manager:
        inner_task = await (await manager.enqueue(outer)).result(5)
        await inner_task.finished.wait()

    assert seen == [inner_task.id]


@pytest.mark.parametrize("is_async", [True, False])
async def test_what_a_task_logs_stands_on_its_record(manager, is_async):
    def work():
        task_log("first")
        task_log("second", level="error", size=3, name="x")

    async def work_async():
        work()

    async with manager:
        record = await ended(manager, (await manager.enqueue(work_async if is_async else work)).id)

    assert [(line.level, line.message) for line in record.logs] == [
        ("info", "first"),
        ("error", "second size=3 name='x'"),
    ]
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ first", record.log_lines()[0])


async def test_a_thread_started_by_a_task_logs_to_the_same_record_if_it_carries_the_context(manager):
    async def work():
        await asyncio.gather(*(asyncio.to_thread(task_log, f"from thread {number}") for number in range(3)))

    def work_sync():
        context = contextvars.copy_context()
        thread = threading.Thread(target=context.run, args=(task_log, "from a thread"))
        thread.start()
        thread.join()

    async with manager:
        records = [await ended(manager, (await manager.enqueue(func)).id) for func in (work, work_sync)]

    assert sorted(line.message for line in records[0].logs) == [f"from thread {number}" for number in range(3)]
    assert [line.message for line in records[1].logs] == ["from a thread"]


async def test_a_separator_stands_before_the_lines_of_each_retry(manager):
    async def fails():
        context = get_task_context()
        assert context is not None
        task_log(f"try {context.attempt}")
        if context.attempt < 2:
            raise OSError

    async with manager:
        record = await ended(manager, (await manager.using(retries=2).enqueue(fails)).id)

    assert record.status is TaskStatus.SUCCESS
    lines = [line.split("Z ")[-1] for line in record.log_lines()]
    assert lines == ["try 0", "--- Retry 1 ---", "try 1", "--- Retry 2 ---", "try 2"]
    assert record.to_dict()["logs"] == record.log_lines()


async def test_the_log_can_be_read_while_the_task_runs(manager):
    go_on = asyncio.Event()

    async def work():
        task_log("begun")
        await go_on.wait()

    async def lines():
        record = await record_of(manager, task.id)
        return [line.message for line in record.logs]

    async with manager:
        task = await manager.enqueue(work)
        assert await until(lines) == ["begun"]
        go_on.set()


async def test_text_that_no_database_stores_is_made_storable(manager):
    async def work():
        task_log("nul \0 surrogate \udc80 end")
        raise OSError("nul \0 surrogate \udc80 end")

    async with manager:
        record = await ended(manager, (await manager.enqueue(work)).id)

    assert record.logs[0].message.startswith("nul ")
    assert record.logs[0].message.endswith(" end")
    assert str(record.error).endswith(" end")


async def test_an_unknown_level_is_refused_where_it_is_written(manager):
    async def work():
        task_log("x", level="loud")

    async with manager:
        record = await ended(manager, (await manager.enqueue(work)).id)

    assert "level='loud'" in str(record.error)


async def test_a_log_line_of_a_thread_that_outlives_its_task_is_kept():
    manager, go_on, threads = TaskManager(), threading.Event(), []

    def late():
        go_on.wait(20)
        task_log("after the end")

    def work():
        context = contextvars.copy_context()
        threads.append(threading.Thread(target=context.run, args=(late,)))
        threads[0].start()

    async def lines():
        record = await record_of(manager, task.id)
        return [line.message for line in record.logs]

    async with manager:
        task = await manager.enqueue(work)
        await task.finished.wait()
        go_on.set()
        assert await until(lines) == ["after the end"]
        threads[0].join()
