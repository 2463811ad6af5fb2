"""fastapi-taskflow: in memory, in memory at once (`eager`), and with a file of SQLite."""

import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Any
from uuid import uuid4

from fastapi import Depends, FastAPI
from fastapi_taskflow import ManagedBackgroundTasks, TaskAdmin, TaskManager

from benchmarks.peers.adapter import FOLDER
from benchmarks.peers.web import Web, noop, plain, sync_noop


def _manager(*, stored: bool) -> TaskManager:
    manager = TaskManager(snapshot_db=str(FOLDER / f"{uuid4().hex}.db")) if stored else TaskManager()
    manager.task(persist=stored)(noop)
    manager.task(persist=stored)(sync_noop)
    return manager


def _app(task: Callable[[str], Any], *, stored: bool = False, eager: bool | None = None) -> FastAPI:
    app, manager = FastAPI(), _manager(stored=stored)
    TaskAdmin(app, manager)

    @app.post("/signup")
    async def endpoint(email: str, tasks: Any = Depends(manager.get_tasks)) -> dict[str, bool]:  # noqa: B008, FAST002
        tasks.add_task(task, email, eager=eager)
        return {"ok": bool(email)}

    return app


async def _run(count: int, *, stored: bool) -> float:
    """As it runs what a request has added, without the request."""
    manager = _manager(stored=stored)
    await manager.startup()
    start = time.perf_counter()
    for first in range(0, count, 100):
        tasks = ManagedBackgroundTasks(manager)
        for _ in range(min(100, count - first)):
            tasks.add_task(noop, "ann@example.org")
        await tasks()
    rate = count / (time.perf_counter() - start)
    await manager.shutdown()
    return rate


class Apps(Web):
    """By what it keeps; `persist=True` is the most that it stores, and it does that after the response."""

    def apps(self) -> Mapping[str, Callable[[], FastAPI]]:
        return {
            "no task": plain,
            "add_task, async": lambda: _app(noop),
            "add_task, eager": lambda: _app(noop, eager=True),
            "add_task, plain function": lambda: _app(sync_noop),
            "add_task, SQLite": lambda: _app(noop, stored=True),
        }

    def in_process(self) -> Mapping[str, Callable[[int], Awaitable[float]]]:
        return {"memory": lambda count: _run(count, stored=False), "SQLite": lambda count: _run(count, stored=True)}
