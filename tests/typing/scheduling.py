"""What type checkers know of scheduling. Checked by mypy and pyright in strict mode and never run.

Both count an ignore that hides nothing as an error, so each `type: ignore` here says: this call is refused.
"""
# pyright: strict, reportUnnecessaryTypeIgnoreComment=true

from datetime import datetime
from functools import partial
from typing import Annotated, Any, assert_type

import fast_depends
from fastapi import Depends, FastAPI

from outlive import ManagedBackgroundTasks, Task, TaskConfig, TaskErrorHandler, TaskManager, Tasks, add_tasks

app = FastAPI()
manager = TaskManager("sqlite:///tasks.db", retries=3)


async def count(text: str, *, limit: int = 0) -> int:
    """A coroutine function with a keyword."""
    return len(text[limit:])


def size(path: str, scale: float = 1.0) -> int:
    """A plain function."""
    return int(len(path) * scale)


async def nothing() -> None:
    """Neither arguments nor a result."""


def connection() -> str:
    """A dependency."""
    return "connection"


async def save(text: str, *, to: Annotated[str, Depends(connection)] = "", by: str = Depends(connection)) -> int:
    """A coroutine function with injected parameters."""
    return len(text + to + by)


def load(path: str, by: str = fast_depends.Depends(connection)) -> bytes:
    """A plain one."""
    return f"{path}{by}".encode()


class Mailer:
    """Its methods are tasks too."""

    async def send(self, to: str) -> bool:
        """A bound coroutine function."""
        return bool(to)


# -- the result of a function is the result of its task ----------------------------------------------


async def from_a_request(tasks: Tasks) -> None:
    """Every mode, with and without options."""
    assert_type(tasks.schedule(count, "a", limit=2), Task[int])
    assert_type(tasks.schedule(size, "a", 2.0), Task[int])
    assert_type(tasks.schedule(nothing), Task[None])
    assert_type(tasks.schedule(save, "a"), Task[int])
    assert_type(tasks.schedule(load, path="a"), Task[bytes])
    assert_type(tasks.schedule(Mailer().send, "ada"), Task[bool])
    assert_type(tasks.schedule(partial(size, scale=2.0), "a"), Task[int])

    assert_type(tasks.after_route.schedule(count, text="a"), Task[int])
    assert_type(tasks.after_route.schedule(size, path="a"), Task[int])
    assert_type(tasks.after_response.schedule(count, "a"), Task[int])
    assert_type(tasks.after_response.schedule(size, "a"), Task[int])

    assert_type(tasks.task(name="a", shield=True).schedule(count, "a"), Task[int])
    assert_type(tasks.task(retries=3, delay=1.0).schedule(size, "a"), Task[int])
    assert_type(tasks.after_route.task(timeout=5).schedule(count, "a"), Task[int])
    assert_type(tasks.after_response.task(priority=5).schedule(size, "a"), Task[int])

    assert_type(tasks.add_task(count, "a", limit=2), str)
    assert_type(tasks.add_task(size, "a", tags={"user": "7"}, priority=5), str)


async def from_anywhere() -> None:
    """Outside of requests."""
    assert_type(await manager.enqueue(count, "a", limit=2), Task[int])
    assert_type(await manager.enqueue(size, "a", scale=2.0), Task[int])
    assert_type(await manager.enqueue(save, "a"), Task[int])
    assert_type(await manager.enqueue_sync(load, "a").result(), bytes)
    assert_type(await manager.using(queue="mail").enqueue(count, "a"), Task[int])
    assert_type(await manager.using(run_in=60).enqueue(size, "a"), Task[int])


async def from_a_handle(task: Task[int]) -> None:
    """Waiting gives the result itself."""
    assert_type(await task.result(timeout=5), int)
    assert_type(await task.durable(), None)
    assert_type(await task.cancel(), bool)
    assert_type(task.id, str)
    assert_type(task.config, TaskConfig)


# -- a call that the function would refuse is refused ------------------------------------------------


async def refused_in_a_request(tasks: Tasks) -> None:
    """Wrong type, unknown keyword, too many, too few."""
    tasks.schedule(count, 5)  # type: ignore[call-overload]
    tasks.schedule(count, "a", limit="b")  # type: ignore[arg-type]
    tasks.schedule(count, "a", wrong=1)  # type: ignore[call-arg]
    tasks.schedule(size, "a", 1.0, 2.0)  # type: ignore[call-overload]
    tasks.schedule(size)  # type: ignore[call-overload]
    tasks.schedule(save)  # type: ignore[call-overload]
    tasks.schedule(load, 5)  # type: ignore[call-overload]
    tasks.schedule("size")  # type: ignore[call-overload]

    tasks.after_route.schedule(count, 5)  # type: ignore[call-overload]
    tasks.after_response.schedule(size, 5)  # type: ignore[call-overload]
    tasks.task(retries=3).schedule(count, 5)  # type: ignore[call-overload]
    tasks.after_route.task(retries=3).schedule(size, path=5)  # type: ignore[call-overload]


async def refused_anywhere() -> None:
    """The same outside of requests."""
    await manager.enqueue(count, 5)  # type: ignore[call-overload]
    await manager.enqueue(size)  # type: ignore[call-overload]
    await manager.using(queue="mail").enqueue(count, "a", limit="b")  # type: ignore[arg-type]


def refused_as_options(tasks: Tasks) -> None:
    """Options are typed, too."""
    tasks.task(retries="3")  # type: ignore[arg-type]
    tasks.task(retry=3)  # type: ignore[call-arg]
    tasks.after_route.task(timeout="5")  # type: ignore[arg-type]
    manager.using(tags={"user": 7})  # type: ignore[dict-item]
    manager.task(retries="3")  # type: ignore[arg-type]
    TaskManager(retry=3)  # type: ignore[call-arg]
    TaskConfig(retries="3")  # type: ignore[arg-type]


# -- declaring and asking ----------------------------------------------------------------------------


@manager.task(retries=3, delay=1.0, timeout=30)
async def declared(address: str) -> int:
    """A declared function stays what it was."""
    return len(address)


@manager.task()
def declared_plain(address: str) -> int:
    """A plain one, too."""
    return len(address)


async def called_directly() -> None:
    """What was declared can still be called."""
    assert_type(await declared("a"), int)
    assert_type(declared_plain("a"), int)
    await declared(5)  # type: ignore[arg-type]
    assert_type(await manager.enqueue(declared, "a"), Task[int])
    assert_type(await manager.enqueue(declared_plain, "a"), Task[int])


async def handle(task: Task[Any], error: BaseException) -> None:
    """An error handler."""


def handle_plain(task: Task[Any], error: BaseException) -> None:
    """A plain one."""


handlers: list[TaskErrorHandler] = [handle, handle_plain]
assert_type(add_tasks(app, config=TaskConfig(on_error=handle)), TaskManager)


@app.post("/")
async def endpoint(
    tasks: Tasks,
    again: Annotated[Tasks, Depends()],
    managed: Annotated[ManagedBackgroundTasks, Depends(manager.background_tasks)],
    asked: Annotated[Tasks, Depends(manager.get_tasks)],
) -> str:
    """Every way to ask gives an object that is typed."""
    assert_type(again.schedule(count, "a"), Task[int])
    assert_type(asked.schedule(size, "a"), Task[int])
    assert_type(managed.add_task(size, "a"), str)
    return tasks.schedule(declared, "ada@example.com").id


async def once(at: datetime) -> None:
    """A run that comes once is of the function's type."""
    assert_type(await manager.schedule_once(count, "a", limit=1, run_at=at, run_key="count"), Task[int])
    assert_type(await manager.schedule_once(size, "a", run_at=at, run_key="size", priority=5), Task[int])
    await manager.schedule_once(count, "a", run_at=at)  # type: ignore[call-overload]
    await manager.change_schedule("nightly", cron="0 3 * * *", overlap="wait")
    await manager.change_schedule("nightly", overlap="never")  # type: ignore[arg-type]
    await manager.add_schedule(nothing, every=60, retries=2, jitter=5)
