"""`Tasks`: what an endpoint schedules on. One object per request, whichever way it is asked for."""

from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime
from inspect import signature
from typing import TYPE_CHECKING, Any, ParamSpec, Protocol, Self, TypeVar, Unpack, overload

from fastapi import BackgroundTasks, HTTPException
from starlette.requests import HTTPConnection

from outlive.core.config import UNSET, TaskConfig, TaskOptions, config_of
from outlive.definitions.task import Task
from outlive.errors import NotInitializedError
from outlive.web.host import Host
from outlive.web.moments import AFTER_RESPONSE, AFTER_ROUTE, IMMEDIATE, Moments

P = ParamSpec("P")
R = TypeVar("R")

#: Where the middleware leaves the request's `TasksHolder` in the ASGI scope.
SCOPE_KEY = "outlive.tasks"


def why_not_accepted(error: BaseException) -> HTTPException:
    """What the client is told."""
    detail = f"background tasks cannot be accepted at the moment ({type(error).__name__})"
    return HTTPException(503, detail, {"Retry-After": "1"})


class TasksHolder(Protocol):
    """What the middleware leaves in the ASGI scope."""

    #: Where the application has several managers or is mounted in another one: the holder around this one.
    outer: "TasksHolder | None"

    @property
    def host(self) -> Host:
        """Whose tasks they are."""
        ...

    @property
    def tasks(self) -> "Tasks":
        """The request's background tasks."""
        ...


def tasks_of_request(conn: HTTPConnection) -> "Tasks":
    """The request's `Tasks`; `NotInitializedError` where the application was not initialised."""
    holder: TasksHolder | None = conn.scope.get(SCOPE_KEY)
    if holder is None:
        raise NotInitializedError(
            "this application has no background tasks; call manager.init_app(app), TaskAdmin(app, manager) or "
            "add_tasks(app) before it starts"
        )
    return holder.tasks


class Scheduler:
    """Schedules runs in one timing mode, with one set of options."""

    __slots__ = ("_moments", "_options", "_timing")

    def __init__(self, moments: Moments, timing: str, options: TaskConfig = UNSET) -> None:
        self._moments = moments
        self._timing = timing
        self._options = options

    @overload
    def schedule(self, func: Callable[P, Awaitable[R]], /, *args: P.args, **kwargs: P.kwargs) -> Task[R]: ...
    @overload
    def schedule(self, func: Callable[P, R], /, *args: P.args, **kwargs: P.kwargs) -> Task[R]: ...
    def schedule(self, func: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Task[Any]:
        """Accept one run of `func`; every further argument goes to the function.

        Raises `TypeError` for a call that the function would refuse, `TaskArgumentError` for an argument that cannot
        be stored, `JournalFullError` when the backend cannot keep up.
        """
        return self._accept(func, args, kwargs)

    def _accept(self, func: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Task[Any]:
        return self._moments.accept(func, args, kwargs, self._options, self._timing)


class Batch(Scheduler):
    """The tasks of one request that wait for the endpoint, or for the response."""

    __slots__ = ("scheduled",)

    def __init__(self, moments: Moments, timing: str) -> None:
        super().__init__(moments, timing)
        #: What has been scheduled in this mode so far.
        self.scheduled: list[Task[Any]] = []

    def _accept(self, func: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Task[Any]:
        task = super()._accept(func, args, kwargs)
        self.scheduled.append(task)
        return task

    def task(self, **options: Unpack[TaskOptions]) -> Scheduler:
        """The same mode with options; any of `TaskConfig`, and `name` is a label for screens and logs."""
        return Scheduler(self._moments, self._timing, config_of(options))


class Tasks(BackgroundTasks):
    """Background tasks of one request.

    Ask for it by annotation (`tasks: Tasks`), by `Depends(manager.get_tasks)` or `Depends(manager.background_tasks)`:
    all give the same object. `schedule` starts at once, `after_route` before the response is sent and `after_response`
    when it has been sent.
    """

    if not TYPE_CHECKING:
        # `tasks: Tasks = Depends()` makes FastAPI call the class, with what this signature asks for.
        __signature__ = signature(tasks_of_request)

        def __new__(cls, host: Any = None, background_tasks: Any = None, *, conn: Any = None) -> Self:
            """A new object, or for FastAPI the request's."""
            if conn is not None:
                return tasks_of_request(conn)
            self = super().__new__(cls)
            # Starlette's own list stays empty: nothing of ours runs inside the response.
            self.tasks = []
            #: When the tasks start; the middleware leads it through the request.
            self.moments = Moments(host)
            self._after_route = self._after_response = None
            if background_tasks is not None:
                background_tasks.add_task(self._release_detached)
            return self

        def __init__(self, *_args: Any, **_kwargs: Any) -> None:
            """Nothing to do: the request's object comes by here a second time."""

    else:
        moments: Moments
        _after_route: Batch | None
        _after_response: Batch | None

        def __init__(self, host: Host, background_tasks: BackgroundTasks | None = None) -> None: ...

    async def __call__(self) -> None:
        """Starlette calls this with the response; the middleware times the tasks, so there is nothing to do."""

    # -- scheduling ------------------------------------------------------------------------------

    @property
    def after_route(self) -> Batch:
        """Start when the endpoint has returned; the response waits for the first attempt."""
        if self._after_route is None:
            self._after_route = Batch(self.moments, AFTER_ROUTE)
        return self._after_route

    @property
    def after_response(self) -> Batch:
        """Start when the last byte of the response was handed to the server."""
        if self._after_response is None:
            self._after_response = Batch(self.moments, AFTER_RESPONSE)
        return self._after_response

    @overload
    def schedule(self, func: Callable[P, Awaitable[R]], /, *args: P.args, **kwargs: P.kwargs) -> Task[R]: ...
    @overload
    def schedule(self, func: Callable[P, R], /, *args: P.args, **kwargs: P.kwargs) -> Task[R]: ...
    def schedule(self, func: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Task[Any]:
        """Accept one run of `func` that starts at once, beside the endpoint; every further argument is the function's.

        Raises `TypeError` for a call that the function would refuse, `TaskArgumentError` for an argument that cannot
        be stored, `JournalFullError` when the backend cannot keep up.
        """
        return self.moments.accept(func, args, kwargs, UNSET, IMMEDIATE)

    def task(self, **options: Unpack[TaskOptions]) -> Scheduler:
        """The same as `schedule` with options; any of `TaskConfig`, and `name` is a label for screens and logs."""
        return Scheduler(self.moments, IMMEDIATE, config_of(options))

    def add_task(  # type: ignore[override]
        self,
        func: Callable[..., Any],
        /,
        *args: Any,
        idempotency_key: str | None = None,
        tags: Mapping[str, str] | None = None,
        eager: bool | None = None,
        priority: int | None = None,
        queue: str | None = None,
        run_at: datetime | None = None,
        run_in: float | None = None,
        **kwargs: Any,
    ) -> str:
        """Accept one run after the response, in the order of the calls, and return its id.

        `eager=True` or a `priority` starts it at once instead. The keywords above cannot reach the function; where it
        has parameters of these names, use `tasks.task(...).schedule(...)`.
        """
        options = _inline(
            idempotency_key=idempotency_key,
            tags=tags,
            eager=eager,
            priority=priority,
            queue=queue,
            run_at=run_at,
            run_in=run_in,
        )
        return self.moments.accept(func, args, kwargs, options, None).id

    async def _release_detached(self) -> None:
        """What the middleware does, for an object that was made by hand around Starlette's own."""
        self.moments.decide(has_raised=False)
        await self.moments.commit()
        self.moments.release()


#: The name under which taskflow's users know the object.
ManagedBackgroundTasks = Tasks


def _inline(**options: Any) -> TaskConfig:
    given = {name: value for name, value in options.items() if value is not None}
    return TaskConfig(**given) if given else UNSET
