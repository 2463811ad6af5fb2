"""What is durable when: records before the response, starts before bodies."""

import asyncio
from typing import Any

import pytest
from fastapi import FastAPI
from support.databases import FakeDatabase
from support.recording import Trail
from support.serving import Exchange, serving
from support.waiting import turns, until

from outlive import TaskManager, Tasks
from outlive.core.moves import Enqueue, Start


@pytest.mark.parametrize("mode", ["immediate", "after_route", "after_response"])
async def test_records_are_committed_before_the_response_begins(mode):
    trail = Trail()
    database = FakeDatabase(on_apply=trail.mark_types)
    manager, app = TaskManager(database), FastAPI()
    manager.init_app(app)
    manager.task(name="work")(_nothing)

    @app.get("/")
    async def endpoint(tasks: Tasks):
        modes: dict[str, Any] = {
            "immediate": tasks,
            "after_route": tasks.after_route,
            "after_response": tasks.after_response,
        }
        modes[mode].schedule(_nothing)

    async with serving(app):
        await Exchange(app, on_send=lambda message: trail.mark(message["type"])).run()

    assert trail.order_of("Enqueue", "http.response.start") == ["Enqueue", "http.response.start"]


async def test_the_response_does_not_begin_while_the_commit_is_under_way():
    database = FakeDatabase()
    manager, app = TaskManager(database), FastAPI()
    manager.init_app(app)

    @app.get("/")
    async def endpoint(tasks: Tasks):
        tasks.after_response.schedule(_nothing)
        database.gate.clear()

    async with serving(app):
        exchange = Exchange(app)
        request = asyncio.create_task(exchange.run())
        await until(lambda: not database.gate.is_set() and database.attempts)
        await turns()
        assert exchange.sent == []
        database.gate.set()
        await request

    assert exchange.status == 200


async def test_no_body_begins_before_its_start_is_committed():
    database = FakeDatabase()
    manager, started_with = TaskManager(database), []

    async def body():
        at_once = [move for move in database.moves_of(Enqueue) if move.started_at is not None]
        started_with.append(len(at_once) + len(database.moves_of(Start)))

    async with manager:
        task = await manager.enqueue(body)
        await task.finished.wait()

    assert started_with == [1]


async def _nothing():
    pass
