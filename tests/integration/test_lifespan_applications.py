"""How a manager lives with the application that it belongs to."""

import asyncio
from contextlib import asynccontextmanager

import pytest
from fastapi import Depends, FastAPI
from fastapi.testclient import TestClient
from support.databases import FakeDatabase
from support.recording import Gate, Trail
from support.serving import Exchange, calling, http_scope, serving
from support.waiting import ended, record_of, turns, until, until_sync

from outlive import NotInitializedError, TaskConfig, TaskManager, Tasks, TaskStatus, add_tasks


def with_resources(trail, manager):
    """An application whose own lifespan opens and closes something."""

    @asynccontextmanager
    async def resources(app):
        trail.mark(f"resources open, manager {'runs' if manager.is_started else 'off'}")
        yield
        trail.mark(f"resources close, manager {'runs' if manager.is_started else 'off'}")

    return FastAPI(lifespan=resources)


async def test_the_manager_lives_inside_the_applications_own_lifespan(manager):
    trail = Trail()
    app = with_resources(trail, manager)
    manager.init_app(app)

    async with serving(app):
        assert manager.is_started

    assert trail == ["resources open, manager off", "resources close, manager off"]


async def test_a_task_that_runs_at_shutdown_still_finds_the_applications_resources(manager):
    trail, gate = Trail(), Gate()
    app = with_resources(trail, manager)
    manager.init_app(app)

    @manager.task(shield=True)
    async def needs_resources():
        await gate.wait()
        trail.mark("task done")

    async with serving(app):
        await manager.enqueue(needs_resources)
        await gate.entered.wait()
        asyncio.get_running_loop().call_later(0.05, gate.open.set)

    assert trail == ["resources open, manager off", "task done", "resources close, manager off"]


async def test_the_lifespan_state_of_the_application_reaches_its_requests(manager):
    @asynccontextmanager
    async def lifespan(app):
        yield {"pool": "open"}

    app = FastAPI(lifespan=lifespan)
    manager.init_app(app)

    async with app.router.lifespan_context(app) as state:
        assert state == {"pool": "open"}


def test_startup_and_shutdown_handlers_of_the_application_are_kept(manager):
    trail = Trail()
    app = FastAPI()
    app.router.on_startup.append(lambda: trail.mark("startup"))
    app.router.on_shutdown.append(lambda: trail.mark("shutdown"))
    manager.init_app(app)

    with TestClient(app):
        assert manager.is_started

    assert trail == ["startup", "shutdown"]


async def test_calling_init_app_twice_changes_nothing(manager):
    app, trail = FastAPI(), Trail()
    for _ in range(2):
        manager.init_app(app)

    @app.get("/")
    async def endpoint(tasks: Tasks):
        tasks.add_task(trail.mark_async, "ran")

    async with serving(app):
        await Exchange(app).run()
        await until(lambda: trail)
        await turns()

    assert trail == ["ran"]
    assert len(app.user_middleware) == 1


def test_init_app_after_the_application_has_started_says_so(manager):
    app = FastAPI()
    with TestClient(app), pytest.raises(NotInitializedError, match="before"):
        manager.init_app(app)


def test_one_application_may_be_started_again_and_again(manager):
    app = FastAPI()
    manager.init_app(app)

    @app.get("/")
    async def endpoint(tasks: Tasks):
        return tasks.add_task(turns)

    def statuses(client):
        return [client.portal.call(manager.get, task_id).status for task_id in ids]

    ids = []
    for _ in range(3):
        with TestClient(app) as client:
            ids.append(client.get("/").json())
            until_sync(lambda: set(statuses(client)) == {TaskStatus.SUCCESS})


def test_work_that_was_given_back_at_shutdown_runs_after_the_next_start(timed, clock):
    app, trail = FastAPI(), Trail()
    timed.init_app(app)

    @timed.task()
    async def work(word: str):
        trail.mark(word)

    @app.get("/")
    async def endpoint(tasks: Tasks):
        return tasks.add_task(work, "later", run_in=30)

    with TestClient(app) as client:
        task_id = client.get("/").json()
    clock.advance(30)
    with TestClient(app) as client:
        until_sync(lambda: client.portal.call(timed.get, task_id).status is TaskStatus.SUCCESS)

    assert trail == ["later"]


async def test_the_managers_own_lifespan_works_beside_init_app(manager):
    app, trail = FastAPI(lifespan=manager.lifespan), Trail()
    manager.init_app(app)

    @app.get("/")
    async def endpoint(tasks: Tasks):
        tasks.add_task(trail.mark_async, "ran")

    async with serving(app) as client:
        await client.get("/")
        await until(lambda: trail == ["ran"])

    assert not manager.is_started


@pytest.mark.parametrize("second_has_init_app", [True, False])
async def test_two_managers_of_one_application_each_get_their_own_tasks(second_has_init_app):
    app, first, second, trail = FastAPI(), TaskManager(), TaskManager(), Trail()
    first.init_app(app)
    if second_has_init_app:
        second.init_app(app)

    @app.get("/first")
    async def of_first(tasks: Tasks = Depends(first.get_tasks)):  # noqa: B008 - the documented form
        return tasks.add_task(trail.mark_async, "ran")

    @app.get("/second")
    async def of_second(tasks: Tasks = Depends(second.get_tasks)):  # noqa: B008 - the documented form
        return tasks.add_task(trail.mark_async, "ran")

    async with second, serving(app) as client:
        await client.get("/first")
        await client.get("/second")
        await until(lambda: len(trail) == 2)
        assert [len(await each.merged_list()) for each in (first, second)] == [1, 1]


async def test_add_tasks_alone_is_enough():
    app, trail = FastAPI(), Trail()
    manager = add_tasks(app, config=TaskConfig(retries=2))

    @app.get("/")
    async def endpoint(tasks: Tasks):
        task = tasks.after_response.schedule(trail.mark_async, "ran")
        return task.config.retries

    async with serving(app) as client:
        assert (await client.get("/")).json() == 2
        await until(lambda: trail == ["ran"])
        assert manager.is_started

    assert not manager.is_started


async def test_add_tasks_may_be_repeated_and_takes_a_manager(manager):
    app = FastAPI()
    assert add_tasks(app, manager=manager) is manager
    assert add_tasks(app, manager=manager) is manager

    async with serving(app):
        assert manager.is_started


async def test_a_bare_transport_without_lifespan_starts_the_manager_at_the_first_request(manager):
    app = FastAPI()
    manager.init_app(app)

    @app.get("/")
    async def endpoint(tasks: Tasks):
        return tasks.add_task(turns)

    async with calling(app) as client:
        answers = await asyncio.gather(*(client.get("/") for _ in range(5)))
        records = [await ended(manager, answer.json()) for answer in answers]
    await manager.shutdown()

    assert {record.status for record in records} == {TaskStatus.SUCCESS}


async def test_a_lazy_start_that_fails_fails_its_requests_and_the_next_one_tries_again():
    database, app = FakeDatabase(), FastAPI()
    manager = TaskManager(database)
    manager.init_app(app)
    opened = Gate()

    async def cannot_open():
        await opened.wait()
        raise OSError("no such host")

    @app.get("/")
    async def endpoint(tasks: Tasks):
        return tasks.add_task(turns)

    database.open = cannot_open
    async with calling(app) as client:
        requests = [asyncio.create_task(client.get("/")) for _ in range(3)]
        await opened.entered.wait()
        await turns()
        opened.open.set()
        done, hanging = await asyncio.wait(requests, timeout=5)
        assert not hanging
        failed = [request.result().status_code for request in done]
        del database.open
        worked = await client.get("/")
    await manager.shutdown()

    assert failed == [500] * 3
    assert worked.status_code == 200


async def test_a_backend_that_cannot_be_opened_keeps_the_application_from_starting(tmp_path):
    app = FastAPI()
    manager = TaskManager(str(tmp_path / "no" / "such" / "folder" / "tasks.db"))
    manager.init_app(app)

    with pytest.raises(Exception, match="folder"):
        async with serving(app):
            pass

    assert not manager.is_started


async def test_the_manager_as_context_manager_runs_tasks_without_any_application(manager):
    async def double(number: int) -> int:
        return number * 2

    async with manager:
        task = await manager.enqueue(double, 21)
        assert await task.result(5) == 42

    assert not manager.is_started
    with pytest.raises(NotInitializedError, match="init_app"):
        await manager.enqueue(double, 1)


async def test_starting_and_stopping_are_harmless_when_repeated(manager):
    await manager.startup()
    await manager.startup()
    await (await manager.enqueue(turns)).result(5)
    await manager.shutdown()
    await manager.shutdown()


async def test_two_starts_at_once_make_one_running_manager():
    manager = TaskManager(FakeDatabase())

    await asyncio.gather(manager.startup(), manager.startup())
    await (await manager.enqueue(turns)).result(5)
    await manager.shutdown()


async def test_other_kinds_of_connections_pass_through(manager):
    app = FastAPI()
    manager.init_app(app)
    app.mount("/inner", lambda scope, receive, send: _answer(send))

    async with serving(app):
        sent = []

        async def send(message):
            sent.append(message["type"])

        await app(http_scope("/inner/"), None, send)

    assert sent == ["http.response.start", "http.response.body"]


async def _answer(send):
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b""})


async def test_the_records_of_a_stopped_manager_are_there_when_it_runs_again(manager):
    async with manager:
        task = await manager.enqueue(turns)
        await ended(manager, task.id)
    async with manager:
        assert (await record_of(manager, task.id)).status is TaskStatus.SUCCESS
