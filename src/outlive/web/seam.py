"""The one place that touches names FastAPI keeps to itself.

FastAPI fills a `BackgroundTasks` parameter inside `fastapi.routing.solve_dependencies`. We stand in front of that
function and, for a request of an application that asked for it, hand in our object through the function's own
`background_tasks` argument. Requests of other applications pass untouched. `probe` shows at start-up that this still
works with the installed FastAPI.
"""

import asyncio
import inspect
from collections.abc import Mapping
from contextlib import AsyncExitStack
from enum import Enum
from typing import Any, Self, cast, get_type_hints

import fastapi.routing
from fastapi import FastAPI
from fastapi.dependencies.models import Dependant
from starlette.middleware import Middleware
from starlette.requests import HTTPConnection
from starlette.types import Message

from outlive.errors import FrameworkChangedError, NotInitializedError
from outlive.web.host import Host
from outlive.web.middleware import Exchange
from outlive.web.moments import NOT_ACCEPTED
from outlive.web.tasks import SCOPE_KEY, Tasks, TasksHolder, tasks_of_request, why_not_accepted

_SOLVER = "solve_dependencies"
_FUNCTION_STACK = "fastapi_function_astack"


class _Wish(Enum):
    """What a route and its dependencies ask for; what is later in the list includes what is before."""

    NOTHING = 0
    PLAIN = 1
    TASKS = 2


class _Injection:
    """The replacement of FastAPI's solver."""

    def __init__(self, original: Any) -> None:
        self.original = original
        # By id, with the dependant kept alive beside the answer: dependants are not hashable. One per route.
        self._wishes: dict[int, tuple[Dependant, _Wish]] = {}

    def __call__(self, **given: Any) -> Any:
        request: HTTPConnection = given["request"]
        exchange: Exchange | None = request.scope.get(SCOPE_KEY)
        wish = self._wish(given["dependant"])
        if exchange is None:
            if wish is _Wish.TASKS:
                return tasks_of_request(request)  # raises what is missing
        elif wish is _Wish.TASKS or self._fits(wish, exchange, request, given):
            given.setdefault("background_tasks", exchange.tasks)
        return self.original(**given)

    def _fits(self, wish: _Wish, exchange: Exchange, request: HTTPConnection, given: Mapping[str, Any]) -> bool:
        if wish is _Wish.PLAIN:
            return exchange.takes_plain(request.scope.get("app"))
        # An overriding dependency is analysed by FastAPI on the way; what it asks for cannot be known here.
        return bool(getattr(given.get("dependency_overrides_provider"), "dependency_overrides", None))

    def _wish(self, dependant: Dependant) -> _Wish:
        known = self._wishes.get(id(dependant))
        if known is None:
            known = self._wishes[id(dependant)] = (dependant, _wish_of(dependant))
        return known[1]


def _wish_of(dependant: Dependant) -> _Wish:
    if inspect.isclass(dependant.call) and issubclass(dependant.call, Tasks):
        return _Wish.TASKS  # `= Depends()`; made here, because FastAPI calls the class in a thread
    wishes = [_wish_of(dependency) for dependency in dependant.dependencies]
    name = dependant.background_tasks_param_name
    if name is not None and dependant.call is not None:
        wishes.append(_Wish.TASKS if _is_tasks(dependant.call, name) else _Wish.PLAIN)
    return max(wishes, key=lambda wish: wish.value, default=_Wish.NOTHING)


def _is_tasks(call: Any, name: str) -> bool:
    """Whether the parameter is annotated with our class and not with FastAPI's own."""
    target = call if inspect.isroutine(call) else call.__init__ if inspect.isclass(call) else call.__call__
    try:
        hint = get_type_hints(target).get(name)
    except (NameError, TypeError):
        return False
    return isinstance(hint, type) and issubclass(hint, Tasks)


def install() -> None:
    """Put the replacement in place; harmless when repeated."""
    solver = getattr(fastapi.routing, _SOLVER, None)
    if solver is None or not inspect.iscoroutinefunction(getattr(solver, "original", solver)):
        raise FrameworkChangedError(_moved("fastapi.routing.solve_dependencies is not the coroutine function it was"))
    if not isinstance(solver, _Injection):
        setattr(fastapi.routing, _SOLVER, _Injection(solver))


async def probe(middleware: Middleware) -> None:
    """Send one request through a small application in this process; `FrameworkChangedError` unless `Tasks` arrives."""
    seen: list[object] = []
    app = FastAPI(openapi_url=None, middleware=[middleware])

    @app.get("/")
    async def endpoint(tasks: Tasks) -> None:
        seen.append(tasks)

    await app(_request_scope(), _no_body, _ignore)
    if not seen or not isinstance(seen[0], Tasks):
        raise FrameworkChangedError(_moved(f"a probe request was given {seen[0] if seen else 'nothing'!r}"))


def tasks_without_middleware(conn: HTTPConnection, host: Host) -> Tasks:
    """The request's `Tasks` where only the manager was started: committed when the endpoint has returned."""
    stack = conn.scope.get(_FUNCTION_STACK)
    if not isinstance(stack, AsyncExitStack):
        raise NotInitializedError(
            "this application was not initialised; call manager.init_app(app) before it starts, so that tasks can be "
            "committed before the response"
        )
    alone = _Alone(host)
    holder: TasksHolder = conn.scope.setdefault(SCOPE_KEY, alone)
    if holder is not alone:  # another manager has the middleware, and what comes without a manager's name
        alone.outer, holder.outer = holder.outer, alone
    cast("AsyncExitStack[bool | None]", stack).push_async_exit(alone)
    return alone.tasks


class _Alone:
    """Stands where the middleware would: it sees the endpoint return, and not the response."""

    def __init__(self, host: Host) -> None:
        self.host = host
        self.outer: TasksHolder | None = None
        self.tasks = Tasks(host)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, _kind: object, error: BaseException | None, _trace: object) -> None:
        try:
            self.tasks.moments.decide(has_raised=error is not None)
            await self.tasks.moments.commit()
        except NOT_ACCEPTED as refusal:
            self.tasks.moments.give_up()
            if error is None:
                raise why_not_accepted(refusal) from refusal
        await self.tasks.moments.finish_route()
        self.tasks.moments.release()


def _moved(what: str) -> str:
    return f"{what}; this release of outlive does not know the installed FastAPI, upgrade outlive or hold FastAPI back"


def _request_scope() -> dict[str, Any]:
    return {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": "GET",
        "scheme": "http",
        "path": "/",
        "raw_path": b"/",
        "query_string": b"",
        "root_path": "",
        "headers": [],
        "client": ("127.0.0.1", 0),
        "server": ("127.0.0.1", 0),
    }


async def _no_body() -> Message:
    await asyncio.get_running_loop().create_future()
    return {"type": "http.disconnect"}


async def _ignore(message: Message) -> None:
    pass
