"""A dashboard that is open beside what is measured, in the same process."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from contextvars import ContextVar

from fastapi import FastAPI
from starlette.types import ASGIApp, Message

from benchmarks.asgi import request_scope
from outlive import TaskAdmin, TaskManager

#: Whether managers are watched; set for a whole run.
is_open: ContextVar[bool] = ContextVar("is_open", default=False)

PAGE, STREAM = "/tasks/dashboard", "/tasks/dashboard/stream"
#: Seconds between two looks of a page at what has changed.
AGAIN = 1.0


@asynccontextmanager
async def watched(manager: TaskManager) -> AsyncIterator[None]:
    """Somebody looks at the overview, if a run asks for that: its stream is read, and after a hint it is fetched."""
    if not is_open.get():
        yield
        return
    app = FastAPI()
    TaskAdmin(app, manager, auth=False)
    await _get(app, PAGE)
    changed = asyncio.Event()
    looking = [asyncio.create_task(_listen(app, changed)), asyncio.create_task(_look(app, changed))]
    try:
        yield
    finally:
        for one in looking:
            one.cancel()
        await asyncio.gather(*looking, return_exceptions=True)


async def _look(app: ASGIApp, changed: asyncio.Event) -> None:
    while True:
        await changed.wait()
        changed.clear()
        await _get(app, PAGE)
        await asyncio.sleep(AGAIN)


async def _listen(app: ASGIApp, changed: asyncio.Event) -> None:
    async def send(message: Message) -> None:
        if b"event: changed" in message.get("body", b""):
            changed.set()

    await app(_scope(STREAM), _Client().receive, send)


async def _get(app: ASGIApp, path: str) -> None:
    async def send(message: Message) -> None:
        if message["type"] == "http.response.start" and message["status"] != 200:
            raise RuntimeError(f"{path} answered {message['status']}")

    await app(_scope(path), _Client().receive, send)


def _scope(path: str) -> dict[str, object]:
    return {**request_scope(), "method": "GET", "path": path, "raw_path": path.encode(), "query_string": b""}


class _Client:
    """Asks once, and stays."""

    def __init__(self) -> None:
        self._asked = False

    async def receive(self) -> Message:
        if self._asked:
            await asyncio.Event().wait()
        self._asked = True
        return {"type": "http.request", "body": b"", "more_body": False}
