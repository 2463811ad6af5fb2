"""What `requests_per_second` loads, behind uvicorn: `python -m benchmarks.server KIND FOLDER [LOOP [dashboard]]`."""

import sys
from pathlib import Path

from fastapi import FastAPI

from benchmarks.peers import starlette
from benchmarks.peers.web import noop, plain, serve
from outlive import SqliteBackend, TaskAdmin, TaskManager, Tasks

NO_TASK, STARLETTE, MEMORY, NORMAL, FULL = "no task", "Starlette", "memory", "SQLite NORMAL", "SQLite FULL"
KINDS = (NO_TASK, STARLETTE, MEMORY, NORMAL, FULL)


def manager_for(kind: str, folder: Path) -> TaskManager:
    """A manager on the backend that is measured."""
    if kind == MEMORY:
        return TaskManager()
    return TaskManager(SqliteBackend(folder / "tasks.db", synchronous="NORMAL" if kind == NORMAL else "FULL"))


def build(kind: str, folder: Path, *, dashboard: bool = False) -> FastAPI:
    """The application of one kind."""
    if kind == NO_TASK:
        return plain()
    if kind == STARLETTE:
        return starlette.app(noop)
    app, manager = FastAPI(), manager_for(kind, folder)
    manager.task()(noop)
    manager.init_app(app)

    @app.post("/signup")
    async def ours(email: str, tasks: Tasks) -> dict[str, bool]:
        tasks.after_response.schedule(noop, email)
        return {"ok": bool(email)}

    if dashboard:
        TaskAdmin(app, manager)
    return app


if __name__ == "__main__":
    serve(build(sys.argv[1], Path(sys.argv[2]), dashboard="dashboard" in sys.argv[4:]), *sys.argv[3:4])
