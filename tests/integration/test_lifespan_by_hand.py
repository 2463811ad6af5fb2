"""A manager that is started by hand: no `init_app`, only `Depends(manager.get_tasks)` knows it."""

import pytest
from fastapi import Depends, FastAPI, HTTPException
from support.databases import FakeDatabase
from support.recording import Trail
from support.serving import Exchange
from support.waiting import turns, until

from outlive import NotInitializedError, TaskManager, Tasks, WouldDeadlockError
from outlive.core.moves import Enqueue


def application_by_hand(manager, trail):
    """Started by hand, no `init_app`: only `Depends(manager.get_tasks)` knows the manager."""
    app = FastAPI()

    @app.get("/{fate}")
    async def endpoint(fate: str, tasks: Tasks = Depends(manager.get_tasks)):  # noqa: B008 - the documented form
        tasks.schedule(trail.mark_async, "immediate")
        tasks.after_route.schedule(trail.mark_async, "after_route")
        tasks.after_response.schedule(trail.mark_async, "after_response")
        if fate == "raise":
            raise HTTPException(409)

    return app


async def test_without_init_app_get_tasks_commits_before_the_response():
    trail = Trail()
    database = FakeDatabase(on_apply=trail.mark_types)
    manager = TaskManager(database)
    app = application_by_hand(manager, trail)

    async with manager:
        await Exchange(app, "/return", on_send=lambda message: trail.mark(message["type"])).run()
        await until(lambda: "after_response" in trail)

    assert len(database.moves_of(Enqueue)) == 3
    before = trail[: trail.index("http.response.start")]
    assert before.count("Enqueue") == 3
    assert before.index("immediate") < before.index("after_route")


async def test_without_init_app_a_raised_error_drops_what_was_to_come_after(manager):
    trail = Trail()
    app = application_by_hand(manager, trail)

    async with manager:
        exchange = await Exchange(app, "/raise").run()
        await until(lambda: trail == ["immediate"])
        await until(lambda: len(manager.store) == 0)
        statuses = sorted(record.status for record in await manager.merged_list())

    assert exchange.status == 409
    assert statuses == ["cancelled", "cancelled", "success"]


async def test_without_init_app_waiting_for_a_later_task_in_the_endpoint_is_refused(manager):
    app = FastAPI()

    @app.get("/")
    async def endpoint(tasks: Tasks = Depends(manager.get_tasks)):  # noqa: B008 - the documented form
        with pytest.raises(WouldDeadlockError):
            await tasks.after_route.schedule(turns).result(5)

    async with manager:
        exchange = await Exchange(app).run()

    assert exchange.status == 200


async def test_without_init_app_all_of_a_request_share_one_object(manager):
    app, seen = FastAPI(), []

    async def dependency(tasks: Tasks = Depends(manager.get_tasks)):  # noqa: B008 - the documented form
        seen.append(tasks)

    @app.get("/", dependencies=[Depends(dependency)])
    async def endpoint(tasks=Depends(manager.background_tasks)):  # noqa: B008 - the documented form
        seen.append(tasks)

    async with manager:
        await Exchange(app).run()

    assert len(seen) == 2
    assert seen[0] is seen[1]


async def test_a_manager_that_was_never_started_says_so_when_something_is_scheduled():
    manager, app = TaskManager(), FastAPI()

    @app.get("/")
    async def endpoint(tasks: Tasks = Depends(manager.get_tasks)):  # noqa: B008 - the documented form
        with pytest.raises(NotInitializedError, match="not running"):
            tasks.add_task(turns)

    assert (await Exchange(app).run()).status == 200


async def test_a_start_that_fails_lets_go_of_the_backend(tmp_path):
    manager = TaskManager(f"sqlite:///{tmp_path}/tasks.db")

    async def cannot_join(*_):
        raise OSError("on purpose")

    manager.backend.join, join = cannot_join, manager.backend.join
    with pytest.raises(OSError, match="on purpose"):
        await manager.startup()
    assert not manager.is_started

    manager.backend.join = join
    async with manager:
        await (await manager.enqueue(turns)).result(timeout=5)
