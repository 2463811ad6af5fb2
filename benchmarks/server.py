"""The application behind uvicorn that `requests_per_second` loads: `python -m benchmarks.server KIND FOLDER`."""

import socket
import sys
from pathlib import Path

import uvicorn
from fastapi import BackgroundTasks, FastAPI

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


def serve(app: FastAPI) -> None:
    """Serve on a free port of the loopback interface and print its number."""
    # With the protocol named, or asyncio does not set TCP_NODELAY and every response waits 40 ms.
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind(("127.0.0.1", 0))
    print(listener.getsockname()[1], flush=True)
    config = uvicorn.Config(app, loop="asyncio", log_level="warning", access_log=False)
    uvicorn.Server(config).run(sockets=[listener])


if __name__ == "__main__":
    serve(build(sys.argv[1], Path(sys.argv[2])))
