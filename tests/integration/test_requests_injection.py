"""Every way to ask for `Tasks` gives the request's one object, and only where the application asked for it."""

from typing import Annotated

import fastapi.routing
import pytest
from fastapi import APIRouter, BackgroundTasks, Depends, FastAPI, Request
from fastapi.testclient import TestClient
from support.recording import Trail
from support.serving import calling, serving

from outlive import ManagedBackgroundTasks, NotInitializedError, TaskManager, Tasks, add_tasks
from outlive.errors import FrameworkChangedError

manager = TaskManager()
seen: list[object] = []


def in_dependency(tasks: Tasks):
    seen.append(tasks)


async def in_async_dependency(tasks: Tasks):
    seen.append(tasks)


async def in_request_scope(tasks: Tasks):
    seen.append(tasks)
    yield
    seen.append(tasks)


def in_function_scope(tasks: Tasks):
    seen.append(tasks)
    yield
    seen.append(tasks)


async def by_annotation(tasks: Tasks):
    seen.append(tasks)


async def by_bare_depends(tasks: Tasks = Depends()):  # noqa: B008 - the form under test
    seen.append(tasks)


async def by_get_tasks(tasks: Annotated[Tasks, Depends(manager.get_tasks)]):
    seen.append(tasks)


async def by_default_get_tasks(tasks=Depends(manager.get_tasks)):  # noqa: B008 - the form under test
    seen.append(tasks)


async def by_background_tasks(tasks: Annotated[Tasks, Depends(manager.background_tasks)]):
    seen.append(tasks)


async def by_managed(tasks: ManagedBackgroundTasks):
    seen.append(tasks)


async def by_plain_background_tasks(tasks: BackgroundTasks):
    seen.append(tasks)


def in_plain_endpoint(tasks: Tasks):
    seen.append(tasks)


def in_plain_endpoint_by_depends(tasks: Tasks = Depends()):  # noqa: B008 - the form under test
    seen.append(tasks)


ENDPOINTS = [
    by_annotation,
    by_bare_depends,
    by_get_tasks,
    by_default_get_tasks,
    by_background_tasks,
    by_managed,
    by_plain_background_tasks,
    in_plain_endpoint,
    in_plain_endpoint_by_depends,
]

DEPENDENCIES = [
    Depends(in_dependency),
    Depends(in_async_dependency),
    Depends(in_request_scope, scope="request"),
    Depends(in_function_scope, scope="function"),
    Depends(by_bare_depends),
    Depends(by_get_tasks),
    Depends(by_background_tasks),
    Depends(by_managed),
    Depends(by_plain_background_tasks),
]


@pytest.mark.parametrize("endpoint", ENDPOINTS)
async def test_endpoint_and_all_dependencies_share_one_object(endpoint):
    app = FastAPI(dependencies=DEPENDENCIES)
    router = APIRouter()
    router.get("/")(endpoint)
    app.include_router(router)
    manager.init_app(app)

    seen.clear()
    async with serving(app) as client:
        answer = await client.get("/")

    assert answer.status_code == 200
    assert len(seen) == len(DEPENDENCIES) + 3, "the two generators look twice, the endpoint once"
    assert len({id(one) for one in seen}) == 1
    assert isinstance(seen[0], Tasks)


async def test_two_requests_have_two_objects():
    app = FastAPI()
    app.get("/")(by_annotation)
    manager.init_app(app)

    seen.clear()
    async with serving(app) as client:
        await client.get("/")
        await client.get("/")

    assert len(seen) == 2
    assert seen[0] is not seen[1]


@pytest.mark.parametrize("prepare", [lambda app: TaskManager().init_app(app, install=False), add_tasks])
async def test_plain_background_tasks_stay_starlettes_own_where_install_was_not_asked_for(prepare):
    app, trail = FastAPI(), Trail()
    prepare(app)

    @app.get("/")
    async def endpoint(background_tasks: BackgroundTasks, request: Request):
        assert type(background_tasks) is BackgroundTasks
        background_tasks.add_task(trail.mark, "ran")

    async with serving(app) as client:
        assert (await client.get("/")).status_code == 200

    assert trail == ["ran"]


async def test_install_turns_plain_background_tasks_into_recorded_ones(manager):
    app, trail = FastAPI(), Trail()
    manager.init_app(app, install=False)
    manager.install(app)

    @app.get("/")
    async def endpoint(background_tasks: BackgroundTasks):
        background_tasks.add_task(trail.mark, "ran")

    async with serving(app) as client:
        await client.get("/")
        (record,) = await manager.merged_list()

    assert record.func_name == "mark"


async def test_an_application_that_was_never_initialised_is_told_to_call_init_app():
    app = FastAPI()
    app.get("/")(by_annotation)

    with TestClient(app) as client, pytest.raises(NotInitializedError, match="init_app"):
        client.get("/")


@pytest.mark.parametrize("endpoint", [by_bare_depends, in_plain_endpoint])
async def test_every_form_of_asking_names_init_app_where_it_is_missing(endpoint):
    app = FastAPI()
    app.get("/")(endpoint)

    with TestClient(app) as client, pytest.raises(NotInitializedError, match="init_app"):
        client.get("/")


async def test_applications_in_one_process_do_not_capture_each_other():
    first_manager, second_manager = TaskManager(), TaskManager()
    first, second, stranger, trail = FastAPI(), FastAPI(), FastAPI(), Trail()
    for app in (first, second, stranger):

        @app.get("/{word}")
        async def endpoint(word: str, tasks: BackgroundTasks):
            tasks.add_task(trail.mark, word)
            return type(tasks).__name__

    first_manager.init_app(first)
    second_manager.init_app(second)
    async with serving(first) as one, serving(second) as two, calling(stranger) as other:
        answers = [(await client.get("/x")).json() for client in (one, two, other)]
        of_first, of_second = await first_manager.merged_list(), await second_manager.merged_list()

    assert answers == ["Tasks", "Tasks", "BackgroundTasks"]
    assert len(of_first) == len(of_second) == 1
    assert of_first[0].id != of_second[0].id


async def test_a_mounted_application_that_is_not_initialised_keeps_its_plain_background_tasks():
    outer, inner, trail = FastAPI(), FastAPI(), Trail()

    @inner.get("/")
    async def endpoint(tasks: BackgroundTasks):
        tasks.add_task(trail.mark, "ran")
        return type(tasks).__name__

    outer.mount("/inner", inner)
    TaskManager().init_app(outer)

    async with serving(outer) as client:
        assert (await client.get("/inner/")).json() == "BackgroundTasks"
    assert trail == ["ran"]


async def test_a_mounted_application_with_its_own_manager_uses_that_one():
    outer, inner, trail = FastAPI(), FastAPI(), Trail()
    outer_manager, inner_manager = TaskManager(), TaskManager()

    @inner.get("/")
    async def endpoint(tasks: Tasks):
        tasks.add_task(trail.mark, "ran")

    outer.mount("/inner", inner)
    outer_manager.init_app(outer)
    inner_manager.init_app(inner)

    async with serving(outer) as client, inner_manager:
        await client.get("/inner/")
        assert await outer_manager.merged_list() == []
        assert len(await inner_manager.merged_list()) == 1


async def test_dependency_overrides_replace_tasks_that_are_asked_for_by_depends():
    app, fake = FastAPI(), object()
    app.get("/")(by_get_tasks)
    manager.init_app(app)
    app.dependency_overrides[manager.get_tasks] = lambda: fake

    seen.clear()
    async with serving(app) as client:
        await client.get("/")

    assert seen == [fake]


async def test_the_openapi_document_is_the_same_with_and_without():
    def application() -> FastAPI:
        app = FastAPI()
        app.get("/{item}")(_described)
        return app

    plain, initialised = application(), application()
    manager.init_app(initialised)

    assert initialised.openapi() == plain.openapi()


async def _described(item: int, tasks: Tasks, other: Annotated[Tasks, Depends(manager.get_tasks)]) -> int:
    return item


def test_a_fastapi_without_the_seam_is_refused_when_a_manager_is_made(monkeypatch):
    monkeypatch.delattr(fastapi.routing, "solve_dependencies")
    with pytest.raises(FrameworkChangedError, match="upgrade outlive"):
        TaskManager()


async def test_a_fastapi_that_no_longer_asks_the_seam_is_refused_at_startup(monkeypatch):
    app = FastAPI()
    TaskManager().init_app(app)
    monkeypatch.setattr(fastapi.routing, "solve_dependencies", fastapi.routing.solve_dependencies.original)

    with pytest.raises(FrameworkChangedError, match="probe"):
        async with serving(app):
            pass
