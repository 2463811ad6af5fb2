"""The fate of a task never depends on the client staying connected."""

import asyncio
from typing import Any

import anyio
import pytest
from fastapi import FastAPI, Request
from fastapi.responses import FileResponse, StreamingResponse
from starlette.middleware.base import BaseHTTPMiddleware
from support.databases import FakeDatabase
from support.recording import Gate, Trail
from support.serving import Exchange, serving
from support.waiting import ended, turns, until

from outlive import TaskManager, Tasks, TaskStatus
from outlive.core.moves import Enqueue


def schedule_all(tasks, trail):
    tasks.schedule(trail.mark_async, "immediate")
    tasks.after_route.schedule(trail.mark_async, "after_route")
    tasks.after_response.schedule(trail.mark_async, "after_response")
    tasks.add_task(trail.mark_async, "add_task")


ALL = ["add_task", "after_response", "after_route", "immediate"]


async def test_a_client_that_leaves_during_a_slow_endpoint(manager):
    app, trail, gate = FastAPI(), Trail(), Gate()
    manager.init_app(app)

    @app.get("/")
    async def endpoint(tasks: Tasks, request: Request):
        schedule_all(tasks, trail)
        await request.body()
        await gate.wait()
        assert await request.is_disconnected()

    async with serving(app):
        exchange = Exchange(app)
        request = asyncio.create_task(exchange.run())
        await gate.entered.wait()
        exchange.client_gone.set()
        gate.open.set()
        await request
        await until(lambda: sorted(trail) == ALL)


async def test_a_client_that_leaves_in_the_middle_of_a_stream(manager):
    app, trail, first = FastAPI(), Trail(), asyncio.Event()
    manager.init_app(app)

    async def endless():
        while True:
            yield b"x"
            first.set()
            await turns(1)

    @app.get("/")
    async def endpoint(tasks: Tasks):
        schedule_all(tasks, trail)
        return StreamingResponse(endless())

    async with serving(app):
        exchange = Exchange(app)
        request = asyncio.create_task(exchange.run())
        await first.wait()
        exchange.client_gone.set()
        await request
        await until(lambda: sorted(trail) == ALL)


@pytest.mark.parametrize("kind", ["json", "stream", "file"])
async def test_a_client_that_leaves_while_the_first_byte_is_held_back(manager, kind):
    app, trail, gate = FastAPI(), Trail(), Gate()
    manager.init_app(app)
    answers: dict[str, Any] = {
        "json": dict,
        "stream": lambda: StreamingResponse(iter([b"x"])),
        "file": lambda: FileResponse(__file__),
    }

    async def slow():
        await gate.wait()
        trail.mark("slow")

    @app.get("/")
    async def endpoint(tasks: Tasks):
        tasks.after_route.schedule(slow)
        tasks.after_response.schedule(trail.mark_async, "after_response")
        return answers[kind]()

    async with serving(app):
        exchange = Exchange(app)
        request = asyncio.create_task(exchange.run())
        await gate.entered.wait()
        exchange.client_gone.set()
        await turns()
        assert trail == []
        gate.open.set()
        await request
        await until(lambda: len(trail) == 2)

    assert trail == ["slow", "after_response"]


@pytest.mark.parametrize("kind", ["json", "stream"])
async def test_a_client_that_leaves_while_other_middleware_is_around(manager, kind):
    app, trail, gate = FastAPI(), Trail(), Gate()
    manager.init_app(app)
    app.add_middleware(BaseHTTPMiddleware, dispatch=lambda request, call_next: call_next(request))

    async def slow():
        await gate.wait()
        trail.mark("slow")

    @app.get("/")
    async def endpoint(tasks: Tasks):
        tasks.after_route.schedule(slow)
        tasks.after_response.schedule(trail.mark_async, "after_response")
        return {} if kind == "json" else StreamingResponse(iter([b"x"]))

    async with serving(app):
        exchange = Exchange(app)
        request = asyncio.create_task(exchange.run())
        await gate.entered.wait()
        exchange.client_gone.set()
        await turns()
        gate.open.set()
        await asyncio.wait_for(request, 5)
        await until(lambda: len(trail) == 2)

    assert trail == ["slow", "after_response"]


async def test_a_connection_that_breaks_while_the_response_is_sent(manager):
    app, trail = FastAPI(), Trail()
    manager.init_app(app)

    async def broken_pipe(message):
        raise OSError("connection reset")

    @app.get("/")
    async def endpoint(tasks: Tasks):
        schedule_all(tasks, trail)

    async with serving(app):
        with pytest.raises(OSError, match="reset"):
            await Exchange(app, on_send=broken_pipe).run()
        await until(lambda: sorted(trail) == ALL)


@pytest.mark.parametrize("how", ["asyncio", "anyio"])
async def test_a_request_that_is_cancelled_while_its_records_are_committed_keeps_its_tasks(how):
    database, trail, app = FakeDatabase(), Trail(), FastAPI()
    manager = TaskManager(database)
    manager.init_app(app)

    @app.get("/")
    async def endpoint(tasks: Tasks):
        tasks.after_response.schedule(trail.mark_async, "after_response")
        tasks.add_task(trail.mark_async, "add_task")
        database.gate.clear()

    async with serving(app):
        cancel = await start_cancellable(Exchange(app).run, how)
        await until(lambda: not database.gate.is_set() and database.attempts)
        cancel()
        await turns()
        assert trail == []
        database.gate.set()
        await until(lambda: sorted(trail) == ["add_task", "after_response"])

    assert len(database.moves_of(Enqueue)) == 2


@pytest.mark.parametrize("how", ["asyncio", "anyio"])
async def test_a_request_that_is_cancelled_in_its_endpoint_counts_as_one_that_raised(manager, how):
    app, gate, ids = FastAPI(), Gate(), []
    manager.init_app(app)

    @app.get("/")
    async def endpoint(tasks: Tasks):
        ids.append(tasks.add_task(turns))
        ids.append(tasks.schedule(turns).id)
        ids.append(tasks.after_response.task(even_on_error=True).schedule(turns).id)
        await gate.wait()

    async with serving(app):
        cancel = await start_cancellable(Exchange(app).run, how)
        await gate.entered.wait()
        cancel()
        records = [await ended(manager, task_id) for task_id in ids]

    assert [record.status for record in records] == [TaskStatus.CANCELLED, TaskStatus.SUCCESS, TaskStatus.SUCCESS]


async def test_cancelling_a_request_does_not_cancel_the_tasks_that_it_started(manager):
    app, body, trail = FastAPI(), Gate(), Trail()
    manager.init_app(app)

    async def work():
        await body.wait()
        trail.mark("done")

    @app.get("/")
    async def endpoint(tasks: Tasks):
        tasks.schedule(work)
        await asyncio.Event().wait()

    async with serving(app):
        cancel = await start_cancellable(Exchange(app).run, "asyncio")
        await body.entered.wait()
        cancel()
        await turns()
        body.open.set()
        await until(lambda: trail == ["done"])


async def start_cancellable(function, how):
    """Run in the background and return what cancels it, by a cancel scope around it or from the event loop."""
    scopes: list[anyio.CancelScope] = []

    async def scoped():
        with anyio.CancelScope() as scope:
            scopes.append(scope)
            await function()

    running = asyncio.create_task(scoped())
    await until(lambda: scopes)
    return scopes[0].cancel if how == "anyio" else running.cancel
