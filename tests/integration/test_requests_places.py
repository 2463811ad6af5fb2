"""Scheduling from places other than the endpoint: threads, generators, code that kept `tasks` for later."""

import asyncio
import threading
from typing import Any

import pytest
from fastapi import Depends, FastAPI, HTTPException
from fastapi.responses import StreamingResponse
from support.recording import Trail
from support.serving import Exchange, serving
from support.waiting import ended, until

from outlive import Tasks, TaskStatus

MODES = ["immediate", "after_route", "after_response", "add_task"]


def schedule_in(tasks, mode):
    calls: dict[str, Any] = {
        "immediate": tasks.schedule,
        "after_route": tasks.after_route.schedule,
        "after_response": tasks.after_response.schedule,
        "add_task": tasks.add_task,
    }
    return calls[mode]


@pytest.fixture(autouse=True)
async def thread_checks():
    """In debug mode the event loop refuses to be touched from a wrong thread."""
    loop = asyncio.get_running_loop()
    loop.set_debug(True)
    loop.slow_callback_duration = 10.0
    yield
    loop.set_debug(False)


@pytest.mark.parametrize("mode", MODES)
async def test_a_thread_that_the_endpoint_started(manager, mode):
    app, trail = FastAPI(), Trail()
    manager.init_app(app)

    @app.get("/")
    async def endpoint(tasks: Tasks):
        thread = threading.Thread(target=schedule_in(tasks, mode), args=(trail.mark_async, "ran"))
        thread.start()
        await asyncio.to_thread(thread.join)

    async with serving(app):
        await Exchange(app).run()
        await until(lambda: trail == ["ran"])


@pytest.mark.parametrize("mode", MODES)
async def test_a_plain_generator_that_streams_the_response(manager, mode):
    app, trail, at_end = FastAPI(), Trail(), []
    manager.init_app(app)

    @app.get("/")
    async def endpoint(tasks: Tasks):
        def chunks():
            yield b"x"
            schedule_in(tasks, mode)(trail.mark_async, "ran")

        return StreamingResponse(chunks())

    async def look(message):
        if message["type"] == "http.response.body" and not message.get("more_body"):
            at_end.append(len(await manager.merged_list()))

    async with serving(app):
        await asyncio.wait_for(Exchange(app, on_send=look).run(), 5)
        await until(lambda: trail == ["ran"])

    assert at_end == [1]


@pytest.mark.parametrize("mode", MODES)
async def test_a_plain_dependency_on_its_way_out(manager, mode):
    app, trail = FastAPI(), Trail()
    manager.init_app(app)

    def dependency(tasks: Tasks):
        yield
        schedule_in(tasks, mode)(trail.mark_async, "ran")

    @app.get("/", dependencies=[Depends(dependency)])
    async def endpoint(): ...

    async with serving(app):
        await asyncio.wait_for(Exchange(app).run(), 5)
        await until(lambda: trail == ["ran"])


@pytest.mark.parametrize("mode", MODES)
async def test_a_plain_dependency_on_its_way_out_of_a_request_that_failed(manager, mode):
    app, ids = FastAPI(), []
    manager.init_app(app)

    def dependency(tasks: Tasks):
        try:
            yield
        finally:
            accepted = schedule_in(tasks, mode)(_nothing)
            ids.append(getattr(accepted, "id", accepted))

    @app.get("/", dependencies=[Depends(dependency)])
    async def endpoint():
        raise HTTPException(409)

    async with serving(app):
        exchange = await asyncio.wait_for(Exchange(app).run(), 5)
        record = await ended(manager, ids[0])

    assert exchange.status == 409
    assert record.status is (TaskStatus.SUCCESS if mode == "immediate" else TaskStatus.CANCELLED)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("from_thread", [True, False])
async def test_code_that_kept_tasks_beyond_the_request(manager, mode, from_thread):
    app, trail, kept = FastAPI(), Trail(), []
    manager.init_app(app)

    @app.get("/")
    async def endpoint(tasks: Tasks):
        kept.append(tasks)

    async with serving(app):
        await Exchange(app).run()
        if from_thread:
            await asyncio.to_thread(schedule_in(kept[0], mode), trail.mark_async, "ran")
        else:
            schedule_in(kept[0], mode)(trail.mark_async, "ran")
        await until(lambda: trail == ["ran"])
        await until(lambda: len(manager.store) == 0)


@pytest.mark.parametrize("mode", MODES)
async def test_code_that_kept_used_tasks_beyond_a_request_that_failed(manager, mode):
    app, kept = FastAPI(), []
    manager.init_app(app)

    @app.get("/")
    async def endpoint(tasks: Tasks):
        tasks.schedule(_nothing)
        kept.append(tasks)
        raise HTTPException(409)

    async with serving(app):
        await Exchange(app).run()
        accepted = await asyncio.to_thread(schedule_in(kept[0], mode), _nothing)
        record = await ended(manager, getattr(accepted, "id", accepted))

    assert record.status is (TaskStatus.SUCCESS if mode == "immediate" else TaskStatus.CANCELLED)


@pytest.mark.parametrize("mode", MODES)
async def test_a_task_that_schedules_on_the_tasks_of_its_request(manager, mode):
    app, trail = FastAPI(), Trail()
    manager.init_app(app)

    async def outer(tasks):
        schedule_in(tasks, mode)(trail.mark_async, "inner")

    @app.get("/")
    async def endpoint(tasks: Tasks):
        tasks.after_response.schedule(outer, tasks)

    async with serving(app):
        await Exchange(app).run()
        await until(lambda: trail == ["inner"])


async def _nothing():
    pass
