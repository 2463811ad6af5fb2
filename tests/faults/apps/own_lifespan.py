"""An application with a lifespan of its own, whose resource the tasks need until the last one has ended."""

import asyncio
import json
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI, HTTPException

from outlive import TaskManager, Tasks, get_task_context

LEDGER = os.open(os.environ["FAULTS_LEDGER"], os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)

manager = TaskManager(os.environ["FAULTS_BACKEND"], **json.loads(os.environ["FAULTS_OPTIONS"]))
state = {"resource": "none"}


@asynccontextmanager
async def lifespan(_: FastAPI) -> AsyncIterator[None]:
    state["resource"] = "open"
    yield
    state["resource"] = "closed"


app = FastAPI(lifespan=lifespan)
manager.init_app(app)


@manager.task()
async def use_resource(seconds: float) -> None:
    context = get_task_context()
    assert context is not None
    for what in ("begin", "end"):
        line = f"{what} {os.getpid()} {context.task_id} {context.attempt} {state['resource']}\n"
        os.write(LEDGER, line.encode())
        await asyncio.sleep(seconds)  # noqa: TID251 - long work


@app.post("/use")
async def use(seconds: float, tasks: Tasks) -> dict[str, str]:
    return {"id": tasks.after_response.schedule(use_resource, seconds).id}


@app.get("/records/{task_id}")
async def record(task_id: str) -> dict[str, object]:
    found = await manager.get(task_id)
    if found is None:
        raise HTTPException(404)
    return found.to_dict()
