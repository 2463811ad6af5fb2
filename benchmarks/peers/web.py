"""The side of an adapter that has applications: one request at a time by hand, many through a server, or no request.

Runs in a peer's environment: nothing but FastAPI, uvicorn and the standard library here.
"""

import asyncio
import socket
import time
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AsyncExitStack
from typing import Any

import uvicorn
from fastapi import FastAPI
from starlette.types import ASGIApp

from benchmarks.asgi import receive, request_scope, send
from benchmarks.peers.adapter import answer


class Web:
    """What an adapter with applications has."""

    def apps(self) -> Mapping[str, Callable[[], FastAPI]]:
        """The applications by the names of their cases; each has `POST /signup`."""
        raise NotImplementedError

    def in_process(self) -> Mapping[str, Callable[[int], Awaitable[float]]]:
        """Tasks per second, from the first of so many accepted to the last one's end, by the names of cases."""
        return {}


async def noop(address: str) -> None:
    """The task of every request."""


def sync_noop(address: str) -> None:
    """The same as a plain function."""


def plain() -> FastAPI:
    """An endpoint without a task."""
    app = FastAPI()

    @app.post("/signup")
    async def endpoint(email: str) -> dict[str, bool]:
        return {"ok": bool(email)}

    return app


async def ask(web: Web) -> None:
    """Answer until nobody asks any more."""
    async with AsyncExitStack() as stack:
        apps: dict[str, tuple[ASGIApp, Any]] = {}
        for name, make in web.apps().items():
            app = make()
            apps[name] = app, await stack.enter_async_context(app.router.lifespan_context(app))

        async def request(case: str, calls: int) -> Mapping[str, Any]:
            app, state = apps[case]
            for _ in range(3):
                await _one(app, state)
            return {"value": sum([await _one(app, state) for _ in range(calls)]) / calls}

        async def in_process(case: str, count: int) -> Mapping[str, Any]:
            return {"value": await web.in_process()[case](count)}

        async def cases() -> Mapping[str, Any]:
            return {"cases": list(apps)}

        await answer({"cases": cases, "request": request, "in_process": in_process})


async def _one(app: ASGIApp, state: Mapping[str, Any] | None) -> float:
    scope = request_scope()
    scope["state"] = dict(state or {})
    start = time.perf_counter()
    await app(scope, receive, send)
    await asyncio.sleep(0)
    return time.perf_counter() - start


def serve(app: FastAPI, loop: str = "asyncio") -> None:
    """Serve on a free port of the loopback interface and print its number; on asyncio's own loop, or `uvloop`."""
    # With the protocol named, or asyncio does not set TCP_NODELAY and every response waits 40 ms.
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind(("127.0.0.1", 0))
    print(listener.getsockname()[1], flush=True)
    config = uvicorn.Config(app, loop=loop, log_level="warning", access_log=False)
    uvicorn.Server(config).run(sockets=[listener])
