"""Applications served in the test's own event loop, by httpx or by hand at the level of ASGI messages."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import httpx
from fastapi import FastAPI

Message = Any


@asynccontextmanager
async def serving(app: FastAPI) -> AsyncIterator[httpx.AsyncClient]:
    """Run the application's lifespan around a client; server errors come as responses, not as exceptions."""
    async with app.router.lifespan_context(app), calling(app) as client:
        yield client


@asynccontextmanager
async def calling(app: FastAPI) -> AsyncIterator[httpx.AsyncClient]:
    """A client without any lifespan, as `ASGITransport` is used bare."""
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
        yield client


class Exchange:
    """One request driven by hand: every message that goes out is seen, and the client may go away.

    `on_send` is called (and awaited if need be) with each outgoing message before it counts as sent.
    """

    def __init__(
        self,
        app: Any,
        path: str = "/",
        method: str = "GET",
        on_send: Callable[[Message], Awaitable[None] | None] | None = None,
    ) -> None:
        self.sent: list[Message] = []
        self._app = app
        self._scope = http_scope(path, method)
        self._on_send = on_send
        self._body_given = False
        self.client_gone = asyncio.Event()

    async def run(self) -> "Exchange":
        await self._app(self._scope, self._receive, self._send)
        return self

    async def _receive(self) -> Message:
        if not self._body_given:
            self._body_given = True
            return {"type": "http.request", "body": b"", "more_body": False}
        await self.client_gone.wait()
        return {"type": "http.disconnect"}

    async def _send(self, message: Message) -> None:
        if self._on_send is not None:
            answer = self._on_send(message)
            if answer is not None:
                await answer
        self.sent.append(message)

    @property
    def kinds(self) -> list[str]:
        return [message["type"] for message in self.sent]

    @property
    def status(self) -> int | None:
        return next((message["status"] for message in self.sent if message["type"] == "http.response.start"), None)

    @property
    def body(self) -> bytes:
        return b"".join(message.get("body", b"") for message in self.sent)


def http_scope(path: str = "/", method: str = "GET") -> dict[str, Any]:
    return {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "http_version": "1.1",
        "method": method,
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"",
        "root_path": "",
        "headers": [(b"host", b"test")],
        "client": ("127.0.0.1", 1234),
        "server": ("127.0.0.1", 80),
    }
