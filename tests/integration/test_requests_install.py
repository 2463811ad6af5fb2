"""Plain `BackgroundTasks` annotations in applications that asked for `Tasks`, wherever their routes come from."""

import pytest
from fastapi import APIRouter, BackgroundTasks, Depends, FastAPI
from support.recording import Trail
from support.serving import calling, serving

from outlive import TaskAdmin, TaskManager

INSTALL = {
    "install": lambda app, manager: manager.install(app),
    "init_app": lambda app, manager: manager.init_app(app),
    "auto_install": lambda app, manager: TaskAdmin(app, manager, auto_install=True),
}


@pytest.fixture(params=INSTALL)
def install(request):
    return INSTALL[request.param]


@pytest.fixture
def trail():
    return Trail()


@pytest.fixture
def route(trail):
    """Adds a route that asks for the plain class, itself and by a dependency, and says what it was given."""

    def route(place, path):
        def dependency(tasks: BackgroundTasks):
            return tasks

        @place.get(path)
        async def endpoint(background_tasks: BackgroundTasks, same: BackgroundTasks = Depends(dependency)):  # noqa: B008 - the form under test
            assert background_tasks is same
            background_tasks.add_task(trail.mark, path)
            return type(background_tasks).__name__

        return place

    return route


async def test_routes_before_and_after_and_those_of_routers(install, route, trail):
    app, manager = FastAPI(), TaskManager()
    before, inner, nested, after = (APIRouter(prefix=f"/{name}") for name in ("before", "inner", "nested", "after"))
    route(app, "/early")
    app.include_router(route(before, "/of-a-router"))
    install(app, manager)
    route(app, "/late")
    nested.include_router(route(inner, "/in-a-router"))
    app.include_router(nested, prefix="/v1")
    app.include_router(route(after, "/of-a-router"))

    async with serving(app) as client:
        paths = ["/early", "/before/of-a-router", "/late", "/v1/nested/inner/in-a-router", "/after/of-a-router"]
        route(app, "/while-running")
        answers = [(await client.get(path)).json() for path in [*paths, "/while-running"]]
        records = await manager.merged_list()

    assert answers == ["Tasks"] * 6
    assert [record.func_name for record in records] == ["mark"] * 6
    assert len(trail) == 6


async def test_two_applications_of_which_one_has_asked(install, route):
    asked, other, stranger = (route(FastAPI(), "/") for _ in range(3))
    manager, others = TaskManager(), TaskManager()
    TaskAdmin(other, others)
    install(asked, manager)

    async with serving(other) as two, serving(asked) as one, calling(stranger) as three:
        answers = [(await client.get("/")).json() for client in (one, two, three)]
        counts = [len(await one.merged_list()) for one in (manager, others)]

    assert answers == ["Tasks", "BackgroundTasks", "BackgroundTasks"]
    assert counts == [1, 0]


async def test_a_mounted_application_that_has_not_asked_keeps_its_own(install, route, trail):
    outer, inner, manager = route(FastAPI(), "/"), route(FastAPI(), "/"), TaskManager()
    outer.mount("/inner", inner)
    install(outer, manager)

    async with serving(outer) as client:
        assert [(await client.get(path)).json() for path in ("/", "/inner/")] == ["Tasks", "BackgroundTasks"]
        assert len(await manager.merged_list()) == 1

    assert trail == ["/", "/"]


async def test_a_mounted_application_that_has_asked_where_the_outer_one_has_not(install, route):
    outer, inner, manager = route(FastAPI(), "/"), route(FastAPI(), "/"), TaskManager()
    outer.mount("/inner", inner)
    TaskAdmin(outer, TaskManager())
    install(inner, manager)

    async with serving(outer) as client, manager:
        assert [(await client.get(path)).json() for path in ("/", "/inner/")] == ["BackgroundTasks", "Tasks"]
        assert len(await manager.merged_list()) == 1


async def test_two_managers_of_an_outer_and_a_mounted_application(install, route):
    outer, inner = route(FastAPI(), "/"), route(FastAPI(), "/")
    of_outer, of_inner = TaskManager(), TaskManager()
    outer.mount("/inner", inner)
    install(outer, of_outer)
    install(inner, of_inner)

    async with serving(outer) as client, of_inner:
        assert [(await client.get(path)).json() for path in ("/", "/inner/", "/inner/")] == ["Tasks"] * 3
        assert [len(await one.merged_list()) for one in (of_outer, of_inner)] == [1, 2]


async def test_one_manager_of_an_outer_and_a_mounted_application(install, route, trail):
    outer, inner, manager = route(FastAPI(), "/"), route(FastAPI(), "/"), TaskManager()
    outer.mount("/inner", inner)
    install(outer, manager)
    manager.init_app(inner)

    async with serving(outer) as client:
        assert [(await client.get(path)).json() for path in ("/", "/inner/")] == ["Tasks", "Tasks"]
        assert len(await manager.merged_list()) == 2

    assert trail == ["/", "/"]
