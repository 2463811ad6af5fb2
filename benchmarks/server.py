"""The application behind uvicorn that `requests_per_second` loads: `python -m benchmarks.server KIND FOLDER`."""

import sys
from pathlib import Path

from fastapi import BackgroundTasks, FastAPI

from benchmarks.peers.web import serve
from outlive import SqliteBackend, TaskManager, Tasks

NO_TASK, STARLETTE, MEMORY, NORMAL, FULL = "no task", "Starlette", "memory", "SQLite NORMAL", "SQLite FULL"
KINDS = (NO_TASK, STARLETTE, MEMORY, NORMAL, FULL)


async def noop(address: str) -> None:
    """The task of every request."""


def manager_for(kind: str, folder: Path) -> TaskManager:
    """A manager on the backend that is measured."""
    if kind == MEMORY:
        return TaskManager()
    return TaskManager(SqliteBackend(folder / "tasks.db", synchronous="NORMAL" if kind == NORMAL else "FULL"))


def build(kind: str, folder: Path) -> FastAPI:
    """The application of one kind."""
    app = FastAPI()
    if kind == NO_TASK:

        @app.post("/signup")
        async def without(email: str) -> dict[str, bool]:
            return {"ok": bool(email)}

    elif kind == STARLETTE:

        @app.post("/signup")
        async def plain(email: str, tasks: BackgroundTasks) -> dict[str, bool]:
            tasks.add_task(noop, email)
            return {"ok": bool(email)}

    else:
        manager = manager_for(kind, folder)
        manager.task()(noop)
        manager.init_app(app)

        @app.post("/signup")
        async def ours(email: str, tasks: Tasks) -> dict[str, bool]:
            tasks.after_response.schedule(noop, email)
            return {"ok": bool(email)}

    return app


if __name__ == "__main__":
    serve(build(sys.argv[1], Path(sys.argv[2])))
