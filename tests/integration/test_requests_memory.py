"""What a request leaves in memory: nothing that would have to wait for the garbage collector."""

import asyncio
import gc
import weakref

import pytest
from fastapi import FastAPI
from support.recording import Trail
from support.serving import Exchange, serving
from support.waiting import until

from outlive import Tasks


@pytest.fixture
def _without_collector():
    gc.collect()
    gc.disable()
    yield
    gc.enable()


def schedule_on(tasks, mode, func, *args):
    if mode == "add_task":
        tasks.add_task(func, *args)
    elif mode == "schedule":
        tasks.schedule(func, *args)
    elif mode != "unused":
        getattr(tasks, mode).schedule(func, *args)


@pytest.mark.usefixtures("_without_collector")
@pytest.mark.parametrize("mode", ["unused", "schedule", "after_route", "after_response", "add_task"])
async def test_a_request_and_its_tasks_are_gone_when_they_are_over(manager, mode):
    app, trail = FastAPI(), Trail()
    manager.init_app(app)
    left = weakref.WeakSet()

    @app.get("/")
    async def endpoint(tasks: Tasks):
        schedule_on(tasks, mode, trail.mark_async, "ran")
        left.update([tasks, asyncio.current_task(), *manager.store])

    async with serving(app):
        await asyncio.create_task(Exchange(app).run())
        await until(lambda: not list(left))

    assert len(trail) == (mode != "unused")


async def test_the_scope_of_a_request_is_left_as_it_was(manager):
    app = FastAPI()
    manager.init_app(app)
    scopes = []

    @app.get("/")
    async def endpoint(tasks: Tasks):
        assert tasks is not None

    async def outside(scope, receive, send):
        await app(scope, receive, send)
        scopes.append(dict(scope))

    async with serving(app):
        await Exchange(outside).run()

    assert [value for value in scopes[0].values() if type(value).__module__.startswith("outlive")] == []
