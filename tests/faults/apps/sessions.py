"""Endpoints whose database session is on the same file as the tasks, and is still writing when they are accepted."""

import json
import os
import sqlite3
from collections.abc import Iterator
from typing import Annotated, Any

from fastapi import Depends, FastAPI, HTTPException

from outlive import Page, TaskManager, Tasks, get_task_context

LEDGER = os.open(os.environ["FAULTS_LEDGER"], os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
DATABASE = os.environ["FAULTS_BACKEND"].removeprefix("sqlite:///")

manager = TaskManager(os.environ["FAULTS_BACKEND"], **json.loads(os.environ["FAULTS_OPTIONS"]))
app = FastAPI()
manager.init_app(app)


@manager.task()
async def quick(number: int) -> None:
    context = get_task_context()
    assert context is not None
    for what in ("begin", "end"):
        os.write(LEDGER, f"{what} {os.getpid()} {context.task_id} {context.attempt} {number}\n".encode())


def session() -> Iterator[sqlite3.Connection]:
    connection = sqlite3.connect(DATABASE, isolation_level=None, check_same_thread=False)
    try:
        connection.execute("create table if not exists orders (number integer)")
        connection.execute("begin immediate")
        yield connection
        connection.execute("commit")
    finally:
        connection.close()


ForTheRequest = Annotated[sqlite3.Connection, Depends(session)]
ForTheFunction = Annotated[sqlite3.Connection, Depends(session, scope="function")]


def place_order(connection: sqlite3.Connection, number: int) -> None:
    connection.execute("insert into orders values (?)", (number,))


@app.post("/request_scope/after_response")
async def after_response(number: int, connection: ForTheRequest, tasks: Tasks) -> dict[str, str]:
    place_order(connection, number)
    return {"id": tasks.after_response.schedule(quick, number).id}


@app.post("/request_scope/immediate")
async def immediate(number: int, connection: ForTheRequest, tasks: Tasks) -> dict[str, str]:
    place_order(connection, number)
    return {"id": tasks.schedule(quick, number).id}


@app.post("/request_scope/add_task")
def add_task(number: int, connection: ForTheRequest, tasks: Tasks) -> dict[str, str]:
    place_order(connection, number)
    return {"id": tasks.add_task(quick, number)}


@app.post("/function_scope")
async def function_scope(number: int, connection: ForTheFunction, tasks: Tasks) -> dict[str, str]:
    place_order(connection, number)
    return {"id": tasks.after_response.schedule(quick, number).id}


@app.get("/orders")
def orders() -> list[int]:
    connection = sqlite3.connect(DATABASE)
    try:
        return [number for (number,) in connection.execute("select number from orders order by number")]
    finally:
        connection.close()


@app.get("/records")
async def records() -> list[dict[str, Any]]:
    return [record.to_dict() for record in await manager.find(page=Page(limit=2000))]


@app.get("/records/{task_id}")
async def record(task_id: str) -> dict[str, Any]:
    found = await manager.get(task_id)
    if found is None:
        raise HTTPException(404)
    return found.to_dict()
