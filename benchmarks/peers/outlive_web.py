"""outlive inside of requests: every moment in memory, and stored before the response."""

import time
from collections.abc import Awaitable, Callable, Mapping
from uuid import uuid4

from fastapi import FastAPI

from benchmarks.drain import until_empty
from benchmarks.peers.adapter import FOLDER
from benchmarks.peers.web import Web, noop, plain, sync_noop
from outlive import Backend, MemoryBackend, SqliteBackend, TaskManager, Tasks


def _backend(synchronous: str) -> Backend:
    if not synchronous:
        return MemoryBackend()
    return SqliteBackend(FOLDER / f"{uuid4().hex}.db", synchronous="NORMAL" if synchronous == "NORMAL" else "FULL")


def _manager(synchronous: str, **options: int) -> TaskManager:
    manager = TaskManager(_backend(synchronous), room=options.get("room", 10_000))
    manager.task()(noop)
    manager.task()(sync_noop)
    return manager


def _app(schedule: Callable[[Tasks, str], object], synchronous: str = "") -> FastAPI:
    app = FastAPI()
    _manager(synchronous).init_app(app)

    @app.post("/signup")
    async def endpoint(email: str, tasks: Tasks) -> dict[str, bool]:
        schedule(tasks, email)
        return {"ok": bool(email)}

    return app


async def _run(count: int, synchronous: str) -> float:
    manager = _manager(synchronous, room=count * 2)
    async with manager:
        start = time.perf_counter()
        await manager.enqueue_many(noop, [("ann@example.org",)] * count)
        await until_empty(manager)
        return count / (time.perf_counter() - start)


class Apps(Web):
    """By the moment, for a plain function, and by the setting of SQLite."""

    def apps(self) -> Mapping[str, Callable[[], FastAPI]]:
        def after(tasks: Tasks, email: str) -> None:
            tasks.after_response.schedule(noop, email)

        return {
            "no task": plain,
            "unused": lambda: _app(lambda _tasks, _email: None),
            "schedule": lambda: _app(lambda tasks, email: tasks.schedule(noop, email)),
            "after_route": lambda: _app(lambda tasks, email: tasks.after_route.schedule(noop, email)),
            "after_response": lambda: _app(after),
            "add_task": lambda: _app(lambda tasks, email: tasks.add_task(noop, email)),
            "after_response, plain function": lambda: _app(
                lambda tasks, email: tasks.after_response.schedule(sync_noop, email)
            ),
            "after_response, SQLite NORMAL": lambda: _app(after, "NORMAL"),
            "after_response, SQLite FULL": lambda: _app(after, "FULL"),
        }

    def in_process(self) -> Mapping[str, Callable[[int], Awaitable[float]]]:
        return {
            "memory": lambda count: _run(count, ""),
            "SQLite": lambda count: _run(count, "NORMAL"),
        }
