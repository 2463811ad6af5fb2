"""`Tasks`: what an endpoint schedules on. One object per request, whichever way it is asked for."""

import asyncio
import threading
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from datetime import datetime
from itertools import chain, pairwise
from typing import TYPE_CHECKING, Any, ParamSpec, Protocol, TypeVar, Unpack, overload

from fastapi import BackgroundTasks, HTTPException
from starlette.requests import HTTPConnection

from outlive.core.config import UNSET, TaskConfig, TaskOptions, config_of
from outlive.definitions.task import Task
from outlive.errors import BackendUnavailableError, JournalFullError, NotInitializedError
from outlive.runtime.runtime import Runtime
from outlive.web.host import Host

P = ParamSpec("P")
R = TypeVar("R")

#: Where the middleware leaves the request's `TasksHolder` in the ASGI scope.
SCOPE_KEY = "outlive.tasks"

IMMEDIATE, AFTER_ROUTE, AFTER_RESPONSE = "immediate", "after_route", "after_response"

ENDPOINT_RAISED = "the endpoint that scheduled it raised, so it was dropped; even_on_error=True keeps such a task"
GAVE_UP = "its request failed because not all of its tasks could be stored"

#: What a backend or a full journal says to a task that it cannot take.
NOT_ACCEPTED = (BackendUnavailableError, JournalFullError)


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


async def tasks_of_request(conn: HTTPConnection) -> "Tasks":
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

    __slots__ = ("_options", "_tasks", "_timing")

    def __init__(self, tasks: "Tasks", timing: str, options: TaskConfig = UNSET) -> None:
        self._tasks = tasks
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
        return self._tasks.accept(func, args, kwargs, self._options, self._timing)


class Batch(Scheduler):
    """The tasks of one request that wait for the endpoint, or for the response."""

    __slots__ = ("scheduled",)

    def __init__(self, tasks: "Tasks", timing: str) -> None:
        super().__init__(tasks, timing)
        #: What has been scheduled in this mode so far.
        self.scheduled: list[Task[Any]] = []

    def _accept(self, func: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Task[Any]:
        task = super()._accept(func, args, kwargs)
        self.scheduled.append(task)
        return task

    def task(self, **options: Unpack[TaskOptions]) -> Scheduler:
        """The same mode with options; any of `TaskConfig`, and `name` is a label for screens and logs."""
        return Scheduler(self._tasks, self._timing, config_of(options))


class Tasks(BackgroundTasks):
    """Background tasks of one request.

    Ask for it by annotation (`tasks: Tasks`), by `Depends(manager.get_tasks)` or `Depends(manager.background_tasks)`:
    all give the same object. `schedule` starts at once, `after_route` before the response is sent and `after_response`
    when it has been sent.
    """

    if not TYPE_CHECKING:

        def __new__(cls, *_args: Any, **kwargs: Any) -> Any:
            """`tasks: Tasks = Depends()` makes FastAPI call the class; it gets the request's object."""
            conn = kwargs.get("conn")
            return super().__new__(cls) if conn is None else tasks_of_request(conn)

        # FastAPI looks here for the signature, and sees a coroutine function that needs no thread.
        __wrapped__ = staticmethod(tasks_of_request)

    def __init__(self, host: Host, background_tasks: BackgroundTasks | None = None) -> None:
        # Starlette's own list stays empty: nothing of ours runs inside the response.
        self.tasks = []
        self._host = host
        #: The asyncio task the endpoint runs in.
        self.endpoint = asyncio.current_task()
        #: Whether anything was scheduled; the middleware does nothing at all until then.
        self.is_used = False
        #: What must be committed before the response may go on.
        self.uncommitted: list[Task[Any]] = []
        self._after_route: Batch | None = None
        self._after_response: Batch | None = None
        # What waits for its moment, by timing mode.
        self._waiting: dict[str, list[Task[Any]]] = {AFTER_ROUTE: [], AFTER_RESPONSE: []}
        # `after_route` tasks that were scheduled after the endpoint had returned, while the body was being sent.
        self._late: list[Task[Any]] = []
        self.is_decided = False
        self.has_raised = False
        self.is_released = False
        if background_tasks is not None:
            background_tasks.add_task(self.release_detached)

    async def __call__(self) -> None:
        """Starlette calls this with the response; the middleware times the tasks, so there is nothing to do."""

    # -- scheduling ------------------------------------------------------------------------------

    @property
    def after_route(self) -> Batch:
        """Start when the endpoint has returned; the response waits for the first attempt."""
        if self._after_route is None:
            self._after_route = Batch(self, AFTER_ROUTE)
        return self._after_route

    @property
    def after_response(self) -> Batch:
        """Start when the last byte of the response was handed to the server."""
        if self._after_response is None:
            self._after_response = Batch(self, AFTER_RESPONSE)
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
        return self.accept(func, args, kwargs, UNSET, IMMEDIATE)

    def task(self, **options: Unpack[TaskOptions]) -> Scheduler:
        """The same as `schedule` with options; any of `TaskConfig`, and `name` is a label for screens and logs."""
        return Scheduler(self, IMMEDIATE, config_of(options))

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
        return self.accept(func, args, kwargs, options, None).id

    def accept(
        self,
        func: Callable[..., Any],
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        options: TaskConfig,
        timing: str | None,
    ) -> Task[Any]:
        """Build a task and start it or keep it back; `timing` None is `add_task`, where the options decide."""
        runtime = self._host.runtime
        task = runtime.intake.build(func, args, kwargs, options, timing or AFTER_RESPONSE)
        self.is_used = True
        if timing is None:
            timing = self._timing_of_add_task(task)
        holder = self._key_holder(runtime, task, timing)
        if holder is not task:
            return self._join(holder)
        if timing == IMMEDIATE:
            self._start_now(runtime, task)
        elif self.is_decided and threading.get_ident() != runtime.loop_thread:
            runtime.loop.call_soon_threadsafe(self._keep_quietly, runtime, task)
        else:
            self._keep(runtime, task)
        return task

    def _key_holder(self, runtime: Runtime, task: Task[Any], timing: str) -> Task[Any]:
        """The task that already holds the idempotency key, as far as this process knows; else the task itself."""
        key = task.facts.idempotency_key
        if key is None:
            return task
        for waiting in chain.from_iterable(self._waiting.values()):
            if waiting.facts.idempotency_key == key:
                return waiting
        if timing == IMMEDIATE:
            return runtime.store.reserve(task)
        return runtime.store.holder_of(key) or task

    def _join(self, holder: Task[Any]) -> Task[Any]:
        """Let the response wait until the task that stands for this call is durable, too."""
        if holder.hold is None and not holder.is_durable and not self.is_released:
            self.uncommitted.append(holder)
        return holder

    def _timing_of_add_task(self, task: Task[Any]) -> str:
        if task.effective.eager or task.effective.priority is not None:
            task.facts.timing = IMMEDIATE
            return IMMEDIATE
        task.is_ordered = task.run_at <= task.facts.created_at
        return AFTER_RESPONSE

    def _start_now(self, runtime: Runtime, task: Task[Any]) -> None:
        if threading.get_ident() == runtime.loop_thread:
            # What it raises is the caller's to handle, and not for the response to repeat.
            runtime.intake.enqueue([task])
        else:
            runtime.loop.call_soon_threadsafe(_enqueue_quietly, runtime, task)
        if not self.is_released:
            self.uncommitted.append(task)

    def _keep_quietly(self, runtime: Runtime, task: Task[Any]) -> None:
        if not self.is_released:
            self.uncommitted.append(task)
        with suppress(*NOT_ACCEPTED):  # the thread that called is gone; the task, and so the response, has the error
            self._keep(runtime, task)

    def _keep(self, runtime: Runtime, task: Task[Any]) -> None:
        is_over = self.is_decided if task.facts.timing == AFTER_ROUTE else self.is_released
        if is_over and self.has_raised and not task.effective.even_on_error:
            runtime.intake.discard([task], ENDPOINT_RAISED)
        elif is_over:
            self._start_now(runtime, task)
            if not self.is_released:
                self._late.append(task)
        else:
            task.hold = self
            self._waiting[task.facts.timing].append(task)
            if self.is_decided:  # the commit for the response's start has been
                self.submit(task)
                self.uncommitted.append(task)

    # -- the request goes on (told by the middleware) --------------------------------------------

    def submit(self, task: Task[Any]) -> None:
        """Write a held task to the journal before its time."""
        if not task.is_submitted:
            self._host.runtime.intake.enqueue([task], offer=False)

    def decide(self, *, has_raised: bool) -> None:
        """The endpoint's fate is known: drop or write what was kept back."""
        self.is_decided, self.has_raised = True, has_raised
        if not self.is_used:
            return
        if has_raised:
            self._discard()
        kept = self._waiting[AFTER_ROUTE] + self._waiting[AFTER_RESPONSE]
        fresh = [task for task in kept if not task.is_submitted]
        if fresh:
            self._host.runtime.intake.enqueue(fresh, offer=False)
        self.uncommitted = [task for task in (*self.uncommitted, *kept) if not task.is_durable]

    def _discard(self) -> None:
        dropped = self._take(lambda task: not task.effective.even_on_error)
        if dropped:
            self._host.runtime.intake.discard(dropped, ENDPOINT_RAISED)

    def _take(self, wanted: Callable[[Task[Any]], bool]) -> list[Task[Any]]:
        """Let go of the waiting tasks that are wanted elsewhere."""
        taken = [task for tasks in self._waiting.values() for task in tasks if wanted(task)]
        for task in taken:
            task.hold = None
        for timing, tasks in self._waiting.items():
            self._waiting[timing] = [task for task in tasks if task.hold is not None]
        return taken

    @property
    def must_wait(self) -> bool:
        """Whether the response has to wait: for a commit, or for an `after_route` task."""
        return bool(self.uncommitted or self._late or self._waiting[AFTER_ROUTE])

    async def commit(self) -> None:
        """Return when everything scheduled so far is durable; raise what kept a task from being so."""
        waiting, self.uncommitted = self.uncommitted, []
        for task in waiting:
            await task.durable()

    async def finish_route(self) -> None:
        """Start the `after_route` tasks and return when the first attempt of each is over."""
        route, late, self._late = self._waiting[AFTER_ROUTE], self._late, []
        self._release(AFTER_ROUTE)
        for task in (*route, *late):
            await task.wait_first_attempt()

    def release(self) -> None:
        """Start what waited for the response; harmless when repeated."""
        self.is_released = True
        self._release(AFTER_ROUTE)
        self._release(AFTER_RESPONSE)

    def _release(self, timing: str) -> None:
        tasks = self._waiting[timing]
        if not tasks:
            return
        self._waiting[timing] = []
        for task in tasks:
            task.hold = None
        for task in _link_ordered([task for task in tasks if task.facts.owner is not None and task.is_pending]):
            self._host.runtime.dispatcher.offer(task)

    def give_up(self) -> None:
        """The client is told that its request failed: nothing that has not started may run."""
        self._host.runtime.intake.withdraw(self._take(lambda _: True), GAVE_UP)

    async def release_detached(self) -> None:
        """What the middleware does, for an object that was made by hand around Starlette's own."""
        self.decide(has_raised=False)
        await self.commit()
        self.release()


#: The name under which taskflow's users know the object.
ManagedBackgroundTasks = Tasks


def _link_ordered(tasks: list[Task[Any]]) -> list[Task[Any]]:
    """Chain a request's `add_task` calls, each behind the one before, and return the tasks that start now."""
    if len(tasks) == 1:
        return tasks
    ordered = [task for task in tasks if task.is_ordered]
    for task, follower in pairwise(ordered):
        task.follower = follower
    return [task for task in tasks if not task.is_ordered or task is ordered[0]]


def _enqueue_quietly(runtime: Runtime, task: Task[Any]) -> None:
    try:
        runtime.intake.enqueue([task])
    except Exception:  # noqa: BLE001 - the task carries the error; its `durable()`, and so the response, raises it
        assert not task.is_durable


def _inline(**options: Any) -> TaskConfig:
    given = {name: value for name, value in options.items() if value is not None}
    return TaskConfig(**given) if given else UNSET
