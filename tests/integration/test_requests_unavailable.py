"""A backend that cannot take the tasks of a request: the client is told, and none of them runs."""

import asyncio
from typing import Any

import pytest
from fastapi import Depends, FastAPI, HTTPException, Request, Response
from fastapi.responses import JSONResponse
from support.databases import FakeDatabase
from support.recording import Gate, Trail
from support.serving import Exchange, calling, serving
from support.waiting import turns, until

from outlive import BackendUnavailableError, JournalFullError, OutliveError, TaskManager, Tasks
from outlive.core.moves import Enqueue, Settle


@pytest.fixture
def database():
    return FakeDatabase()


def shop(database, trail, **options):
    manager, app = TaskManager(database, **options), FastAPI()
    manager.init_app(app)

    @app.get("/{mode}")
    async def endpoint(mode: str, tasks: Tasks):
        schedule_in(tasks, mode)(trail.mark_async, mode)
        return "accepted"

    return manager, app


def schedule_in(tasks, mode):
    calls: dict[str, Any] = {
        "immediate": tasks.schedule,
        "after_route": tasks.after_route.schedule,
        "after_response": tasks.after_response.schedule,
        "add_task": tasks.add_task,
    }
    return calls[mode]


@pytest.mark.parametrize("mode", ["immediate", "after_route", "after_response", "add_task"])
async def test_the_client_gets_503_and_the_task_never_runs(database, mode):
    trail = Trail()
    manager, app = shop(database, trail)

    async with serving(app) as client:
        database.is_up = False
        answer = await client.get(f"/{mode}")
        database.is_up = True
        await turns()

        assert answer.status_code == 503
        assert "Retry-After" in answer.headers
        assert "BackendUnavailableError" in answer.json()["detail"]
        assert trail == []
        assert await manager.merged_list() == []
        assert len(manager.store) == 0

        assert (await client.get(f"/{mode}")).status_code == 200
        await until(lambda: trail == [mode])


async def test_an_application_with_a_handler_for_our_errors_answers_itself_and_nothing_runs(database):
    trail = Trail()
    _, app = shop(database, trail)

    @app.exception_handler(OutliveError)
    async def handle(request, error):
        return JSONResponse({}, 503)

    async with serving(app) as client:
        database.is_up = False
        answer = await client.get("/add_task")
        database.is_up = True
        await turns()

    assert answer.status_code == 503
    assert trail == []


async def test_one_refused_commit_takes_all_tasks_of_the_request_with_it(database):
    trail, app = Trail(), FastAPI()
    manager = TaskManager(database)
    manager.init_app(app)

    @app.get("/")
    async def endpoint(tasks: Tasks):
        first = tasks.after_response.schedule(trail.mark_async, "first")
        await first.durable()
        database.is_up = False
        tasks.after_route.schedule(trail.mark_async, "route")
        tasks.add_task(trail.mark_async, "second")

    async with serving(app) as client:
        answer = await client.get("/")
        database.is_up = True
        await until(lambda: len(manager.store) == 0)
        (record,) = await manager.merged_list()

    assert answer.status_code == 503
    assert trail == []
    assert record.status == "cancelled"
    assert "could be stored" in str(record.reason)


async def test_an_immediate_task_that_runs_already_goes_on_when_a_later_one_is_refused(database):
    trail, gate, app = Trail(), Gate(), FastAPI()
    manager = TaskManager(database)
    manager.init_app(app)

    async def work():
        await gate.wait()
        trail.mark("done")

    @app.get("/")
    async def endpoint(tasks: Tasks):
        tasks.schedule(work)
        await gate.entered.wait()
        database.is_up = False
        tasks.add_task(trail.mark_async, "never")

    async with serving(app) as client:
        answer = await client.get("/")
        database.is_up = True
        gate.open.set()
        await until(lambda: trail == ["done"])
        await turns()

    assert answer.status_code == 503
    assert trail == ["done"]


async def test_the_error_of_the_endpoint_is_reported_even_if_its_tasks_cannot_be(database):
    trail, app = Trail(), FastAPI()
    manager = TaskManager(database)
    manager.init_app(app)

    @app.get("/{kind}")
    async def endpoint(kind: str, tasks: Tasks):
        tasks.add_task(trail.mark_async, "never")
        database.is_up = False
        raise HTTPException(409) if kind == "http" else LookupError

    async with serving(app) as client:
        answers = [(await client.get(f"/{kind}")).status_code for kind in ("http", "unhandled")]
        database.is_up = True
        await until(lambda: len(manager.store) == 0)

    assert answers == [409, 500]
    assert trail == []


async def test_a_full_journal_answers_503_and_leaves_no_record(database):
    trail = Trail()
    manager, app = shop(database, trail, journal_capacity=2)

    async with serving(app) as client:
        database.gate.clear()
        waiting = [asyncio.create_task(client.get("/after_response")) for _ in range(2)]
        await until(lambda: len(manager.store) == 2)
        refused = [await client.get(f"/{mode}") for mode in ("immediate", "after_route", "add_task")]
        database.gate.set()
        accepted = [await request for request in waiting]
        await until(lambda: len(trail) == 2)

    assert [answer.status_code for answer in refused] == [503] * 3
    assert all("JournalFullError" in answer.json()["detail"] for answer in refused)
    assert [answer.status_code for answer in accepted] == [200] * 2
    assert len(database.moves_of(Enqueue)) == 2


async def test_the_endpoint_itself_may_handle_a_full_journal(database):
    app, trail = FastAPI(), Trail()
    manager = TaskManager(database, journal_capacity=1)
    manager.init_app(app)

    @app.get("/")
    async def endpoint(tasks: Tasks):
        tasks.schedule(trail.mark_async, "first")
        with pytest.raises(JournalFullError, match="journal_capacity"):
            tasks.schedule(trail.mark_async, "second")
        return "did without"

    async with serving(app) as client:
        answer = await client.get("/")
        await until(lambda: trail == ["first"])

    assert answer.json() == "did without"


async def test_a_full_journal_in_a_plain_endpoint_answers_503(database):
    app, trail = FastAPI(), Trail()
    manager = TaskManager(database, journal_capacity=1)
    manager.init_app(app)

    @app.get("/")
    def endpoint(tasks: Tasks):
        for _ in range(20):
            tasks.schedule(trail.mark_async, "one of them")

    async with serving(app) as client:
        database.gate.clear()
        request = asyncio.create_task(client.get("/"))
        await until(lambda: database.attempts)
        await turns(200)
        database.gate.set()
        answer = await request

    assert answer.status_code == 503
    assert len(trail) < 20


async def test_without_the_middleware_the_client_gets_503_too(database):
    app, trail = FastAPI(), Trail()
    manager = TaskManager(database)

    @app.get("/")
    async def endpoint(tasks: Tasks = Depends(manager.get_tasks)):  # noqa: B008 - the documented form
        tasks.add_task(trail.mark_async, "never")
        tasks.after_route.schedule(trail.mark_async, "never")

    async with manager, calling(app) as client:
        database.is_up = False
        answer = await client.get("/")
        database.is_up = True
        await turns()

    assert answer.status_code == 503
    assert trail == []


async def test_results_of_tasks_are_kept_until_the_backend_takes_them(database, clock):
    gate = Gate()
    manager = TaskManager(database, clock=clock)

    async with manager:
        task = await manager.enqueue(gate.wait)
        await gate.entered.wait()
        database.is_up = False
        gate.open.set()
        await until(lambda: database.attempts >= 2)
        for _ in range(5):
            before = database.attempts
            clock.advance(1)
            await until(lambda: database.attempts > before)  # noqa: B023 - called at once
        assert not task.finished.is_set()
        database.is_up = True
        clock.advance(1)
        await asyncio.wait_for(task.result(), 5)

    assert len(database.moves_of(Settle)) == 1


async def test_enqueue_outside_of_requests_raises_what_kept_it_from_being_accepted(database):
    manager = TaskManager(database)

    async with manager:
        database.is_up = False
        with pytest.raises(BackendUnavailableError):
            await manager.enqueue(turns)
        with pytest.raises(BackendUnavailableError):
            await manager.enqueue_many(turns, [[1], [2]])
        database.is_up = True
        assert await manager.merged_list() == []


async def test_a_response_that_has_begun_breaks_off_when_a_later_task_cannot_be_stored(database):
    """The client must not take the response for complete."""
    app, trail = FastAPI(), Trail()
    manager = TaskManager(database)
    manager.init_app(app)

    class SchedulesWhileSending(Response):
        async def __call__(self, scope, receive, send):
            await send({"type": "http.response.start", "status": 200, "headers": []})
            database.is_up = False
            (await manager.get_tasks(Request(scope))).add_task(trail.mark_async, "never")
            await send({"type": "http.response.body", "body": b"x"})

    @app.get("/")
    async def endpoint(tasks: Tasks):
        return SchedulesWhileSending()

    async with serving(app):
        exchange = Exchange(app)
        with pytest.raises(BackendUnavailableError):
            await exchange.run()
        database.is_up = True
        await turns()

    assert exchange.kinds == ["http.response.start"]
    assert trail == []
