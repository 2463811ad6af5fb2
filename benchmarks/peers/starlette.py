"""Starlette's own background tasks, as FastAPI has them."""

from collections.abc import Callable, Mapping
from typing import Any

from fastapi import BackgroundTasks, FastAPI

from benchmarks.peers.web import Web, noop, plain, sync_noop


def app(task: Callable[[str], Any]) -> FastAPI:
    """An endpoint that adds the task."""
    made = FastAPI()

    @made.post("/signup")
    async def endpoint(email: str, tasks: BackgroundTasks) -> dict[str, bool]:
        tasks.add_task(task, email)
        return {"ok": bool(email)}

    return made


class Apps(Web):
    """Its one way, for both kinds of function."""

    def apps(self) -> Mapping[str, Callable[[], FastAPI]]:
        return {
            "no task": plain,
            "add_task, async": lambda: app(noop),
            "add_task, plain function": lambda: app(sync_noop),
        }
