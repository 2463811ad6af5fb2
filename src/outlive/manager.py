"""`TaskManager`: what an application creates, and the place where everything is put together."""

import asyncio
import os
from collections.abc import AsyncGenerator, Awaitable, Callable, Generator, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import replace
from types import TracebackType
from typing import Any, ParamSpec, Self, TypeVar, Unpack, cast, overload

from fastapi import FastAPI
from starlette.requests import HTTPConnection

from outlive.backends.callers import CallersConnection
from outlive.backends.memory import MemoryBackend
from outlive.backends.urls import choose_backend
from outlive.core.config import TaskConfig, TaskOptions, config_of
from outlive.core.events import AttemptOverran
from outlive.core.filter import EVERYTHING, Page, TaskFilter
from outlive.core.queues import QueueConfig, declared_queues, queues_to_run
from outlive.core.record import TaskRecord
from outlive.core.retention import checked
from outlive.core.states import TaskStatus
from outlive.definitions.coordination import Coordination, bind, unbind
from outlive.definitions.task import Task
from outlive.errors import ConfigError, NotInitializedError
from outlive.executors.async_ import AsyncExecutor
from outlive.executors.process import ProcessExecutor
from outlive.executors.thread import ThreadExecutor
from outlive.operations import ManagerOptions, Operations, given_options
from outlive.ports import Backend, Call, Clock, Executor, Lease, LeaseEvent
from outlive.queues import Queues
from outlive.runtime.clock import SystemClock
from outlive.runtime.enqueuer import Enqueuer
from outlive.runtime.identity import new_instance
from outlive.runtime.process import Limits, Process
from outlive.runtime.rehearsal import Rehearsal
from outlive.runtime.runtime import Runtime
from outlive.runtime.store import TaskStore
from outlive.runtime.traced import traced
from outlive.sync.election import LeaderElection
from outlive.sync.turns import IntervalTurn
from outlive.web import lifespan, seam
from outlive.web.tasks import SCOPE_KEY, Tasks, TasksHolder
from outlive.web.traces import Traces

P = ParamSpec("P")
R = TypeVar("R")


class TaskManager(Operations, Queues):
    """Declares tasks, accepts runs, and runs them in this process.

    `backend`: a URL (`memory://`, `sqlite:///tasks.db`), the path of a SQLite file, or a `Backend`; memory if left out.
    `snapshot_db` and `snapshot_backend` say the same under taskflow's names. Every option of `TaskConfig` may be given
    as a default for all tasks. Times are seconds. `merged_list_ttl` is taken for taskflow's sake; no list is ever old.

    `requeue_pending=False` stores only tasks with `persist=True` when they are accepted. `snapshot_interval` is how
    often ended records of `persist=False` tasks are written. `max_concurrent_tasks` limits coroutines (default: no
    limit), `max_sync_threads` is the size of the thread pool for plain functions (default 40), `max_process_workers`
    the number of processes for `executor="process"` (default one per processor). `retention_days` deletes finished
    records, never interrupted ones. `shutdown_grace` is what running tasks get at shutdown, `process_shutdown_timeout`
    those in processes, `shutdown_timeout` shielded ones. `lease`: after so long without a sign an instance counts as
    dead.

    `queues` declares the queues and what each allows; another name is refused then, but for `"default"`. `max_size` is
    short for a `"default"` queue of that size. Without both every name is a queue without limits. `run_queues` lets
    this process run tasks of these queues alone, `run_tasks=False` none at all: it accepts them for other processes on
    the same backend.

    `encrypt_args_key`, a key of `cryptography.fernet.Fernet.generate_key()`, encrypts arguments and results wherever
    they are stored; of several keys the first encrypts and all decrypt, see `rotate_keys`.
    """

    #: How the tests of the application have it run; set by `outlive.testing.rehearse`.
    rehearsal: Rehearsal | None = None
    #: The newest requests with tasks; `TaskAdmin` has them noted.
    traces: Traces | None = None

    def __init__(  # noqa: PLR0913 - the options of the product, one name each
        self,
        backend: str | Backend | None = None,
        *,
        snapshot_db: str | None = None,
        snapshot_backend: Backend | None = None,
        snapshot_interval: float = 60.0,
        merged_list_ttl: float = 5.0,
        requeue_pending: bool | None = None,
        max_concurrent_tasks: int | None = None,
        max_sync_threads: int | None = None,
        max_process_workers: int | None = None,
        shutdown_grace: float = 5.0,
        shutdown_timeout: float = 30.0,
        process_shutdown_timeout: float = 30.0,
        lease: float = 15.0,
        poll_interval: float = 1.0,
        journal_capacity: int = 20_000,
        room: int = 10_000,
        queues: Mapping[str, QueueConfig] | None = None,
        max_size: int | None = None,
        run_tasks: bool = True,
        run_queues: Sequence[str] | None = None,
        clock: Clock | None = None,
        **options: Unpack[ManagerOptions],
    ) -> None:
        self.given = given_options(TaskManager.__init__, locals(), options)
        self.backend = choose_backend(backend, snapshot_db, snapshot_backend)
        super().__init__(options)
        self._limits = Limits(
            shutdown_grace=shutdown_grace,
            shutdown_timeout=shutdown_timeout,
            process_shutdown_timeout=process_shutdown_timeout,
            lease=lease,
            poll_interval=poll_interval,
            snapshot_interval=snapshot_interval,
            retention_days=self._surroundings.retention_days,
            room=room,
            journal_capacity=journal_capacity,
            max_result_size=self._surroundings.max_result_size,
            audit_days=self._surroundings.audit_days,
            retention=checked(self._surroundings.retention),
        )
        self._persists = requeue_pending is not False
        self._queues = declared_queues(queues, max_size)
        self._runs_tasks, self._run_queues = run_tasks, queues_to_run(run_queues, self._queues)
        _check_shared(self.backend, run_tasks=run_tasks)
        self._max_concurrent_tasks = _positive("max_concurrent_tasks", max_concurrent_tasks)
        self._max_process_workers = _positive("max_process_workers", max_process_workers)
        self._max_sync_threads = _positive("max_sync_threads", max_sync_threads)
        self._clock: Clock = clock or SystemClock()
        self._memory = self.backend if isinstance(self.backend, MemoryBackend) else MemoryBackend()
        self._runtime: Runtime | None = None
        self._starting: asyncio.Task[None] | None = None
        self._stopping: asyncio.Task[None] | None = None
        #: The process that it is started in, and what that inherited by a fork: kept, so that nothing is closed here.
        self._pid, self._of_parents = os.getpid(), cast("list[object]", [])
        self._no_store = TaskStore()
        self._elections: list[LeaderElection] = []
        seam.install()

    # -- dependencies ----------------------------------------------------------------------------

    @property
    def dependency_overrides(self) -> dict[Callable[..., Any], Callable[..., Any]]:
        """What tasks are given instead of a dependency, by the dependency; for tests, as FastAPI's of the same name.

        Looked at when an attempt begins. `manager.dependency_overrides.update(app.dependency_overrides)` takes over
        those of an application.
        """
        return self.registry.overrides

    # -- coordination ----------------------------------------------------------------------------

    def add_task(self, election: LeaderElection) -> None:
        """Run an election with this manager: it starts with it and, if it leads, steps down when it stops."""
        if not isinstance(election, LeaderElection):  # pyright: ignore[reportUnnecessaryIsInstance] - for the untyped
            raise TypeError(
                f"add_task({election!r}) takes a LeaderElection; to run a function use `await manager.enqueue(func, "
                "...)`, or tasks.add_task(func, ...) inside a request"
            )
        if election not in self._elections:
            self._elections.append(election)
            if self.is_started:
                election.start(self.coordination)

    # -- scheduling ------------------------------------------------------------------------------

    @overload
    async def enqueue(self, func: Callable[P, Awaitable[R]], /, *args: P.args, **kwargs: P.kwargs) -> Task[R]: ...
    @overload
    async def enqueue(self, func: Callable[P, R], /, *args: P.args, **kwargs: P.kwargs) -> Task[R]: ...
    async def enqueue(self, func: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Task[Any]:
        """Accept one run of `func` and return its handle when the record is durable.

        Raises `TypeError` for a call that the function would refuse, `TaskArgumentError` for an argument that cannot
        be stored, `JournalFullError` or `BackendUnavailableError` where it was not accepted.
        """
        return await self.using().enqueue(func, *args, **kwargs)

    @overload
    def enqueue_sync(self, func: Callable[P, Awaitable[R]], /, *args: P.args, **kwargs: P.kwargs) -> Task[R]: ...
    @overload
    def enqueue_sync(self, func: Callable[P, R], /, *args: P.args, **kwargs: P.kwargs) -> Task[R]: ...
    def enqueue_sync(self, func: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Task[Any]:
        """What `enqueue` does, for threads and code outside the event loop: blocks until the record is durable.

        Raises `WouldDeadlockError` in the thread of the manager's event loop, and what `enqueue` raises.
        """
        return self.using().enqueue_sync(func, *args, **kwargs)

    def using(self, *, connection: object = None, **options: Unpack[TaskOptions]) -> Enqueuer:
        """Enqueue with options: any of `TaskConfig`, and `name` is a label for screens and logs.

        With a `connection` of the caller's to the database of the backend, the run is accepted inside its transaction:
        it exists if and only if the caller commits, and starts promptly then. Known are sqlite3, aiosqlite, psycopg,
        asyncpg, and connections and sessions of SQLAlchemy; one that blocks goes with `enqueue_sync`. Raises
        `ConfigError` for any other.
        """
        caller = None if connection is None else CallersConnection(connection)
        return Enqueuer(lambda: self.runtime, config_of(options), caller)

    async def enqueue_many(
        self, func: Callable[..., Any], calls: Iterable[Sequence[Any] | Mapping[str, Any]]
    ) -> list[Task[Any]]:
        """Accept one run of `func` for each of `calls` (positional arguments, or keyword arguments as a mapping).

        They are accepted together or not at all; a call that cannot be stored refuses all of them.
        """
        return await self.using().enqueue_many(func, calls)

    # -- inside a request ------------------------------------------------------------------------

    async def get_tasks(self, conn: HTTPConnection) -> Tasks:
        """FastAPI dependency: the request's `Tasks`."""
        holder: TasksHolder | None = conn.scope.get(SCOPE_KEY)
        while holder is not None:
            if holder.host is self:
                return holder.tasks
            holder = holder.outer
        return seam.tasks_without_middleware(conn, self)

    @property
    def background_tasks(self) -> Callable[..., Any]:
        """The same dependency, under a name that reads better beside a parameter."""
        return self.get_tasks

    # -- life ------------------------------------------------------------------------------------

    def init_app(self, app: FastAPI, *, install: bool = True) -> None:
        """Start and stop with `app` and serve `Tasks` in its requests; harmless when repeated.

        Works together with the application's own `lifespan=`: the manager starts after it and stops before it. With
        `install` plain `BackgroundTasks` annotations of this application (and of no other) receive `Tasks` too.
        """
        lifespan.prepare(app, self, install=install)

    def install(self, app: FastAPI) -> None:
        """Let plain `BackgroundTasks` annotations of `app` receive `Tasks`."""
        self.init_app(app, install=True)

    def set_retention(self, days: float) -> None:
        """Delete finished records that ended more than `days` days ago; only before the manager has started."""
        if self.is_started:
            raise ConfigError("the task manager is running already; set retention_days before it starts")
        self._limits = replace(self._limits, retention_days=days)

    def run_as(
        self,
        *,
        run_tasks: bool = True,
        run_queues: Sequence[str] | None = None,
        max_concurrent_tasks: int | None = None,
    ) -> None:
        """Let this process do otherwise than the constructor says, as a worker does; only before it has started."""
        if self._runtime is not None:
            raise ConfigError("the task manager is running already; say what it is to run before it starts")
        self._runs_tasks, self._run_queues = run_tasks, queues_to_run(run_queues, self._queues)
        self._max_concurrent_tasks = (
            _positive("max_concurrent_tasks", max_concurrent_tasks) or self._max_concurrent_tasks
        )

    @asynccontextmanager
    async def lifespan(self, _app: FastAPI) -> AsyncGenerator[None]:
        """For `FastAPI(lifespan=manager.lifespan)`; `init_app` is needed beside it for `Tasks` in requests."""
        async with self:
            yield

    async def startup(self) -> None:
        """Open the backend, recover what a dead process left, and begin to run; harmless when repeated.

        In a child that was forked while the manager ran, it begins anew as an instance of its own. Raises
        `BackendError` there for a SQLite file that the parent has open.
        """
        self._leave_to_parent()
        if self._runtime is not None:
            return
        if self._starting is None:
            self._starting = asyncio.create_task(self._start(), name="outlive startup")
        await asyncio.shield(self._starting)  # others may wait for the same start

    async def _start(self) -> None:
        try:
            for schedule in self._plan:
                if isinstance(schedule.turn, IntervalTurn):
                    schedule.turn.check(schedule.name, self._elections)
            executors = self._make_executors()
            runtime = Runtime(self._make_process(executors), self.backend, self._memory, executors)
            await self._start_observed(runtime)
            self._runtime = runtime
            for election in self._elections:
                election.start(self.coordination)
        finally:
            self._starting = None

    async def shutdown(self) -> None:
        """Give back what has not started, let running tasks end within their deadlines, flush and close."""
        self._leave_to_parent()
        if self._runtime is None:
            return
        if self._stopping is None:
            self._stopping = asyncio.create_task(self._stop(self._runtime), name="outlive shutdown")
        await asyncio.shield(self._stopping)

    async def _stop(self, runtime: Runtime) -> None:
        try:
            await runtime.stop(self._step_down)
        finally:
            await self._close_observers()
            self._runtime = self._stopping = None

    def _leave_to_parent(self) -> None:
        if self._pid != os.getpid():
            self._of_parents += [self._runtime, self._starting, self._stopping]
            self._runtime = self._starting = self._stopping = None
            self._pid = os.getpid()

    async def _step_down(self) -> None:
        for election in self._elections:
            await election.stop()

    async def __aenter__(self) -> Self:
        await self.startup()
        bind(self)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        unbind(self)
        await self.shutdown()

    @contextmanager
    def rehearse(self, rehearsal: Rehearsal, backend: Backend, clock: Clock) -> Generator[None]:
        """Run on another backend, by another clock, while this lasts; what `outlive.testing` is built on."""
        if self.is_started:
            raise ConfigError("the task manager is running already; begin its rehearsal before it starts")
        before = self.backend, self._memory, self._clock
        memory = backend if isinstance(backend, MemoryBackend) and not backend.durable else MemoryBackend()
        self.backend, self._memory, self._clock, self.rehearsal = backend, memory, clock, rehearsal
        try:
            yield
            if self.is_started:
                raise ConfigError(
                    "the rehearsal is over and the task manager still runs; write `with TestClient(app) as client:` "
                    "inside of it, or where there is none put `async with manager:` around what the test does"
                )
        finally:
            self._runtime = self.rehearsal = None
            self.backend, self._memory, self._clock = before

    # -- looking and acting ----------------------------------------------------------------------

    async def get(self, task_id: str) -> TaskRecord | None:
        """One record with its logs and attempts, None where there is none."""
        record = await self.runtime.backend.get(task_id)
        return record if record is not None else await self._memory.get(task_id)

    async def find(self, conditions: TaskFilter = EVERYTHING, page: Page | None = None) -> list[TaskRecord]:
        """A page of records that match, newest first, without their logs."""
        page = page or Page()
        found = list(await self.runtime.backend.find(conditions, page))
        if self._memory is not self.backend:
            known = {record.id for record in found}
            found += [record for record in await self._memory.find(conditions, page) if record.id not in known]
            found.sort(key=lambda record: record.id, reverse=True)
        return found[: page.limit]

    async def merged_list(self) -> list[TaskRecord]:
        """The newest 1,000 records of all instances."""
        return await self.find(page=Page(limit=1000))

    async def counts(self) -> dict[TaskStatus, int]:
        """How many records have each status."""
        counts = {**dict.fromkeys(TaskStatus, 0), **await self.runtime.backend.counts()}
        if self._memory is not self.backend:
            for status, count in (await self._memory.counts()).items():
                counts[status] += count
        return counts

    async def cancel(self, task_id: str, reason: str = "cancelled by a person") -> bool:
        """Cancel what has not started, ask what runs to end; False where it has already ended.

        Raises `UnknownTaskError` where there is no such record.
        """
        return await self.runtime.control.cancel_by_id(task_id, reason)

    async def requeue(self, task_id: str) -> None:
        """Run an ended record again under the same id.

        Raises `UnknownTaskError`, or `TaskStateError` where it cannot be.
        """
        await self.runtime.control.requeue(task_id)

    async def requeue_many(self, task_ids: Sequence[str]) -> list[bool]:
        """Run ended records again, written together; for each, say whether it will."""
        return list(await self.runtime.control.requeue_many(task_ids)) if task_ids else []

    async def leases(self) -> list[Lease]:
        """Who holds which lock (`lock:…`), task lock (`tasklock:…`) or leadership (`leader:…`), and who waits."""
        held = await self.runtime.backend.leases.held(self._clock.now())
        return [lease for lease in held if lease.key.startswith(("lock:", "tasklock:", "leader:"))]

    async def lease_history(self, key: str | None = None, limit: int = 100) -> list[LeaseEvent]:
        """The newest changes of leadership and forced releases, of all processes or of one key, newest first."""
        return list(await self.runtime.backend.leases.history(key, limit))

    async def force_release(self, key: str, reason: str) -> bool:
        """Take a lock or a leadership from whoever has it, who is told the reason; False where nobody has it."""
        return await self.runtime.backend.leases.force(key, reason, self._clock.now())

    @property
    def store(self) -> TaskStore:
        """What this process holds live."""
        return self.runtime.store if self.is_started else self._no_store

    @property
    def runtime(self) -> Runtime:
        """The running parts; `NotInitializedError` before start-up, and in a forked child until its own."""
        if self._runtime is None:
            raise NotInitializedError(
                "the task manager is not running; call manager.init_app(app), use `async with manager`, "
                "or await manager.startup()"
            )
        self._runtime.process.check_here()
        return self._runtime

    @property
    def coordination(self) -> Coordination:
        """What the locks of tasks and requests work with; `NotInitializedError` before start-up."""
        return self.runtime.control.coordination

    @property
    def is_started(self) -> bool:
        """Whether the manager is running in this process."""
        return self._runtime is not None and self._runtime.process.is_here

    # -- wiring ----------------------------------------------------------------------------------

    def _make_process(self, executors: Mapping[str, Executor]) -> Process:
        return Process(
            new_instance(self._clock.now(), self._limits.lease, executors if self._runs_tasks else {}),
            self.registry,
            TaskStore(),
            self._clock,
            self._emit,
            self._limits,
            self._persists,
            self._queues,
            None if self.rehearsal else self._run_queues,
            self._runs_tasks or self.rehearsal is not None,
            None if self._chain is None else self._chain.tell,
            self._plan,
            self.rehearsal,
            None if self._tracing is None else self._tracing.accept,
        )

    def _make_executors(self) -> dict[str, Executor]:
        executors: dict[str, Executor] = {
            "async": AsyncExecutor(self._max_concurrent_tasks),
            "thread": ThreadExecutor(self._max_sync_threads, self._report_overrun),
            "process": ProcessExecutor(self._max_process_workers),
        }
        return executors if self._tracing is None else traced(executors, self._tracing)

    def _report_overrun(self, call: Call) -> None:
        if isinstance(call, Task) and call.timeout is not None:
            self._emit(AttemptOverran(call.id, call.facts.func_name, call.timeout))


def _check_shared(backend: Backend, *, run_tasks: bool) -> None:
    if not (run_tasks or backend.durable):
        raise ConfigError("run_tasks=False needs a backend that other processes share; this one is in memory")


def _positive(name: str, value: int | None) -> int | None:
    if value is not None and value < 1:
        raise ConfigError(f"{name}={value!r} must be 1 or more; leave it out for the default")
    return value


def add_tasks(app: FastAPI, *, manager: TaskManager | None = None, config: TaskConfig | None = None) -> TaskManager:
    """Give an application `Tasks`, in memory unless a manager is passed; `config` are defaults for all tasks."""
    defaults = cast("TaskOptions", config.given()) if config is not None else TaskOptions()
    host = manager or TaskManager(**defaults)
    host.init_app(app, install=False)
    return host
