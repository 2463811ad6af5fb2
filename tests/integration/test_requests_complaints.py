"""What users of background tasks complain about most, where no other module has it."""

import asyncio
import gc
import logging
import threading
import weakref

import pytest
from fastapi import FastAPI, HTTPException
from fastapi.testclient import TestClient
from starlette.middleware.base import BaseHTTPMiddleware
from support.recording import captured_log
from support.serving import serving
from support.waiting import ended, until, until_sync

from outlive import TaskManager, Tasks, TaskStatus, task_log


async def test_tasks_that_block_their_threads_keep_no_request_waiting(manager):
    app, go_on = FastAPI(), threading.Event()
    manager.init_app(app)

    @app.post("/")
    def schedule(tasks: Tasks):
        for _ in range(60):
            tasks.add_task(go_on.wait)
            tasks.schedule(go_on.wait)

    @app.get("/")
    def plain():
        return "answered"

    async with serving(app) as client:
        await client.post("/")
        await until(lambda: manager.store.count(TaskStatus.RUNNING) == 40)
        async with asyncio.timeout(10):
            answers = await asyncio.gather(*(client.get("/") for _ in range(50)))
        assert manager.store.count(TaskStatus.RUNNING) == 40
        go_on.set()
        await until(lambda: len(manager.store) == 0)

    assert {answer.json() for answer in answers} == {"answered"}


async def test_the_exception_of_a_task_is_seen_behind_other_middleware(manager):
    app = FastAPI()
    manager.init_app(app)
    for _ in range(2):
        app.add_middleware(BaseHTTPMiddleware, dispatch=lambda request, call_next: call_next(request))

    async def fails():
        raise LookupError("not to be lost")

    @app.get("/")
    async def endpoint(tasks: Tasks):
        tasks.schedule(fails)
        tasks.after_route.schedule(fails)
        tasks.add_task(fails)

    with captured_log("outlive.task") as lines:
        async with serving(app) as client:
            assert (await client.get("/")).status_code == 200
            records = [await ended(manager, record.id) for record in await manager.merged_list()]

    assert [(record.status, record.error) for record in records] == [(TaskStatus.FAILED, "not to be lost")] * 3
    assert [(line.levelno, line.exc_info[0]) for line in lines] == [(logging.ERROR, LookupError)] * 3


async def test_202_and_a_status_page_are_two_lines(manager):
    app, go_on = FastAPI(), asyncio.Event()
    manager.init_app(app)

    async def report(pages: int):
        task_log("half way")
        await go_on.wait()

    @app.post("/reports", status_code=202)
    async def order(pages: int, tasks: Tasks):
        return tasks.schedule(report, pages).id

    @app.get("/reports/{task_id}")
    async def status(task_id: str):
        if (record := await manager.get(task_id)) is None:
            raise HTTPException(404)
        return {"status": record.status, "log": [line.message for line in record.logs]}

    async with serving(app) as client:
        answer = await client.post("/reports?pages=3")
        page = f"/reports/{answer.json()}"

        async def seen():
            return (await client.get(page)).json()

        async def is_half_way():
            return await seen() == {"status": "running", "log": ["half way"]}

        await until(is_half_way)
        go_on.set()
        await ended(manager, answer.json())
        assert await seen() == {"status": "success", "log": ["half way"]}
        assert (await client.get("/reports/unknown")).status_code == 404

    assert answer.status_code == 202


def test_a_test_client_gets_its_answer_before_the_tasks_have_run_and_can_wait_for_them():
    app, manager, go_on, ran = FastAPI(), TaskManager(), threading.Event(), []
    manager.init_app(app)

    @app.get("/")
    def endpoint(tasks: Tasks):
        def work(word):
            go_on.wait()
            ran.append(word)

        tasks.add_task(work, "first")
        tasks.add_task(work, "second")
        return "answered"

    with TestClient(app) as client:
        assert client.get("/").json() == "answered"
        assert ran == []
        go_on.set()
        until_sync(lambda: len(manager.store) == 0)

    assert ran == ["first", "second"]


@pytest.mark.parametrize("mode", ["schedule", "after_response", "eager", "enqueue"])
async def test_a_running_task_is_kept_though_nobody_else_holds_it(manager, mode):
    app, waits, trail = FastAPI(), weakref.WeakSet(), []
    manager.init_app(app)

    async def work():
        future = asyncio.get_running_loop().create_future()
        waits.add(future)
        trail.append(await future)

    @app.get("/")
    async def endpoint(tasks: Tasks):
        match mode:
            case "schedule":
                tasks.schedule(work)
            case "after_response":
                tasks.after_response.schedule(work)
            case "eager":
                tasks.add_task(work, eager=True)
            case "enqueue":
                await manager.enqueue(work)

    async with serving(app) as client:
        await client.get("/")
        await until(lambda: len(waits) == 1)
        gc.collect()
        for future in waits:
            future.set_result("ended")
        await until(lambda: trail)
        await until(lambda: len(manager.store) == 0)

    assert trail == ["ended"]


class Payload:
    """An argument whose life can be watched."""


async def test_what_a_task_was_given_is_let_go_of_when_it_has_ended():
    manager, app = TaskManager(), FastAPI()
    manager.init_app(app)
    payloads: weakref.WeakSet[Payload] = weakref.WeakSet()

    async def work(payload):
        assert isinstance(payload, Payload)

    @app.get("/")
    async def endpoint(tasks: Tasks):
        for schedule in (tasks.schedule, tasks.after_route.schedule, tasks.add_task):
            payload = Payload()
            payloads.add(payload)
            schedule(work, payload)

    async with serving(app) as client:
        await client.get("/")
        await until(lambda: len(manager.store) == 0)

        def are_gone():
            gc.collect()
            return len(payloads) == 0

        await until(are_gone)
        assert [record.status for record in await manager.merged_list()] == [TaskStatus.SUCCESS] * 3
