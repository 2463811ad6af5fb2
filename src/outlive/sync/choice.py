"""Decides, when a primitive is used, which backend and which time it works with."""

import asyncio
import math
import time
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

import anyio.from_thread

from outlive.definitions.context import current
from outlive.definitions.coordination import Coordination, nearest
from outlive.definitions.task import Task
from outlive.errors import BackendNotChosenError, ConfigError, SyncError, WouldDeadlockError
from outlive.ports import Backend, Handle

T = TypeVar("T")


class _WallClock:
    """The machine's time, for primitives that have a backend but no manager."""

    def now(self) -> float:
        return time.time()

    def call_at(self, when: float, callback: Callable[[], None]) -> Handle:
        return asyncio.get_running_loop().call_later(max(0.0, when - time.time()), callback)


_WALL_CLOCK = _WallClock()


def choose(backend: Backend | None, name: str) -> Coordination:
    """The given backend, else that of the manager of the current task, request or `async with` block."""
    task = current.get()
    near = task.control.coordination if isinstance(task, Task) else nearest()
    if backend is not None:
        return Coordination(backend, _WALL_CLOCK) if near is None else near._replace(backend=backend)
    if near is None:
        raise BackendNotChosenError(
            f"nothing says where {name!r} is kept; use it inside a task, a request of an application that "
            "manager.init_app(app) was called for, or `async with manager`, or pass backend=manager.backend"
        )
    return near


def run_from_thread(near: Coordination, work: Callable[[], Coroutine[Any, Any, T]]) -> T:
    """Do asynchronous work for a thread, on the event loop that the manager runs on."""
    _refuse_event_loop()
    if near.loop is not None:
        return asyncio.run_coroutine_threadsafe(work(), near.loop).result()
    try:
        return anyio.from_thread.run(work)
    except anyio.NoEventLoopError as error:
        raise SyncError(
            "this thread belongs to no event loop; start it with anyio.to_thread.run_sync or asyncio.to_thread inside "
            "`async with manager`, or run the function as a task"
        ) from error


def _refuse_event_loop() -> None:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return
    raise WouldDeadlockError(
        "from_thread was used in the thread of the event loop, which would wait for itself; there use "
        "`async with` and await"
    )


def check_name(name: object) -> str:
    """A name that can be stored."""
    if not isinstance(name, str) or not name or "\0" in name:
        raise ConfigError(f"name={name!r} must be text, not empty, without NUL; everybody who names the same excludes")
    return name


def check_seconds(option: str, value: Any, least: float = 0.0) -> float:
    """A time span that can be waited for."""
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)
    if not is_number or value < least or value <= 0:
        bound = f"{least:g} seconds or more" if least else "more than 0 seconds"
        raise ConfigError(f"{option}={value!r} must be {bound}")
    return float(value)
