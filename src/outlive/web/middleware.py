"""Times the tasks of a request: the innermost ASGI middleware of an application.

It must be innermost, because Starlette's handlers answer an exception inside `except`: there, and nowhere further out,
`send` can see that the endpoint raised.
"""

import asyncio
import sys
import time
from collections.abc import Mapping
from functools import partial
from typing import Any

import anyio
from starlette.exceptions import HTTPException, WebSocketException
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from starlette.websockets import WebSocketDisconnect

from outlive.definitions.coordination import bind, unbind
from outlive.web.host import Host
from outlive.web.moments import NOT_ACCEPTED, Moments
from outlive.web.tasks import SCOPE_KEY, Tasks, TasksHolder, why_not_accepted
from outlive.web.traces import Trace

_REFUSED = 503
_CLOSING = ("websocket.close", "websocket.http.response.start")


class TasksMiddleware:
    """Gives each request its `Tasks`, and the tasks their moments."""

    def __init__(self, app: ASGIApp, host: Host, *, takes_plain: bool = False) -> None:
        self._app = app
        self._host = host
        self._takes_plain = takes_plain

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection."""
        kind = scope["type"]
        if kind not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        host = self._host
        if not host.is_started:
            await host.startup()  # mounted applications and bare ASGI transports have no lifespan
        if host.rehearsal is not None:
            host.rehearsal.begin_request(host.runtime.loop)
        bind(host)
        app = scope.get("app")
        exchange = Exchange(host, scope, app if self._takes_plain else None, receive, send)
        exchange.outer, scope[SCOPE_KEY] = scope.get(SCOPE_KEY), exchange
        try:
            if kind == "http":
                await self._app(scope, exchange.receive, exchange.send)
            else:
                await self._app(
                    scope, receive, partial(exchange.send_websocket, getattr(app, "exception_handlers", {}))
                )
        except BaseException as error:
            refusal = await exchange.failed(error)
            if refusal is None:
                raise
            await _answer_503(refusal, scope, receive, send)
        finally:
            exchange.close()
            unbind(host)
            if host.rehearsal is not None:
                await host.rehearsal.end_request()


class Exchange:
    """One request and its response going by. What nobody uses costs nothing: `tasks` is made when it is asked for."""

    __slots__ = (
        "_began",
        "_error_at_receive",
        "_moments",
        "_plain_app",
        "_receive",
        "_refusal",
        "_scope",
        "_send",
        "_tasks",
        "_was_handling",
        "has_started",
        "host",
        "outer",
    )

    def __init__(self, host: Host, scope: Scope, plain_app: object | None, receive: Receive, send: Send) -> None:
        self._began = time.perf_counter()
        self._scope = scope
        self.host = host
        self.outer: TasksHolder | None = None
        self._plain_app = plain_app
        self._receive = receive
        self._send = send
        self._error_at_receive: BaseException | None = None
        #: What kept the tasks from being accepted; Starlette may turn it into another exception on its way out.
        self._refusal: BaseException | None = None
        self._tasks: Tasks | None = None
        self._moments: Moments | None = None
        self._was_handling = sys.exc_info()[1]
        self.has_started = False

    @property
    def tasks(self) -> Tasks:
        """The request's background tasks."""
        if self._tasks is None:
            self._tasks = Tasks(self.host)
            self._moments = self._tasks.moments
            if self.host.traces is not None:
                scope = self._scope
                self._moments.trace = Trace(scope.get("method", "WEBSOCKET"), scope["path"], self._began)
            if self.has_started:
                self._moments.decide(has_raised=False)
        return self._tasks

    def takes_plain(self, app: object) -> bool:
        """Whether plain `BackgroundTasks` annotations of this application receive `tasks`."""
        return self._plain_app is not None and self._plain_app is app

    # A plain function: where nothing was scheduled, the response must not pay for a coroutine.
    def send(self, message: Message) -> Any:
        """Pass a message on, holding it back while something has to happen before it."""
        moments = self._moments
        if moments is None:
            self.has_started = True
            return self._send(message)
        if message["type"] == "http.response.start":
            return self._start(moments, message)
        if moments.is_used and _is_last(message):
            return self._send_last(moments, message)
        return self._send(message)

    def receive(self) -> Any:
        """Pass on what the client sends, and remember what was being handled when it was last asked for."""
        self._error_at_receive = sys.exc_info()[1]
        return self._receive()

    def send_websocket(self, handlers: Mapping[Any, Any], message: Message) -> Any:
        """Pass a message on; a connection that is closed by an exception handler ends an endpoint that raised."""
        moments = self._moments
        if moments is not None and message["type"] in _CLOSING and not moments.is_decided:
            error = self._handled_error(moments)
            moments.decide(has_raised=error is not None and _answers(handlers, error))
        return self._send(message)

    def _handled_error(self, moments: Moments) -> BaseException | None:
        """The exception inside whose handler a message is sent."""
        error = sys.exc_info()[1]
        at_receive = self._error_at_receive
        if error is None and at_receive is not None and asyncio.current_task() is not moments.endpoint:
            # A streaming response sends from a task of its own, and watches the client from the handler.
            error = at_receive
        return error if error is not self._was_handling else None

    def _start(self, moments: Moments, message: Message) -> Any:
        try:
            moments.decide(has_raised=self._handled_error(moments) is not None)
        except NOT_ACCEPTED as error:
            self._refusal = error
            raise
        if moments.trace is not None:
            moments.trace.status = message["status"]
        if moments.is_used and moments.must_wait:
            return self._hold(moments, message)
        self.has_started = True
        return self._send(message)

    async def _hold(self, moments: Moments, message: Message) -> None:
        # Shielded, so that a client that hangs up cannot part a request from its tasks.
        with anyio.CancelScope(shield=True):
            try:
                await moments.commit()
            except NOT_ACCEPTED as error:
                self._refusal = error
                raise
            await moments.finish_route()
            self.has_started = True
            await self._send(message)

    async def _send_last(self, moments: Moments, message: Message) -> None:
        try:
            if moments.must_wait:  # scheduled while the body was being sent
                with anyio.CancelScope(shield=True):
                    await moments.commit()
                    await moments.finish_route()
            await self._send(message)
        finally:
            moments.release()

    async def failed(self, error: BaseException) -> BaseException | None:
        """The application raised; give what kept its tasks from being accepted, where the client can still be told."""
        moments = self._moments
        refusal = self._refusal or (error if isinstance(error, NOT_ACCEPTED) else None)
        if refusal is not None and not self.has_started:
            if moments is not None:
                moments.give_up()
                if moments.trace is not None:
                    moments.trace.status = _REFUSED
            return refusal
        # A client that hung up does not decide what becomes of the tasks.
        if moments is not None and not moments.is_decided and not isinstance(error, WebSocketDisconnect):
            with anyio.CancelScope(shield=True):
                await _drop(moments)
        return None

    def close(self) -> None:
        """The application is done with the request."""
        moments = self._moments
        if moments is not None and not moments.is_released:
            if not moments.is_decided:  # a WebSocket, or an application that sent nothing
                moments.decide(has_raised=False)
            moments.release()
        # A scope that leads back to itself would wait for the garbage collector.
        if self.outer is None:
            self._scope.pop(SCOPE_KEY, None)
        else:
            self._scope[SCOPE_KEY] = self.outer


async def _drop(moments: Moments) -> None:
    """The server's error page comes from further out; what it stands for is to be durable before that."""
    try:
        moments.decide(has_raised=True)
        await moments.commit()
    except NOT_ACCEPTED:
        moments.give_up()  # the endpoint's own exception is the one to report


def _answers(handlers: Mapping[Any, Any], error: BaseException) -> bool:
    """Whether Starlette answers this exception by a handler; an endpoint may also catch one and close by itself."""
    return isinstance(error, (HTTPException, WebSocketException)) or any(
        kind in handlers for kind in type(error).__mro__
    )


def _is_last(message: Message) -> bool:
    kind = message["type"]
    return kind == "http.response.pathsend" or (kind == "http.response.body" and not message.get("more_body", False))


async def _answer_503(error: BaseException, scope: Scope, receive: Receive, send: Send) -> None:
    answer = why_not_accepted(error)
    await JSONResponse({"detail": answer.detail}, answer.status_code, answer.headers)(scope, receive, send)
