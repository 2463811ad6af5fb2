"""What becomes of a request's tasks when the request goes wrong, and what its client gets."""

from typing import Annotated, Any

import pytest
from fastapi import Depends, FastAPI, HTTPException
from fastapi.responses import JSONResponse, StreamingResponse
from support.recording import Trail
from support.serving import Exchange, serving
from support.waiting import ended, until

from outlive import Tasks, TaskStatus

MODES = ["immediate", "after_route", "after_response", "add_task"]


class CustomError(Exception):
    pass


def raise_http_exception():
    raise HTTPException(409, "taken")


def raise_custom():
    raise CustomError("handled by the application")


def raise_unhandled():
    raise LookupError("nobody handles this")


class Shop:
    """An application that schedules one task in each mode and then fails."""

    def __init__(self, manager, fail, **options):
        self.app, self.trail, self.ids = FastAPI(), Trail(), {}
        manager.init_app(self.app)
        self.app.exception_handler(CustomError)(self.handle)
        self.manager = manager
        self.fail = fail
        self.options = options
        self.app.get("/")(self.endpoint)

    async def handle(self, request, error):
        return JSONResponse({"detail": str(error)}, 418)

    async def endpoint(self, tasks: Tasks):
        self.schedule(tasks)
        self.fail()

    def schedule(self, tasks):
        mark, options = self.trail.mark_async, self.options
        self.ids["immediate"] = tasks.task(**options).schedule(mark, "immediate").id
        self.ids["after_route"] = tasks.after_route.task(**options).schedule(mark, "after_route").id
        self.ids["after_response"] = tasks.after_response.task(**options).schedule(mark, "after_response").id
        self.ids["add_task"] = tasks.add_task(mark, "add_task")

    async def records(self):
        return {mode: await ended(self.manager, self.ids[mode]) for mode in MODES}


@pytest.mark.parametrize(("fail", "status"), [(raise_http_exception, 409), (raise_custom, 418), (raise_unhandled, 500)])
async def test_the_client_gets_its_error_and_only_the_immediate_task_runs(manager, fail, status):
    shop = Shop(manager, fail)

    async with serving(shop.app) as client:
        answer = await client.get("/")
        records = await shop.records()

    assert answer.status_code == status
    assert shop.trail == ["immediate"]
    assert records.pop("immediate").status is TaskStatus.SUCCESS
    for record in records.values():
        assert record.status is TaskStatus.CANCELLED
        assert "endpoint that scheduled it raised" in str(record.reason)
        assert record.attempts == 0


@pytest.mark.parametrize(("fail", "status"), [(raise_http_exception, 409), (raise_custom, 418), (raise_unhandled, 500)])
async def test_even_on_error_keeps_the_tasks_of_a_failed_endpoint(manager, fail, status):
    shop = Shop(manager, fail, even_on_error=True)

    async with serving(shop.app) as client:
        answer = await client.get("/")
        records = await shop.records()

    assert answer.status_code == status
    assert sorted(shop.trail) == ["after_response", "after_route", "immediate"]
    assert records["add_task"].status is TaskStatus.CANCELLED, "it was scheduled without the option"


async def test_even_on_error_may_stand_on_the_definition(manager):
    app, trail = FastAPI(), Trail()
    manager.init_app(app)

    @manager.task(even_on_error=True)
    async def report():
        trail.mark("reported")

    @app.get("/")
    async def endpoint(tasks: Tasks):
        tasks.add_task(report)
        raise_http_exception()

    async with serving(app) as client:
        assert (await client.get("/")).status_code == 409
        await until(lambda: trail == ["reported"])


async def test_after_route_work_that_runs_even_on_error_ends_before_the_error_response(manager):
    app, trail = FastAPI(), Trail()
    manager.init_app(app)

    @app.get("/")
    async def endpoint(tasks: Tasks):
        tasks.after_route.task(even_on_error=True).schedule(trail.mark_async, "task")
        raise_http_exception()

    async with serving(app):
        await Exchange(app, on_send=lambda message: trail.mark(message["type"])).run()

    assert trail == ["task", "http.response.start", "http.response.body"]


async def test_a_validation_error_after_a_dependency_has_scheduled_drops_its_tasks(manager):
    app, ids = FastAPI(), []
    manager.init_app(app)

    async def dependency(tasks: Tasks):
        ids.append(tasks.add_task(_nothing))

    @app.get("/", dependencies=[Depends(dependency)])
    async def endpoint(number: int): ...

    async with serving(app) as client:
        answer = await client.get("/", params={"number": "many"})
        record = await ended(manager, ids[0])

    assert answer.status_code == 422
    assert record.status is TaskStatus.CANCELLED


async def test_a_dependency_that_raises_after_another_has_scheduled_drops_its_tasks(manager):
    app, ids = FastAPI(), []
    manager.init_app(app)

    async def schedules(tasks: Tasks):
        ids.append(tasks.add_task(_nothing))

    @app.get("/", dependencies=[Depends(schedules), Depends(raise_http_exception)])
    async def endpoint(): ...

    async with serving(app) as client:
        answer = await client.get("/")
        record = await ended(manager, ids[0])

    assert answer.status_code == 409
    assert record.status is TaskStatus.CANCELLED


async def test_an_error_that_a_dependency_turns_into_another_counts_as_raised(manager):
    app, ids = FastAPI(), []
    manager.init_app(app)

    async def translate():
        try:
            yield
        except LookupError:
            raise HTTPException(404) from None

    @app.get("/")
    async def endpoint(tasks: Tasks, _: Annotated[None, Depends(translate)]):
        ids.append(tasks.add_task(_nothing))
        raise_unhandled()

    async with serving(app) as client:
        answer = await client.get("/")
        record = await ended(manager, ids[0])

    assert answer.status_code == 404
    assert record.status is TaskStatus.CANCELLED


async def test_an_error_response_that_is_returned_is_no_error(manager):
    app, ids = FastAPI(), []
    manager.init_app(app)

    @app.get("/")
    async def endpoint(tasks: Tasks):
        ids.append(tasks.add_task(_nothing))
        try:
            raise_unhandled()
        except LookupError:
            return JSONResponse({}, 404)

    async with serving(app) as client:
        answer = await client.get("/")
        record = await ended(manager, ids[0])

    assert answer.status_code == 404
    assert record.status is TaskStatus.SUCCESS


async def test_an_error_handler_that_answers_with_a_stream_still_counts_as_raised(manager):
    app, ids = FastAPI(), []
    manager.init_app(app)

    @app.exception_handler(CustomError)
    async def handle(request, error):
        return StreamingResponse(iter([b"a", b"b"]), 418)

    @app.get("/")
    async def endpoint(tasks: Tasks):
        ids.append(tasks.add_task(_nothing))
        raise_custom()

    async with serving(app) as client:
        answer = await client.get("/")
        record = await ended(manager, ids[0])

    assert (answer.status_code, answer.text) == (418, "ab")
    assert record.status is TaskStatus.CANCELLED


async def test_what_an_error_handler_schedules_itself_runs_if_it_says_so(manager):
    app, trail = FastAPI(), Trail()
    manager.init_app(app)

    @app.exception_handler(CustomError)
    async def handle(request, error):
        tasks = await manager.get_tasks(request)
        tasks.after_response.task(even_on_error=True).schedule(trail.mark_async, "reported")
        return JSONResponse({}, 418)

    @app.get("/")
    async def endpoint():
        raise_custom()

    async with serving(app) as client:
        assert (await client.get("/")).status_code == 418
        await until(lambda: trail == ["reported"])


async def test_a_failing_task_neither_changes_the_response_nor_its_siblings(manager):
    app, trail = FastAPI(), Trail()
    manager.init_app(app)

    async def fails() -> None:
        raise_unhandled()

    @app.get("/")
    async def endpoint(tasks: Tasks):
        for schedule in (tasks.schedule, tasks.after_route.schedule, tasks.after_response.schedule):
            schedule(fails)
            schedule(trail.mark_async, "sibling")
        return "fine"

    async with serving(app) as client:
        answer = await client.get("/")
        await until(lambda: trail == ["sibling"] * 3)
        again = await client.get("/")

    assert (answer.status_code, answer.json()) == (200, "fine")
    assert again.status_code == 200


async def test_a_call_that_the_function_would_refuse_is_refused_where_it_is_made(manager):
    app, refused = FastAPI(), []
    manager.init_app(app)

    @app.get("/")
    async def endpoint(tasks: Tasks):
        calls: list[Any] = [tasks.schedule, tasks.after_response.schedule, tasks.add_task]
        for schedule in calls:
            with pytest.raises(TypeError) as caught:
                schedule(_nothing, "one argument too many")
            refused.append(caught.value)

    async with serving(app) as client:
        assert (await client.get("/")).status_code == 200
        assert await manager.merged_list() == []

    assert len(refused) == 3


async def _nothing():
    pass
