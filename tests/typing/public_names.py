"""Every public name as a strictly typed application uses it. Checked by mypy and pyright in strict mode and never run.

`tests/unit/test_public_names.py` says which name is missing here or in `scheduling.py`. Both checkers count an ignore
that hides nothing as an error, so each `type: ignore` says: this is refused.
"""
# pyright: strict, reportUnnecessaryTypeIgnoreComment=true

import logging
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, Literal, assert_type

from fastapi import FastAPI, Response

from outlive import (
    AdminUser,
    Backend,
    BackendUnavailableError,
    ConfigError,
    DefinitionError,
    EncryptionError,
    FileLogger,
    InMemoryLogger,
    JournalFullError,
    LifecycleEvent,
    LogEvent,
    LoggerChain,
    MemoryBackend,
    MissingExtraError,
    NotInitializedError,
    OutliveError,
    Page,
    PostgresBackend,
    Progress,
    QueueConfig,
    QueueFullError,
    QueueInfo,
    RedisBackend,
    ScheduleConflictError,
    ScheduledOnce,
    ScheduleInfo,
    SnapshotBackend,
    SqliteBackend,
    StatusRouter,
    StdoutLogger,
    Task,
    TaskAdmin,
    TaskArgumentError,
    TaskAuthBackend,
    TaskContext,
    TaskFailed,
    TaskFilter,
    TaskLogHandler,
    TaskManager,
    TaskObserver,
    TaskRecord,
    TaskRegistry,
    TaskRouter,
    TaskStateError,
    TaskStatus,
    UnknownQueueError,
    UnknownScheduleError,
    UnknownTaskError,
    WouldDeadlockError,
    cancelled,
    get_task_context,
    hash_password,
    progress,
    task_log,
)
from outlive.sync import (
    BackendNotChosenError,
    ElectionNotRunningError,
    LeaderElection,
    LeadershipLostError,
    Lease,
    LeaseEvent,
    Lock,
    LockHeldError,
    LockLostError,
    LockNotOwnedError,
    LockReentrantError,
    LockTimeoutError,
    SyncError,
    TaskLock,
    ThreadLock,
    ThreadTaskLock,
)
from outlive.testing import ManualClock, Mode, StoringBackend, TaskKit, rehearse

app = FastAPI()

# -- managers and their backends ---------------------------------------------------------------------

backends: list[Backend] = [
    MemoryBackend(keep=100),
    SqliteBackend("tasks.db", synchronous="NORMAL"),
    PostgresBackend("postgresql://localhost/shop", max_connections=4),
    RedisBackend("redis://localhost", prefix="shop"),
    StoringBackend(),
]
old_name: SnapshotBackend = MemoryBackend()
manager = TaskManager(
    backends[0],
    queues={"mail": QueueConfig(concurrency=2, max_size=10)},
    shutdown_grace=2.0,
    clock=ManualClock(),
    retries=1,
    tags={"by": "test"},
)
router = TaskRouter(prefix="mail.", queue="mail")
manager.include_router(router, prefix="shop.")
registry: TaskRegistry = manager.registry


@router.task(retries=2)
async def send(to: str, *, subject: str = "") -> int:
    """A task of a router."""
    return len(to + subject)


@manager.schedule(cron="0 9 * * *", timezone="Europe/Paris", misfire="latest", overlap="skip")
def report() -> str:
    """A schedule stays a function."""
    return "done"


def refused_when_made() -> None:
    """Wrong options."""
    TaskManager(5)  # type: ignore[arg-type]
    TaskManager(shutdown_grace="5")  # type: ignore[arg-type]
    TaskManager(queues={"mail": 5})  # type: ignore[dict-item]
    SqliteBackend("tasks.db", synchronous="OFF")  # type: ignore[arg-type]
    QueueConfig(concurrency="2")  # type: ignore[arg-type]
    TaskRouter(retry=2)  # type: ignore[call-arg]
    manager.schedule(every="300")  # type: ignore[arg-type]
    manager.schedule(every=300, overlap="never")  # type: ignore[arg-type]
    manager.interval(seconds="5")  # type: ignore[arg-type]
    manager.include_router("router")  # type: ignore[arg-type]


# -- the dashboard -----------------------------------------------------------------------------------


class Directory(TaskAuthBackend):
    """Who may look."""

    def authenticate_user(self, username: str, password: str) -> bool:
        """Compare a name and a password."""
        return bool(username and password)


def authorize(user: AdminUser, action: str, target: str | None) -> bool:
    """Who may do what."""
    assert_type(user.role, Literal["viewer", "operator", "admin"])
    return user.name == action or target is None


TaskAdmin(app, manager, auth=Directory(), authorize=authorize, title="Shop")
TaskAdmin(app, manager, "/jobs", auth=("ada", hash_password("secret")), read_only=True)
TaskAdmin(app, manager, auth=5)  # type: ignore[arg-type]
AdminUser("ada", "king")  # type: ignore[arg-type]

jobs = StatusRouter(manager, "/work", functions=["report"])
app.include_router(jobs)


@app.post("/reports")
async def begin() -> Response:
    """202 and the address of the status."""
    return jobs.accepted(await manager.enqueue(report))


# -- looking and acting ------------------------------------------------------------------------------


async def look(task_id: str) -> None:
    """Records, queues, schedules, leases."""
    assert_type(await manager.get(task_id), TaskRecord | None)
    found = await manager.find(TaskFilter(statuses=frozenset({TaskStatus.FAILED})), Page(limit=5))
    assert_type(found, list[TaskRecord])
    assert_type(found[0].progress, Progress | None)
    assert_type(await manager.counts(), dict[TaskStatus, int])
    assert_type(await manager.queues(), list[QueueInfo])
    assert_type(await manager.schedules(), list[ScheduleInfo])
    assert_type(await manager.list_scheduled(), list[ScheduledOnce])
    assert_type(await manager.leases(), list[Lease])
    assert_type(await manager.lease_history(), list[LeaseEvent])
    assert_type(await manager.cancel(task_id), bool)
    assert_type(await manager.requeue_many([task_id]), list[bool])
    assert_type(await manager.pause_queue("mail"), bool)
    assert_type(await manager.change_schedule("report", every=60), ScheduleInfo)
    await manager.find(Page(limit=5))  # type: ignore[arg-type]
    await manager.change_schedule("report", retries=3)  # type: ignore[call-arg]
    await manager.update_queue_config("mail", concurrency="2")  # type: ignore[arg-type]


async def plan() -> None:
    """What is to run once."""
    moment = datetime(2030, 1, 1, tzinfo=UTC)
    assert_type(await manager.schedule_once(send, "ada", run_at=moment, run_key="a"), Task[int])
    assert_type(await manager.schedule_once(report, run_at=moment, run_key="b"), Task[str])
    assert_type(await manager.cancel_scheduled("a"), bool)
    await manager.schedule_once(send, "ada", run_at=5, run_key="a")  # type: ignore[call-overload]


def inside() -> str:
    """What a task knows."""
    task_log("at work", level="info", page=1)
    task_log(5)  # type: ignore[arg-type]
    context = get_task_context()
    assert_type(context, TaskContext | None)
    assert_type(cancelled(), bool)
    progress(1, 2, "half of it")
    progress("half")  # type: ignore[arg-type]
    return context.task_id if context is not None else ""


# -- observers ---------------------------------------------------------------------------------------


class Counting(TaskObserver):
    """Counts what it is told."""

    lines = 0

    def on_log(self, event: LogEvent) -> None:
        """A task has said something."""
        self.lines += len(event.message)

    async def on_lifecycle(self, event: LifecycleEvent) -> None:
        """A task has begun or ended."""
        assert_type(event.status, TaskStatus)


heard = TaskManager(
    loggers=[Counting(), FileLogger("tasks.log", mode="watched"), StdoutLogger(), InMemoryLogger()],
    log_file="all.log",
    log_lifecycle=True,
    encrypt_args_key="key",
)
assert_type(heard.logger, LoggerChain | None)
logging.getLogger("shop").addHandler(TaskLogHandler(logging.WARNING))
FileLogger("tasks.log", max_bytes="10")  # type: ignore[arg-type]
TaskManager(log_lifecycle="yes")  # type: ignore[arg-type]

# -- locks -------------------------------------------------------------------------------------------

lock, turn, leader = Lock("a"), TaskLock("b", min_lock_seconds=1), LeaderElection("c")
manager.add_task(leader)
manager.interval(seconds=5, leader=leader, sync=lock)(report)
manager.add_task(report)  # type: ignore[arg-type]


async def locked() -> None:
    """Coroutines."""
    async with lock as held:
        assert_type(held, Lock)
        assert_type(lock.fencing_token, int)
    async with turn:
        pass
    async with leader.lead() as token:
        assert_type(token, int)
    await lock.acquire(timeout="5")  # type: ignore[arg-type]


def locked_in_a_thread() -> None:
    """Plain functions."""
    assert_type(lock.from_thread, ThreadLock)
    assert_type(turn.from_thread, ThreadTaskLock)
    with lock.from_thread, turn.from_thread:
        pass


# -- errors ------------------------------------------------------------------------------------------

errors: Sequence[type[OutliveError]] = [
    EncryptionError,
    BackendUnavailableError,
    ConfigError,
    DefinitionError,
    JournalFullError,
    MissingExtraError,
    NotInitializedError,
    QueueFullError,
    ScheduleConflictError,
    TaskArgumentError,
    TaskFailed,
    TaskStateError,
    UnknownQueueError,
    UnknownScheduleError,
    UnknownTaskError,
    WouldDeadlockError,
    SyncError,
    BackendNotChosenError,
    ElectionNotRunningError,
    LeadershipLostError,
    LockHeldError,
    LockLostError,
    LockNotOwnedError,
    LockReentrantError,
    LockTimeoutError,
]
as_builtins: list[type[ValueError]] = [ConfigError, DefinitionError, TaskArgumentError, UnknownQueueError]
as_time: type[TimeoutError] = LockTimeoutError

# -- tests of an application -------------------------------------------------------------------------


async def under_test(mode: Mode) -> None:
    """What a test sees of tasks is typed as they are."""
    with rehearse(manager, mode, clock=ManualClock(0)) as tasks:
        assert_type(tasks, TaskKit)
        assert_type(tasks.assert_enqueued(send, to="ada"), Task[int])
        assert_type(tasks.assert_enqueued(report), Task[str])
        assert_type(tasks.enqueued(), list[Task[Any]])
        tasks.refute_enqueued(send, to="bob")
        await tasks.drain()
        await tasks.advance(60)
        tasks.advance_sync("60")  # type: ignore[arg-type]
    with rehearse(manager, "lazy"):  # type: ignore[arg-type]
        pass
    with rehearse(app):  # type: ignore[arg-type]
        pass


async def refused() -> None:
    """Wrong calls of declared tasks."""
    await manager.enqueue(send)  # type: ignore[call-overload]
    await manager.enqueue(send, "ada", subject=5)  # type: ignore[arg-type]
    await manager.enqueue(report, 5)  # type: ignore[call-overload]
    manager.enqueue_sync(send, 5)  # type: ignore[call-overload]
