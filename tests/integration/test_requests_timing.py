"""What runs when: the three timing modes, seen from the ASGI messages of the response."""

import asyncio
import threading

import pytest
from fastapi import Depends, FastAPI
from support.recording import Gate, Trail, captured_log
from support.serving import Exchange, serving
from support.waiting import ended, record_of, turns, until

from outlive import Tasks, TaskStatus


def describe(message):
    if message["type"] == "http.response.start":
        return "response starts"
    return "response goes on" if message.get("more_body") else "response ends"


async def test_the_three_modes_run_in_their_order_around_the_response(manager):
    app, trail = FastAPI(), Trail()
    manager.init_app(app)

    @app.get("/")
    async def endpoint(tasks: Tasks):
        tasks.after_response.schedule(trail.mark_async, "after response")
        tasks.add_task(trail.mark_async, "add_task")
        tasks.after_route.schedule(trail.mark_async, "after route")
        await tasks.schedule(trail.mark_async, "immediate").result(5)
        trail.mark("endpoint returns")

    async with serving(app):
        await Exchange(app, on_send=lambda message: trail.mark(describe(message))).run()
        await until(lambda: len(trail) == 7)

    assert trail[:5] == ["immediate", "endpoint returns", "after route", "response starts", "response ends"]
    assert sorted(trail[5:]) == ["add_task", "after response"]


async def test_an_immediate_task_begins_before_any_after_route_task_even_if_the_endpoint_never_awaits(manager):
    app, trail = FastAPI(), Trail()
    manager.init_app(app)

    @app.get("/")
    async def endpoint(tasks: Tasks):
        tasks.after_route.schedule(trail.mark_async, "after route")
        tasks.schedule(trail.mark_async, "immediate")

    async with serving(app):
        await Exchange(app).run()

    assert trail == ["immediate", "after route"]


async def test_a_plain_endpoint_schedules_in_all_modes_from_its_thread(manager):
    app, trail = FastAPI(), Trail()
    manager.init_app(app)

    @app.get("/")
    def endpoint(tasks: Tasks):
        assert threading.current_thread() is not threading.main_thread()
        tasks.after_response.schedule(trail.mark, "after response")
        tasks.after_route.schedule(trail.mark, "after route")
        return tasks.schedule(trail.mark, "immediate").id

    async with serving(app) as client:
        answer = await client.get("/")
        await until(lambda: len(trail) == 3)
        record = await ended(manager, answer.json())

    assert trail.order_of("after route", "after response") == ["after route", "after response"]
    assert (record.status, record.timing) == (TaskStatus.SUCCESS, "immediate")


@pytest.mark.parametrize("is_async", [True, False])
async def test_after_route_work_has_ended_when_the_first_byte_leaves(manager, is_async):
    app, trail = FastAPI(), Trail()
    manager.init_app(app)

    async def slow_async():
        await asyncio.sleep(0.02)  # noqa: TID251 - long work
        trail.mark("work done")

    def slow_sync():
        threading.Event().wait(0.02)
        trail.mark("work done")

    @app.get("/")
    async def endpoint(tasks: Tasks):
        tasks.after_route.schedule(slow_async if is_async else slow_sync)

    async with serving(app):
        await Exchange(app, on_send=lambda message: trail.mark(describe(message))).run()

    assert trail == ["work done", "response starts", "response ends"]


async def test_after_route_tasks_run_side_by_side(manager):
    app, one, two = FastAPI(), Gate(), Gate()
    manager.init_app(app)

    async def meet(mine: Gate, other: Gate):
        mine.entered.set()
        await other.entered.wait()

    @app.get("/")
    async def endpoint(tasks: Tasks):
        tasks.after_route.schedule(meet, one, two)
        tasks.after_route.schedule(meet, two, one)

    async with serving(app):
        assert (await asyncio.wait_for(Exchange(app).run(), 5)).status == 200


async def test_the_response_waits_for_after_route_no_longer_than_its_timeout(manager):
    app = FastAPI()
    manager.init_app(app)

    @app.get("/")
    async def endpoint(tasks: Tasks):
        return tasks.after_route.task(timeout=0.05).schedule(asyncio.Event().wait).id

    async with serving(app):
        exchange = await asyncio.wait_for(Exchange(app).run(), 5)
        record = await ended(manager, exchange.body.decode().strip('"'))

    assert exchange.status == 200
    assert record.status is TaskStatus.FAILED
    assert "timeout" in str(record.error)


async def test_a_thread_that_overruns_its_timeout_does_not_hold_the_response(manager):
    app, release = FastAPI(), threading.Event()
    manager.init_app(app)

    def deaf():
        release.wait(20)

    @app.get("/")
    async def endpoint(tasks: Tasks):
        return tasks.after_route.task(timeout=0.05).schedule(deaf).id

    async with serving(app):
        with captured_log("outlive.task") as lines:
            exchange = await asyncio.wait_for(Exchange(app).run(), 5)
            task_id = exchange.body.decode().strip('"')
            await until(lambda: any("over its timeout" in line.getMessage() for line in lines))
        while_it_runs = (await record_of(manager, task_id)).status
        release.set()
        record = await ended(manager, task_id)

    assert while_it_runs is TaskStatus.RUNNING, "a thread cannot be killed, so its attempt goes on"
    assert record.status is TaskStatus.FAILED
    assert "timeout" in str(record.error)


async def test_a_retry_of_an_after_route_task_does_not_hold_the_response(timed, clock):
    app, attempts = FastAPI(), []
    timed.init_app(app)

    async def fails_once():
        attempts.append(1)
        if len(attempts) == 1:
            raise OSError("not yet")

    @app.get("/")
    async def endpoint(tasks: Tasks):
        return tasks.after_route.task(retries=1, delay=30).schedule(fails_once).id

    async with serving(app):
        exchange = await asyncio.wait_for(Exchange(app).run(), 5)
        task_id = exchange.body.decode().strip('"')
        assert len(attempts) == 1
        await until(lambda: timed.store.count(TaskStatus.PENDING) == 1)
        clock.advance(30)
        record = await ended(timed, task_id)

    assert (record.status, record.attempts) == (TaskStatus.SUCCESS, 2)


async def test_after_response_work_waits_for_the_last_byte(manager):
    app, trail = FastAPI(), Trail()
    manager.init_app(app)
    at_last_byte = Gate()

    @app.get("/")
    async def endpoint(tasks: Tasks):
        tasks.after_response.schedule(trail.mark_async, "after response")

    async def on_send(message):
        if describe(message) == "response ends":
            await at_last_byte.wait()
        trail.mark(describe(message))

    async with serving(app):
        exchange = asyncio.create_task(Exchange(app, on_send=on_send).run())
        await at_last_byte.entered.wait()
        await turns()
        assert trail == ["response starts"]
        at_last_byte.open.set()
        await exchange
        await until(lambda: "after response" in trail)

    assert trail == ["response starts", "response ends", "after response"]


async def test_a_slow_task_does_not_hold_the_connection(manager):
    app, gate = FastAPI(), Gate()
    manager.init_app(app)

    @app.get("/")
    async def endpoint(tasks: Tasks):
        tasks.schedule(gate.wait)
        tasks.after_response.schedule(gate.wait)

    async with serving(app):
        await asyncio.wait_for(Exchange(app).run(), 5)
        gate.open.set()


async def test_what_a_request_scoped_dependency_schedules_on_its_way_out_runs(manager):
    app, trail = FastAPI(), Trail()
    manager.init_app(app)

    async def dependency(tasks: Tasks):
        yield
        tasks.after_response.schedule(trail.mark_async, "late")

    @app.get("/", dependencies=[Depends(dependency)])
    async def endpoint():
        return None

    async with serving(app):
        await Exchange(app).run()
        await until(lambda: trail == ["late"])
