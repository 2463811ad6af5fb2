"""Starlette without FastAPI: a route enqueues, a schedule runs by itself.

uvicorn starlette_app:app
"""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from outlive import TaskManager, task_log

manager = TaskManager("sqlite:///tasks.db")


@manager.task(retries=3, delay=1.0)
async def send_email(address: str) -> None:
    """Stands for something that takes a while."""
    task_log(f"sending to {address}")


@manager.schedule(every=3600, run_on_startup=True)
async def clean_up() -> None:
    """Once an hour, on one of all the processes that share tasks.db."""


async def signup(request: Request) -> JSONResponse:
    """The record is durable before the response is sent."""
    task = await manager.enqueue(send_email, request.path_params["address"])
    return JSONResponse({"task_id": task.id}, status_code=202)


async def status(request: Request) -> JSONResponse:
    """What became of it."""
    record = await manager.get(request.path_params["task_id"])
    if record is None:
        return JSONResponse({"detail": "there is no such task"}, status_code=404)
    return JSONResponse({"status": record.status})


@asynccontextmanager
async def lifespan(_app: Starlette) -> AsyncGenerator[None]:
    """The manager lives as long as the application."""
    async with manager:
        yield


routes = [Route("/signup/{address}", signup, methods=["POST"]), Route("/tasks/{task_id}", status)]
app = Starlette(routes=routes, lifespan=lifespan)
