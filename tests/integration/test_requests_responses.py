"""Tasks beside every kind of response, and with other middleware around."""

import asyncio
from pathlib import Path
from typing import Any

import pytest
from fastapi import BackgroundTasks, FastAPI, Request, Response
from fastapi.responses import FileResponse, JSONResponse, PlainTextResponse, StreamingResponse
from starlette.background import BackgroundTask
from starlette.middleware.base import BaseHTTPMiddleware
from starlette.middleware.gzip import GZipMiddleware
from support.recording import Gate, Trail
from support.serving import Exchange, serving
from support.waiting import ended, turns, until

from outlive import Tasks, TaskStatus


def stream():
    yield b"one"
    yield b"two"


RESPONSES = {
    "json": lambda: {"a": 1},
    "none": lambda: None,
    "plain": lambda: PlainTextResponse("text"),
    "204": lambda: Response(status_code=204),
    "304": lambda: Response(status_code=304),
    "stream": lambda: StreamingResponse(stream()),
    "file": lambda: FileResponse(Path(__file__)),
    "own background": lambda: JSONResponse({}, background=BackgroundTask(lambda: None)),
}


@pytest.mark.parametrize("kind", RESPONSES)
@pytest.mark.parametrize("method", ["GET", "HEAD"])
async def test_all_modes_run_once_with_every_kind_of_response(manager, kind, method):
    app, trail = FastAPI(), Trail()
    manager.init_app(app)

    @app.api_route("/", methods=["GET", "HEAD"])
    async def endpoint(tasks: Tasks):
        tasks.schedule(trail.mark_async, "immediate")
        tasks.after_route.schedule(trail.mark_async, "after_route")
        tasks.after_response.schedule(trail.mark_async, "after_response")
        tasks.add_task(trail.mark_async, "add_task")
        return RESPONSES[kind]()

    async with serving(app):
        exchange = await Exchange(app, method=method).run()
        await until(lambda: len(trail) >= 4)
        await turns()

    assert exchange.status in (200, 204, 304)
    assert sorted(trail) == ["add_task", "after_response", "after_route", "immediate"]
    assert trail[:2] == ["immediate", "after_route"]


async def test_the_background_task_of_a_response_runs_beside_ours(manager):
    app, trail = FastAPI(), Trail()
    manager.init_app(app)

    @app.get("/")
    async def endpoint(tasks: BackgroundTasks):
        tasks.add_task(trail.mark_async, "ours")
        return JSONResponse({}, background=BackgroundTask(trail.mark, "its own"))

    async with serving(app):
        await Exchange(app).run()
        await until(lambda: len(trail) >= 2)

    assert sorted(trail) == ["its own", "ours"]


async def test_after_route_ends_before_a_stream_begins_and_after_response_waits_for_its_last_chunk(manager):
    app, trail = FastAPI(), Trail()
    manager.init_app(app)

    async def chunks():
        for number in (1, 2):
            await turns(10)
            trail.mark(f"chunk {number}")
            yield b"x"

    @app.get("/")
    async def endpoint(tasks: Tasks):
        tasks.after_response.schedule(trail.mark_async, "after response")
        tasks.after_route.schedule(trail.mark_async, "after route")
        return StreamingResponse(chunks())

    async with serving(app):
        await Exchange(app, on_send=lambda message: trail.mark(message["type"].removeprefix("http."))).run()
        await until(lambda: "after response" in trail)

    body = "response.body"
    assert trail == [
        "after route",
        "response.start",
        "chunk 1",
        body,
        "chunk 2",
        body,
        body,
        "after response",
    ]


@pytest.mark.parametrize("mode", ["immediate", "after_route", "after_response", "add_task"])
async def test_a_task_that_is_scheduled_while_streaming_is_stored_before_the_response_ends(manager, mode):
    app, trail, at_end = FastAPI(), Trail(), []
    manager.init_app(app)

    @app.get("/")
    async def endpoint(tasks: Tasks):
        async def chunks():
            yield b"x"
            calls: dict[str, Any] = {
                "immediate": tasks.schedule,
                "after_route": tasks.after_route.schedule,
                "after_response": tasks.after_response.schedule,
                "add_task": tasks.add_task,
            }
            calls[mode](trail.mark_async, "ran")

        return StreamingResponse(chunks())

    async def look(message):
        if message["type"] == "http.response.body" and not message.get("more_body"):
            at_end.extend([len(await manager.merged_list()), list(trail)])

    async with serving(app):
        await Exchange(app, on_send=look).run()
        await until(lambda: trail == ["ran"])

    assert at_end[0] == 1, "the record is there before the last byte"
    if mode == "after_route":
        assert at_end[1] == ["ran"], "the end of the response waits for it"
    if mode in ("after_response", "add_task"):
        assert at_end[1] == []


async def test_tasks_that_are_first_asked_for_while_streaming_are_stored_before_the_response_ends(manager):
    app, trail, at_end = FastAPI(), Trail(), []
    manager.init_app(app)

    @app.get("/")
    async def endpoint(request: Request):
        async def chunks():
            yield b"x"
            (await manager.get_tasks(request)).add_task(trail.mark_async, "ran")

        return StreamingResponse(chunks())

    async def look(message):
        if message["type"] == "http.response.body" and not message.get("more_body"):
            at_end.append(len(await manager.merged_list()))

    async with serving(app):
        await Exchange(app, on_send=look).run()
        await until(lambda: trail == ["ran"])

    assert at_end == [1]


async def test_a_stream_that_breaks_off_keeps_the_tasks_of_its_endpoint(manager):
    app, trail = FastAPI(), Trail()
    manager.init_app(app)

    async def broken():
        yield b"x"
        raise OSError("the file is gone")

    @app.get("/")
    async def endpoint(tasks: Tasks):
        tasks.after_response.schedule(trail.mark_async, "ran")
        return StreamingResponse(broken())

    async with serving(app) as client:
        await client.get("/")
        await until(lambda: trail == ["ran"])


async def pass_through(request: Request, call_next):
    return await call_next(request)


def add_base_http(app):
    app.add_middleware(BaseHTTPMiddleware, dispatch=pass_through)


def add_gzip(app):
    app.add_middleware(GZipMiddleware, minimum_size=1)


def add_both(app):
    add_base_http(app)
    add_gzip(app)


@pytest.mark.parametrize("add", [add_base_http, add_gzip, add_both])
@pytest.mark.parametrize("when", ["before init_app", "after init_app"])
@pytest.mark.parametrize("kind", ["json", "stream"])
async def test_other_middleware_around_changes_nothing(manager, add, when, kind):
    app, trail = FastAPI(), Trail()
    if when == "before init_app":
        add(app)
    manager.init_app(app)
    if when == "after init_app":
        add(app)

    @app.get("/")
    async def endpoint(tasks: Tasks):
        tasks.add_task(trail.mark_async, "add_task")
        tasks.after_route.schedule(trail.mark_async, "after_route")
        return RESPONSES[kind]()

    async with serving(app):
        exchange = await Exchange(app, on_send=lambda message: trail.mark(message["type"])).run()
        await until(lambda: "add_task" in trail)

    assert exchange.status == 200
    assert trail[:2] == ["after_route", "http.response.start"]
    assert trail.count("add_task") == trail.count("after_route") == 1


@pytest.mark.parametrize("add", [add_base_http, add_gzip, add_both])
async def test_an_endpoint_that_raised_is_seen_through_other_middleware(manager, add):
    app, ids = FastAPI(), []
    add(app)
    manager.init_app(app)
    add(app)

    @app.get("/")
    async def endpoint(tasks: Tasks):
        ids.append(tasks.add_task(turns))
        return Response(status_code=500) if ids[1:] else app.not_there

    async with serving(app) as client:
        answers = [(await client.get("/")).status_code for _ in range(2)]
        records = [await ended(manager, task_id) for task_id in ids]

    assert answers == [500, 500]
    assert [record.status for record in records] == [TaskStatus.CANCELLED, TaskStatus.SUCCESS]


async def test_a_response_that_takes_long_to_be_taken_does_not_hold_immediate_tasks(manager):
    app, ran, slow_client = FastAPI(), asyncio.Event(), Gate()
    manager.init_app(app)

    async def work():
        ran.set()

    @app.get("/")
    async def endpoint(tasks: Tasks):
        tasks.schedule(work)

    async with serving(app):
        request = asyncio.create_task(Exchange(app, on_send=lambda _: slow_client.wait()).run())
        await asyncio.wait_for(ran.wait(), 5)
        assert not request.done()
        slow_client.open.set()
        await request
