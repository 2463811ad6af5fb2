"""How tests wait: for a condition, with a deadline."""

import asyncio
import inspect
import time
from collections.abc import Callable
from typing import Any

from outlive import TaskManager, TaskRecord

DEADLINE = 10.0
_BETWEEN_LOOKS = 0.002


async def until(condition: Callable[[], Any], seconds: float = DEADLINE) -> Any:
    """Poll a plain or async condition until it holds, and return what it gave."""
    end = time.monotonic() + seconds
    while True:
        value = condition()
        if inspect.isawaitable(value):
            value = await value
        if value:
            return value
        assert time.monotonic() < end, f"still not true after {seconds} s: {inspect.getsource(condition).strip()}"
        await asyncio.sleep(_BETWEEN_LOOKS)  # noqa: TID251 - the one place where async tests poll


def until_sync(condition: Callable[[], Any], seconds: float = DEADLINE) -> Any:
    """The same for a test without an event loop of its own."""
    end = time.monotonic() + seconds
    while not (value := condition()):
        assert time.monotonic() < end, f"still not true after {seconds} s: {inspect.getsource(condition).strip()}"
        time.sleep(_BETWEEN_LOOKS)  # noqa: TID251 - the one place where plain tests poll
    return value


async def record_of(manager: TaskManager, task_id: str) -> TaskRecord:
    record = await manager.get(task_id)
    assert record is not None, f"there is no record {task_id}"
    return record


async def ended(manager: TaskManager, task_id: str) -> TaskRecord:
    """The record once it has a final status."""

    async def look() -> TaskRecord | None:
        record = await manager.get(task_id)
        return record if record is not None and record.is_final else None

    found: TaskRecord = await until(look)
    return found


async def turns(count: int = 20) -> None:
    """Let everything that is ready on the event loop go on; for showing that something does NOT happen."""
    for _ in range(count):
        await asyncio.sleep(0)  # noqa: TID251 - gives way, no time passes
