"""An application of which there are two releases; in the second some functions are gone or not what they were."""

import asyncio
import json
import os
from datetime import date

from fastapi import FastAPI, HTTPException

from outlive import Page, TaskManager, Tasks, get_task_context

LEDGER = os.open(os.environ["FAULTS_LEDGER"], os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)

manager = TaskManager(os.environ["FAULTS_BACKEND"], **json.loads(os.environ["FAULTS_OPTIONS"]))
app = FastAPI()
manager.init_app(app)


def note(value: object) -> None:
    context = get_task_context()
    assert context is not None
    for what in ("begin", "end"):
        os.write(LEDGER, f"{what} {os.getpid()} {context.task_id} {context.attempt} {value!r}\n".encode())


@manager.task()
async def blocker() -> None:
    await asyncio.sleep(60)  # noqa: TID251 - long work


@manager.task()
async def steady(number: int) -> None:
    note(number)


if os.environ["FAULTS_RELEASE"] == "1":

    @manager.task()
    async def gone(number: int) -> None:
        note(number)

    @manager.task(name="mail")
    async def renamed(number: int) -> None:
        note(number)

    @manager.task()
    async def retyped(value: int) -> None:
        note(value)

    @manager.task()
    async def extended(number: int) -> None:
        note(number)

    @manager.task()
    async def shortened(number: int, colour: str = "red") -> None:
        note(number)

    @app.post("/fill")
    async def fill(number: int, tasks: Tasks) -> dict[str, str]:
        later = tasks.after_response
        return {
            "steady": later.schedule(steady, number).id,
            "gone": later.schedule(gone, number).id,
            "renamed": later.schedule(renamed, number).id,
            "retyped": later.schedule(retyped, number).id,
            "extended": later.schedule(extended, number).id,
            "shortened": later.schedule(shortened, number, "blue").id,
        }

else:

    @manager.task(name="post")
    async def renamed(number: int) -> None:
        note(number)

    @manager.task()
    async def retyped(value: date) -> None:  # type: ignore[misc]  # what another release makes of it
        note(value)

    @manager.task()
    async def extended(number: int, colour: str) -> None:  # type: ignore[misc]
        note(number)

    @manager.task()
    async def shortened(number: int) -> None:  # type: ignore[misc]
        note(number)


@app.post("/block")
async def block(tasks: Tasks) -> dict[str, str]:
    return {"id": tasks.schedule(blocker).id}


@app.get("/records")
async def records() -> list[dict[str, object]]:
    return [record.to_dict() for record in await manager.find(page=Page(limit=2000))]


@app.get("/records/{task_id}")
async def record(task_id: str) -> dict[str, object]:
    found = await manager.get(task_id)
    if found is None:
        raise HTTPException(404)
    return found.to_dict()
