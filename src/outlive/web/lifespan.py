"""Ties a manager to an application."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any, Protocol

from fastapi import FastAPI
from starlette.middleware import Middleware

from outlive.definitions.coordination import Coordination
from outlive.errors import NotInitializedError
from outlive.runtime.runtime import Runtime
from outlive.web import seam
from outlive.web.host import Host
from outlive.web.middleware import TasksMiddleware


class LifespanHost(Host, Protocol):
    """A host that can also be shut down."""

    async def shutdown(self) -> None:
        """Stop; harmless when stopped already."""


def prepare(app: FastAPI, host: LifespanHost, *, install: bool) -> None:
    """Give an application its middleware and tie the host's life to its lifespan; harmless when repeated.

    The host starts after the application's own `lifespan=` has opened its resources and stops before they close.
    """
    known = _middleware_of(app, host)
    if known is not None:
        known.kwargs["takes_plain"] = known.kwargs["takes_plain"] or install
        return
    if app.middleware_stack is not None:
        raise NotInitializedError("the application has already started; call init_app(app) before it does")
    middleware = Middleware(TasksMiddleware, host=host, takes_plain=install)
    app.user_middleware.append(middleware)

    inner = app.router.lifespan_context

    @asynccontextmanager
    async def lifespan(started: FastAPI) -> AsyncGenerator[Any]:
        async with inner(started) as state:
            await seam.probe(middleware_for_probe(host))
            await host.startup()
            try:
                yield state
            finally:
                await host.shutdown()

    app.router.lifespan_context = lifespan


def middleware_for_probe(host: Host) -> Middleware:
    """The middleware as the probe's own small application uses it."""
    return Middleware(TasksMiddleware, host=_Started(host))


class _Started:
    """The host as the probe needs it: nothing is scheduled, so nothing has to be started."""

    is_started = True
    rehearsal = None
    traces = None

    def __init__(self, host: Host) -> None:
        self._host = host

    @property
    def runtime(self) -> Runtime:
        return self._host.runtime

    @property
    def coordination(self) -> Coordination:
        return self._host.coordination

    async def startup(self) -> None:
        pass


def _middleware_of(app: FastAPI, host: Host) -> Middleware | None:
    for middleware in app.user_middleware:
        kind: Any = middleware.cls
        if kind is TasksMiddleware and middleware.kwargs.get("host") is host:
            return middleware
    return None
