"""fastapi-tasks: its three moments, none of them stored."""

from collections.abc import Callable, Mapping
from typing import Any

from fastapi import FastAPI
from fastapi_tasks import Tasks, add_tasks

from benchmarks.peers.web import Web, noop, plain, sync_noop


def _app(schedule: Callable[[Any, str], object]) -> FastAPI:
    app = FastAPI()
    add_tasks(app)

    @app.post("/signup")
    async def endpoint(email: str, tasks: Tasks) -> dict[str, bool]:
        schedule(tasks, email)
        return {"ok": bool(email)}

    return app


class Apps(Web):
    """By the moment, and for a plain function."""

    def apps(self) -> Mapping[str, Callable[[], FastAPI]]:
        return {
            "no task": plain,
            "unused": lambda: _app(lambda _tasks, _email: None),
            "schedule": lambda: _app(lambda tasks, email: tasks.schedule(noop, email)),
            "after_route": lambda: _app(lambda tasks, email: tasks.after_route.schedule(noop, email)),
            "after_response": lambda: _app(lambda tasks, email: tasks.after_response.schedule(noop, email)),
            "after_response, plain function": lambda: _app(
                lambda tasks, email: tasks.after_response.schedule(sync_noop, email)
            ),
        }
