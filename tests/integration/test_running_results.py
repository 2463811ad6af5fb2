"""What a task says about its progress, what it returned, and who can see both from where."""

import asyncio
from dataclasses import dataclass
from typing import Any

import pytest
from cryptography.fernet import Fernet
from fastapi import FastAPI
from fastapi.testclient import TestClient
from support import process_bodies as bodies
from support.recording import Gate
from support.waiting import ended, record_of, until

from outlive import Progress, StatusRouter, TaskAdmin, TaskFailed, TaskManager, Tasks, progress
from outlive.core.moves import Advance


@dataclass
class Point:
    x: int
    y: float


async def point() -> Point:
    return Point(1, 2.5)


# -- progress ------------------------------------------------------------------------------------


async def test_the_record_shows_how_far_a_task_is(manager):
    gate = Gate()

    async def work() -> None:
        progress(1, 4, "reading")
        await gate.wait()
        progress(4, 4)

    async with manager:
        task = await manager.enqueue(work)
        await gate.entered.wait()

        async def reading() -> Progress | None:
            return (await record_of(manager, task.id)).progress

        shown = await until(reading)
        assert (shown.done, shown.total, shown.message, shown.fraction) == (1, 4, "reading", 0.25)
        gate.open.set()
        record = await ended(manager, task.id)

    assert record.progress is not None
    assert (record.progress.done, record.progress.message) == (4, None)
    assert record.to_dict()["progress"]["fraction"] == 1.0


async def test_many_words_are_few_writes_and_the_last_one_stays(timed, clock):
    gate, written = Gate(), list[Any]()

    async def work() -> None:
        for number in range(1000):
            progress(number, 1000)
        await gate.wait()
        progress(1000, 1000)

    async with timed as manager:
        write = manager.runtime.journal.write

        def count(moves: Any, *args: Any, **kwargs: Any) -> None:
            written.extend(move for move in moves if isinstance(move, Advance))
            write(moves, *args, **kwargs)

        manager.runtime.journal.write = count
        task = await manager.enqueue(work)
        await gate.entered.wait()
        assert len(written) == 1
        clock.advance(1)
        await until(lambda: len(written) == 2)
        assert [Progress.of(move.progress).done for move in written] == [0, 999]
        gate.open.set()
        record = await ended(manager, task.id)

    assert len(written) == 3
    assert record.progress.done == 1000


@pytest.mark.parametrize("executor", ["thread", "process"])
async def test_plain_functions_say_it_too(manager, executor):
    async with manager:
        task = await manager.using(executor=executor).enqueue(bodies.count_to, 50)
        assert await task.result() == 50
        record = await record_of(manager, task.id)

    assert record.progress is not None
    assert (record.progress.done, record.progress.total, record.progress.message) == (50, 50, "number 50")


async def test_a_retry_begins_from_nothing(manager):
    seen = []

    async def work() -> None:
        if seen:
            seen.append((await record_of(manager, task.id)).progress)
            return
        seen.append(None)
        progress(7)
        raise ValueError("no")

    async with manager:
        task = await manager.using(retries=1, delay=0.01).enqueue(work)
        await ended(manager, task.id)

    assert seen == [None, None]


@pytest.mark.parametrize("wrong", [(float("nan"),), (1, float("inf")), ("1",)])
def test_what_is_no_number_is_refused(wrong):
    with pytest.raises(ValueError, match="no finite number"):
        progress(*wrong)


def test_outside_a_task_it_does_nothing():
    progress(1, 2, "x")


# -- results -------------------------------------------------------------------------------------


def declared(manager: TaskManager) -> Any:
    return manager.task(name="point")(point)


async def test_another_process_gets_what_the_function_returned(shared):
    first, second = shared.instance(), shared.instance()
    declared(first)
    declared(second)
    async with first, second:
        elsewhere = await first.using(idempotency_key="k").enqueue(point)
        assert await elsewhere.result() == Point(1, 2.5)
        task = await second.using(idempotency_key="k").enqueue(point)
        assert await task.result() == Point(1, 2.5)
        assert task.id == elsewhere.id


async def test_none_is_given_back_as_none(shared):
    async def nothing() -> None:
        pass

    first, second = shared.instance(), shared.instance()
    async with first, second:
        task = await first.using(idempotency_key="k").enqueue(nothing)
        await task.result()
        assert (await record_of(first, task.id)).result is None
        assert await (await second.using(idempotency_key="k").enqueue(nothing)).result() is None


class Odd:
    """Has no stored form."""


@pytest.mark.parametrize(
    ("value", "options", "why"),
    [
        pytest.param("x" * 200, {"max_result_size": 100}, "more than 100", id="long"),
        pytest.param(list(range(60)), {"max_result_size": 100}, "171 bytes, more than 100", id="large"),
        pytest.param("x", {"max_result_size": 0}, "max_result_size=0", id="off"),
        pytest.param(Odd(), {}, "Odd", id="no-form"),
    ],
)
async def test_what_cannot_be_kept_is_summed_up_and_whoever_asks_is_told(shared, value, options, why):
    async def give() -> Any:
        return value

    first, second = shared.instance(**options), shared.instance(**options)
    async with first, second:
        task = await first.using(idempotency_key="k").enqueue(give)
        assert await task.result() == value
        same = await second.using(idempotency_key="k").enqueue(give)
        with pytest.raises(TaskFailed, match="was not stored") as told:
            await same.result()
    assert why in str(told.value)
    assert type(value).__name__ in str(told.value)


async def test_a_failure_elsewhere_says_what_was_raised(shared):
    async def fail() -> None:
        raise ValueError("declined")

    first, second = shared.instance(), shared.instance()
    async with first, second:
        task = await first.enqueue(fail)
        await ended(first, task.id)
        handle = await second.using(run_in=999).enqueue(fail)
        handle.id = task.id
        with pytest.raises(TaskFailed, match="declined"):
            await handle.result()


async def test_results_are_encrypted_and_rotated(shared):
    old, new = Fernet.generate_key(), Fernet.generate_key()
    first = shared.instance(encrypt_args_key=old)
    declared(first)
    async with first:
        task = await first.using(idempotency_key="k").enqueue(point)
        await task.result()
        stored = (await record_of(first, task.id)).result
    assert stored is not None
    assert stored.startswith("fernet:")

    second = shared.instance(encrypt_args_key=[new, old])
    declared(second)
    async with second:
        assert (await second.rotate_keys()).rewritten == 1
    third = shared.instance(encrypt_args_key=new)
    declared(third)
    async with third:
        handle = await third.using(idempotency_key="k").enqueue(point)
        assert await handle.result() == Point(1, 2.5)


async def test_a_result_that_cannot_be_read_does_not_undo_the_success(shared):
    first = shared.instance(encrypt_args_key=Fernet.generate_key())
    declared(first)
    async with first:
        await (await first.using(idempotency_key="k").enqueue(point)).result()
    other = shared.instance(encrypt_args_key=Fernet.generate_key())
    declared(other)
    async with other:
        handle = await other.using(idempotency_key="k").enqueue(point)
        with pytest.raises(TaskFailed, match="none of the keys"):
            await handle.result()
        assert handle.status == "success"


# -- who waits outside ---------------------------------------------------------------------------


def shop(**options: Any) -> FastAPI:
    manager, app = TaskManager(**options), FastAPI()
    TaskAdmin(app, manager, display_func_args=bool(options))
    jobs = StatusRouter(manager)
    app.include_router(jobs)

    @manager.task()
    async def add(a: int, b: int) -> dict[str, int]:
        progress(1, 2, "half")
        if b < 0:
            raise ValueError("negative")
        await asyncio.sleep(0)  # noqa: TID251 - gives way
        progress(2, 2)
        return {"sum": a + b}

    @app.post("/add")
    async def start(a: int, b: int, tasks: Tasks) -> Any:
        return jobs.accepted(tasks.after_response.schedule(add, a, b))

    return app


def events_of(client: TestClient, address: str) -> list[str]:
    with client.stream("GET", address) as stream:
        return [line for line in stream.iter_lines() if line.startswith(("event:", "data:"))]


def test_accepted_and_status():
    with TestClient(shop(), root_path="/api") as client:
        answer = client.post("/add?a=1&b=2")
        told = answer.json()
        assert answer.status_code == 202
        assert answer.headers["location"] == told["status"] == f"/api/jobs/{told['id']}"
        events = events_of(client, f"/jobs/{told['id']}/events")
        status = client.get(f"/jobs/{told['id']}").json()

    assert status["status"] == "success"
    assert status["result"] == {"value": {"sum": 3}}
    assert (status["progress"]["done"], status["progress"]["fraction"]) == (2, 1.0)
    assert events[-2] == "event: end"
    assert '"sum": 3' in events[-1]


def test_a_failure_has_its_error_and_an_unknown_job_is_none():
    with TestClient(shop()) as client:
        task_id = client.post("/add?a=1&b=-1").json()["id"]
        events_of(client, f"/jobs/{task_id}/events")
        status = client.get(f"/jobs/{task_id}").json()
        assert (status["status"], status["error"], status["result"]) == ("failed", "negative", None)
        assert client.get("/jobs/nothing").status_code == 404
        assert client.get("/jobs/nothing/events").status_code == 404


def test_only_the_functions_that_are_named_have_a_status():
    manager, app = TaskManager(), FastAPI()
    manager.init_app(app)
    app.include_router(StatusRouter(manager, functions=["other"]))

    @app.post("/")
    async def start() -> str:
        return (await manager.enqueue(point)).id

    with TestClient(app) as client:
        assert client.get(f"/jobs/{client.post('/').json()}").status_code == 404


@pytest.mark.parametrize("shows", [True, False])
def test_the_admin_shows_both(shows):
    with TestClient(shop(retries=0) if shows else shop()) as client:
        task_id = client.post("/add?a=1&b=2").json()["id"]
        events_of(client, f"/jobs/{task_id}/events")
        shown = client.get(f"/tasks/{task_id}").json()

    assert shown["progress"]["done"] == 2
    assert shown["result"] == ({"value": {"sum": 3}} if shows else shown["result"])
    assert ("value" in shown["result"]) == shows
