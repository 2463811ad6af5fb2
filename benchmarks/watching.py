"""A dashboard that is open beside what is measured: what a page of it does, and one in the same process."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from contextvars import ContextVar

from fastapi import FastAPI
from starlette.types import ASGIApp, Message

from benchmarks.asgi import Asking, request_scope
from outlive import TaskAdmin, TaskManager

#: Whether managers are watched; set for a whole run.
is_open: ContextVar[bool] = ContextVar("is_open", default=False)

PAGE, STREAM = "/tasks/dashboard", "/tasks/dashboard/stream"
#: What the stream says when the page is out of date.
HINT = b"event: changed"


@asynccontextmanager
async def open_page(
    listen: Callable[[asyncio.Event], Awaitable[None]], fetch: Callable[[], Awaitable[bytes]]
) -> AsyncIterator[None]:
    """Somebody looks at a page, as its script does: it is fetched, and again after a hint, as soon as it may be."""
    changed = asyncio.Event()
    looking = asyncio.gather(listen(changed), _look(fetch, changed))
    try:
        yield
    finally:
        if looking.done():
            looking.result()  # what ended it
        looking.cancel()
        await asyncio.gather(looking, return_exceptions=True)


async def _look(fetch: Callable[[], Awaitable[bytes]], changed: asyncio.Event) -> None:
    while True:
        head = await fetch()
        await asyncio.sleep(float(head.partition(b"again;dur=")[2].split()[0]) / 1e3)
        await changed.wait()
        changed.clear()


@asynccontextmanager
async def watched(manager: TaskManager) -> AsyncIterator[None]:
    """Somebody looks at the overview of the manager, if a run asks for that."""
    if not is_open.get():
        yield
        return
    app = FastAPI()
    TaskAdmin(app, manager, auth=False)
    await _fetch(app)  # the first time compiles the template
    async with open_page(lambda changed: _listen(app, changed), lambda: _fetch(app)):
        yield


async def _listen(app: ASGIApp, changed: asyncio.Event) -> None:
    async def send(message: Message) -> None:
        if HINT in message.get("body", b""):
            changed.set()

    await app(_scope(STREAM), Asking().receive, send)


async def _fetch(app: ASGIApp) -> bytes:
    head = b""

    async def send(message: Message) -> None:
        nonlocal head
        if message["type"] == "http.response.start":
            if message["status"] != 200:
                raise RuntimeError(f"{PAGE} answered {message['status']}")
            head = b"".join(b"%b: %b\r\n" % header for header in message["headers"])

    await app(_scope(PAGE), Asking().receive, send)
    return head


def _scope(path: str) -> dict[str, object]:
    return {**request_scope(), "method": "GET", "path": path, "raw_path": path.encode(), "query_string": b""}
