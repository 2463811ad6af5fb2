"""The application under fire. Every body notes in a file when it begins and when it ends."""

import asyncio
import json
import os
import sys
import time
from typing import Any

from fastapi import FastAPI, HTTPException
from fastapi.responses import PlainTextResponse
from starlette.background import BackgroundTask

from outlive import (
    Page,
    TaskManager,
    Tasks,
    TaskStateError,
    UnknownTaskError,
    get_task_context,
    task_log,
)

LEDGER = os.open(os.environ["FAULTS_LEDGER"], os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)

manager = TaskManager(os.environ["FAULTS_BACKEND"], **json.loads(os.environ["FAULTS_OPTIONS"]))
app = FastAPI()
manager.init_app(app)


def note(what: str, text: object = "-") -> None:
    """One write to a file opened for appending: it is there when the call returns, whatever happens then."""
    context = get_task_context()
    task_id, attempt = (context.task_id, context.attempt) if context else ("-", 0)
    os.write(LEDGER, f"{what} {os.getpid()} {task_id} {attempt} {text}\n".encode())


# -- tasks -----------------------------------------------------------------------------------------


@manager.task()
async def quick(number: int) -> None:
    note("begin", number)
    note("end", "ok")


@manager.task()
def quick_thread(number: int) -> None:
    note("begin", number)
    note("end", "ok")


@manager.task()
async def slow(number: int) -> None:
    note("begin", number)
    await asyncio.sleep(0.1)  # noqa: TID251 - long work
    note("end", "ok")


@manager.task()
def slow_thread(number: int) -> None:
    note("begin", number)
    time.sleep(0.1)  # noqa: TID251 - long work
    note("end", "ok")


@manager.task(requeue_on_interrupt=True)
async def repeatable(number: int) -> None:
    note("begin", number)
    await asyncio.sleep(0.1)  # noqa: TID251 - long work
    note("end", "ok")


@manager.task()
async def failing(number: int) -> None:
    note("begin", number)
    note("end", "raised")
    raise RuntimeError(f"number {number} was meant to fail")


@manager.task()
def failing_thread(number: int) -> None:
    note("begin", number)
    note("end", "raised")
    raise RuntimeError(f"number {number} was meant to fail")


@manager.task(retries=1, delay=0.2)
async def flaky(number: int) -> None:
    note("begin", number)
    context = get_task_context()
    if context is not None and context.attempt == 0:
        note("end", "raised")
        raise RuntimeError(f"number {number} was meant to fail once")
    note("end", "ok")


@manager.task()
async def minute(number: int) -> None:
    note("begin", number)
    await asyncio.sleep(60)  # noqa: TID251 - long work
    note("end", "ok")


@manager.task(requeue_on_interrupt=True)
async def repeatable_minute(number: int) -> None:
    note("begin", number)
    await asyncio.sleep(60)  # noqa: TID251 - long work
    note("end", "ok")


@manager.task()
def endless_thread(number: int) -> None:
    note("begin", number)
    while True:
        time.sleep(60)  # noqa: TID251 - long work


@manager.task(shield=True)
async def shielded(number: int) -> None:
    note("begin", number)
    await asyncio.sleep(2.0)  # noqa: TID251 - long work
    note("end", "ok")


@manager.task()
async def three_seconds(number: int) -> None:
    note("begin", number)
    await asyncio.sleep(3.0)  # noqa: TID251 - long work
    note("end", "ok")


@manager.task(requeue_on_interrupt=True)
async def raced(number: int) -> None:
    note("begin", number)
    await asyncio.sleep(2.0)  # noqa: TID251 - long work
    note("end", os.environ["FAULTS_RELEASE"])
    if os.environ["FAULTS_RELEASE"] == "1":
        raise RuntimeError("this process was meant to be too late with this")


@manager.task()
async def exiting(number: int) -> None:
    note("begin", number)
    sys.exit(3)


@manager.task()
def exiting_thread(number: int) -> None:
    note("begin", number)
    sys.exit(3)


@manager.task(retries=1, tags={"team": "blue"})
async def labelled(number: int) -> None:
    context = get_task_context()
    assert context is not None
    note("begin", json.dumps(dict(context.tags)))
    task_log(f"number {number}")


TASKS: dict[str, Any] = {definition.func.__name__: definition.func for definition in manager.registry}

# -- endpoints -------------------------------------------------------------------------------------


@app.post("/run/after_response/{kind}")
async def after_response(kind: str, number: int, tasks: Tasks) -> dict[str, str]:
    return {"id": tasks.after_response.schedule(TASKS[kind], number).id}


@app.post("/run/immediate/{kind}")
async def immediate(kind: str, number: int, tasks: Tasks) -> dict[str, str]:
    return {"id": tasks.schedule(TASKS[kind], number).id}


@app.post("/run/add_task/{kind}")
def add_task(kind: str, number: int, tasks: Tasks) -> dict[str, str]:
    return {"id": tasks.add_task(TASKS[kind], number)}


@app.post("/run/after_route/{kind}")
async def after_route(kind: str, number: int, tasks: Tasks) -> dict[str, str]:
    return {"id": tasks.after_route.schedule(TASKS[kind], number).id}


@app.post("/run/enqueue/{kind}")
async def enqueue(kind: str, number: int) -> dict[str, str]:
    return {"id": (await manager.enqueue(TASKS[kind], number)).id}


@app.post("/run/labelled/{kind}")
async def run_labelled(kind: str, number: int, key: str, tasks: Tasks) -> dict[str, str]:
    return {"id": tasks.add_task(TASKS[kind], number, tags={"city": "Bern"}, idempotency_key=key, priority=7)}


@app.post("/run_and_raise/{kind}")
async def run_and_raise(kind: str, number: int, tasks: Tasks) -> None:
    raise HTTPException(418, {"id": tasks.add_task(TASKS[kind], number)})


@app.post("/run_with_own_background/{kind}")
async def run_with_own_background(kind: str, number: int, tasks: Tasks) -> PlainTextResponse:
    task_id = tasks.add_task(TASKS[kind], number)
    return PlainTextResponse(task_id, background=BackgroundTask(note, "background"))


@app.get("/records")
async def records() -> list[dict[str, Any]]:
    return [record.to_dict() for record in await manager.find(page=Page(limit=2000))]


@app.get("/records/{task_id}")
async def record(task_id: str) -> dict[str, Any]:
    found = await manager.get(task_id)
    if found is None:
        raise HTTPException(404)
    return found.to_dict() | {"idempotency_key": found.idempotency_key}


@app.post("/records/{task_id}/requeue")
async def requeue(task_id: str) -> dict[str, str]:
    try:
        await manager.requeue(task_id)
    except UnknownTaskError as error:
        raise HTTPException(404, str(error)) from error
    except TaskStateError as error:
        raise HTTPException(409, str(error)) from error
    return {"id": task_id}


@app.post("/records/{task_id}/cancel")
async def cancel(task_id: str) -> dict[str, Any]:
    return {"cancelled": await manager.cancel(task_id), "pid": os.getpid()}


@app.get("/counts")
async def counts() -> dict[str, int]:
    return {status.value: count for status, count in (await manager.counts()).items()}


@app.get("/hold_connection")
async def hold_connection(seconds: float) -> None:
    await asyncio.sleep(seconds)  # noqa: TID251 - a client that is being served
