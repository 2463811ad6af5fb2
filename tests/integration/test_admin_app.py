"""TaskAdmin beside what else an application has: routes, a lifespan, mounts, a prefix."""

import time
from contextlib import asynccontextmanager
from typing import Annotated, Any

import pytest
from fastapi import BackgroundTasks, Depends, FastAPI, Header, HTTPException
from fastapi.testclient import TestClient
from uuid_utils import uuid7

from outlive import ConfigError, MemoryBackend, NotInitializedError, TaskAdmin, TaskManager, Tasks
from outlive.core.moves import Cancel, Enqueue

DAY = 86_400.0


async def note(text: str) -> None: ...


def make_app(**options: Any) -> tuple[FastAPI, TaskManager]:
    manager = TaskManager()
    manager.task()(note)
    app = FastAPI(**options)

    @app.post("/notes")
    async def take(text: str, tasks: Tasks) -> str:
        return tasks.add_task(note, text)

    return app, manager


def serves_tasks(client: TestClient, prefix: str = "") -> bool:
    """Take two notes and find them, page by page, through the links that the list gives."""
    taken = [client.post(f"{prefix}/notes", params={"text": "hello"}).json() for _ in range(2)]
    first = client.get(f"{prefix}/tasks?limit=1&func=note")
    second = client.get(first.links["next"]["url"])
    return [*first.json(), *second.json()][0]["task_id"] == taken[1] and second.json()[0]["task_id"] == taken[0]


# -- routes ------------------------------------------------------------------------------------------


def test_routes_may_come_before_and_after():
    app, manager = make_app()

    @app.get("/before")
    async def before() -> str:
        return "before"

    TaskAdmin(app, manager)

    @app.get("/after")
    async def after() -> str:
        return "after"

    @app.post("/later")
    async def later(tasks: Tasks) -> str:
        return tasks.add_task(note, "later")

    with TestClient(app) as client:
        assert client.get("/before").json() == "before"
        assert client.get("/after").json() == "after"
        assert client.get(f"/tasks/{client.post('/later').json()}").status_code == 200
        assert serves_tasks(client)


def test_the_routes_are_not_in_the_schema_of_the_application():
    app, manager = make_app()
    TaskAdmin(app, manager)
    with TestClient(app) as client:
        assert list(client.get("/openapi.json").json()["paths"]) == ["/notes"]


def test_another_path():
    app, manager = make_app()
    TaskAdmin(app, manager, "/ops/background-tasks")
    with TestClient(app) as client:
        task_id = client.post("/notes", params={"text": "hello"}).json()
        client.post("/notes", params={"text": "hello"})
        first = client.get("/ops/background-tasks?limit=1")
        assert first.links["next"]["url"].startswith("/ops/background-tasks?")
        assert client.get(first.links["next"]["url"]).json()[0]["task_id"] == task_id
        assert client.get(f"/ops/background-tasks/{task_id}").status_code == 200
        assert client.get("/ops/background-tasks/metrics").json()["total"] == 2
        assert client.get("/tasks").status_code == 404


@pytest.mark.parametrize("path", ["", "/", "tasks", "/tasks/", "//tasks", "/{tenant}/tasks", "/tasks?x=1", "/my tasks"])
def test_a_path_that_names_no_place_is_refused(path):
    with pytest.raises(ConfigError, match="such as '/tasks'"):
        TaskAdmin(FastAPI(), TaskManager(), path)


def test_a_second_admin_is_refused():
    app, manager = make_app()
    TaskAdmin(app, manager)
    with pytest.raises(ConfigError, match="has a TaskAdmin already, at '/tasks'"):
        TaskAdmin(app, manager, "/other", auth=False)
    with TestClient(app) as client:
        assert serves_tasks(client)
        assert client.get("/other").status_code == 404


def test_two_applications_may_have_one_each():
    for _ in range(2):
        app, manager = make_app()
        TaskAdmin(app, manager)
        with TestClient(app) as client:
            assert serves_tasks(client)
            assert client.get("/tasks/metrics").json()["total"] == 2


# -- life --------------------------------------------------------------------------------------------


def test_the_manager_lives_inside_the_lifespan_of_the_application():
    seen = []

    @asynccontextmanager
    async def lifespan(app):
        seen.append(("opened", manager.is_started))
        yield
        seen.append(("closing", manager.is_started))

    app, manager = make_app(lifespan=lifespan)
    TaskAdmin(app, manager)
    with TestClient(app) as client:
        assert manager.is_started
        assert serves_tasks(client)

    assert seen == [("opened", False), ("closing", False)]
    assert not manager.is_started


def test_a_manager_that_was_initialised_before_is_left_as_it_is():
    app, manager = make_app()
    manager.init_app(app)
    TaskAdmin(app, manager)
    with TestClient(app) as client:
        assert serves_tasks(client)


def test_an_application_that_runs_already_is_too_late():
    app, manager = make_app()
    manager.init_app(app)
    other = TaskManager()
    with TestClient(app), pytest.raises(NotInitializedError, match="before it does"):
        TaskAdmin(app, other)


@pytest.mark.parametrize("installed", [True, False])
def test_plain_background_tasks_are_ours_only_where_that_was_asked_for(installed):
    app, manager = make_app()
    TaskAdmin(app, manager, auto_install=installed)

    @app.post("/plain")
    async def plain(background_tasks: BackgroundTasks) -> bool:
        background_tasks.add_task(note, "hello")
        return isinstance(background_tasks, Tasks)

    with TestClient(app) as client:
        assert client.post("/plain").json() is installed
        assert client.get("/tasks/metrics").json()["total"] == int(installed)


# -- retention ---------------------------------------------------------------------------------------


def cancelled_days_ago(days: float) -> list[Enqueue | Cancel]:
    task_id, then = str(uuid7()), time.time() - days * DAY
    return [Enqueue(task_id, "note", "note", then, then, recoverable=False), Cancel(task_id, then, "a test")]


def test_old_records_are_deleted():
    backend = MemoryBackend()
    old, new = cancelled_days_ago(3), cancelled_days_ago(1)
    backend.apply_now([*old, *new])
    app = FastAPI()
    TaskAdmin(app, TaskManager(backend), retention_days=2)

    with TestClient(app) as client:
        deadline = time.monotonic() + 20
        while client.get(f"/tasks/{old[0].id}").status_code != 404:
            assert time.monotonic() < deadline
        assert [task["task_id"] for task in client.get("/tasks").json()] == [new[0].id]


@pytest.mark.parametrize("days", [0, -1])
def test_a_retention_that_keeps_nothing_is_refused(days):
    with pytest.raises(ConfigError, match="must be more than 0"):
        TaskAdmin(FastAPI(), TaskManager(), retention_days=days)


def test_a_retention_is_refused_once_the_manager_runs():
    app, manager = make_app()
    manager.init_app(app)
    with TestClient(app), pytest.raises(ConfigError, match="before it starts"):
        TaskAdmin(app, manager, retention_days=2)


# -- prefixes ----------------------------------------------------------------------------------------


def test_behind_a_proxy_that_cuts_the_prefix_off():
    app, manager = make_app()
    TaskAdmin(app, manager)
    with TestClient(app, root_path="/api") as client:
        client.post("/notes", params={"text": "hello"})
        client.post("/notes", params={"text": "hello"})
        assert client.get("/tasks?limit=1").links["next"]["url"].startswith("/api/tasks?limit=1&before=")
        assert serves_tasks(client)


def test_behind_a_server_that_knows_its_prefix():
    app, manager = make_app()
    TaskAdmin(app, manager)
    with TestClient(app, root_path="/api") as client:
        client.post("/api/notes", params={"text": "hello"})
        client.post("/api/notes", params={"text": "hello"})
        assert client.get("/api/tasks?limit=1").links["next"]["url"].startswith("/api/tasks?limit=1&before=")
        assert serves_tasks(client, "/api")


@pytest.mark.parametrize("root_path", ["", "/api"])
@pytest.mark.parametrize("mount", ["/shop", "/shop/north", "/café"])
def test_in_an_application_that_is_mounted(root_path, mount):
    app, manager = make_app()
    TaskAdmin(app, manager)
    outer = FastAPI(lifespan=manager.lifespan)
    outer.mount(mount, app)

    with TestClient(outer, root_path=root_path) as client:
        assert serves_tasks(client, f"{root_path}{mount}")


def test_a_mounted_application_is_guarded_too():
    app, manager = make_app()
    TaskAdmin(app, manager)
    outer = FastAPI(lifespan=manager.lifespan)
    outer.mount("/shop", app)

    with TestClient(outer, client=("203.0.113.5", 1)) as client:
        assert client.get("/shop/tasks").status_code == 403
        assert client.get("/shop/tasks/metrics").status_code == 403


def test_dependencies_of_the_application_stay_in_force():
    async def tenant(x_tenant: Annotated[str, Header()] = "") -> None:
        if not x_tenant:
            raise HTTPException(400, "which tenant?")

    app, manager = make_app(dependencies=[Depends(tenant)])
    TaskAdmin(app, manager)
    with TestClient(app) as client:
        assert client.get("/tasks").status_code == 400
        assert client.get("/tasks", headers={"X-Tenant": "north"}).status_code == 200
