"""Tests put something else in the place of a dependency."""
# ruff: noqa: B008 - the marker is the default

from typing import Annotated

import fast_depends
import pytest
from fastapi import Depends, FastAPI, Request
from fastapi.testclient import TestClient
from support import injected_bodies as bodies
from support.waiting import ended

from outlive import TaskFailed, TaskManager, TaskRouter, Tasks


def database():
    return "database"


def repository(db: Annotated[str, Depends(database)]):
    return f"repository of {db}"


async def coroutine(repo=Depends(repository), db=fast_depends.Depends(database)):
    return repo, db


def plain(repo=Depends(repository), db: Annotated[str, Depends(database)] = ""):
    return repo, db


async def fake():
    yield "fake"


REAL = ("repository of database", "database")
FAKE = ("repository of fake", "fake")


@pytest.mark.parametrize("body", [coroutine, plain])
async def test_an_override_takes_the_place_of_a_dependency_wherever_it_is_used(manager, body):
    async def result():
        return await (await manager.enqueue(body)).result(10)

    async with manager:
        assert await result() == REAL
        manager.dependency_overrides[database] = fake
        assert await result() == FAKE
        manager.dependency_overrides[database] = lambda: "another"
        assert await result() == ("repository of another", "another")
        manager.dependency_overrides[repository] = fake
        assert await result() == ("fake", "another")
        manager.dependency_overrides.clear()
        assert await result() == REAL


async def test_an_override_may_have_dependencies_and_ask_for_arguments(manager):
    def base():
        return "base"

    def other(number: int, name=Depends(base)):
        return f"{name} {number}"

    async def body(number: int, db=Depends(database)):
        return db

    manager.dependency_overrides[database] = other
    async with manager:
        assert await (await manager.enqueue(body, 7)).result(10) == "base 7"


async def test_an_override_may_use_what_its_original_uses(manager):
    def logged(db=Depends(database)):
        return f"logged {db}"

    async def body(repo=Depends(repository)):
        return repo

    manager.dependency_overrides[repository] = logged
    async with manager:
        assert await (await manager.enqueue(body)).result(10) == "logged database"


async def test_overrides_of_one_manager_are_its_own_and_reach_included_routers(backend_url):
    router = TaskRouter()
    router.task(name="coroutine")(coroutine)
    first, second = TaskManager(), TaskManager()
    for manager in (first, second):
        manager.include_router(router)
    first.dependency_overrides[database] = fake

    async with first, second:
        assert await (await first.enqueue(coroutine)).result(10) == FAKE
        assert await (await second.enqueue(coroutine)).result(10) == REAL


async def test_an_override_that_needs_a_request_fails_the_attempt_and_says_why(manager):
    def of_request(request: Request): ...

    manager.dependency_overrides[database] = of_request
    async with manager:
        task = await manager.enqueue(coroutine)
        with pytest.raises(TaskFailed, match="'request' is Request, but a task has no request"):
            await task.result(10)


def test_overrides_of_an_application_can_be_taken_over():
    manager, app, seen = TaskManager(), FastAPI(), []
    manager.init_app(app)

    async def work(db: str = Depends(database)):
        seen.append(db)

    @app.get("/")
    async def endpoint(tasks: Tasks, db: Annotated[str, Depends(database)]):
        tasks.after_route.schedule(work)
        return db

    app.dependency_overrides[database] = fake
    manager.dependency_overrides.update(app.dependency_overrides)
    with TestClient(app) as client:
        assert client.get("/").json() == "fake"
    assert seen == ["fake"]


async def test_overrides_travel_to_a_worker_process():
    manager = TaskManager(max_process_workers=1)

    async with manager:
        in_process = manager.using(executor="process")
        manager.dependency_overrides[bodies.place] = bodies.another_place
        assert await (await in_process.enqueue(bodies.which_place)).result(30) == 0

        manager.dependency_overrides[bodies.place] = lambda: 0
        task = await in_process.enqueue(bodies.which_place)
        record = await ended(manager, task.id)

        del manager.dependency_overrides[bodies.place]
        assert await (await in_process.enqueue(bodies.which_place)).result(30) > 0

    assert "<lambda> in dependency_overrides cannot travel to a worker process" in record.error
