"""Work that must end though its caller is cancelled."""

import asyncio
import logging
from collections.abc import Coroutine
from typing import Any, TypeVar

import anyio

T = TypeVar("T")

#: Seconds that giving something back may take before nobody waits for it any more.
PATIENCE = 5.0

_log = logging.getLogger("outlive.sync")

#: Held here because the event loop keeps only weak references.
_under_way: set[asyncio.Task[Any]] = set()


def in_background(work: Coroutine[Any, Any, T], what: str) -> "asyncio.Task[T]":
    """Do `work` whatever becomes of the caller; if it fails, the log says so."""
    task = asyncio.create_task(work, name=f"outlive: {what}")
    _under_way.add(task)
    task.add_done_callback(_forget)
    return task


def _forget(task: "asyncio.Task[Any]") -> None:
    _under_way.discard(task)
    if not task.cancelled() and (error := task.exception()) is not None:
        _log.warning("%s failed (%s); its lease ends by itself", task.get_name(), error)


async def get_ready() -> None:
    """Load what `finish` needs now: it takes some time once, and others may wait when something ends."""
    with anyio.CancelScope():
        await asyncio.sleep(0)


async def finish(work: Coroutine[Any, Any, T], what: str, patience: float = PATIENCE) -> T:
    """What `work` returns. A cancelled caller is told when it has ended, or after `patience` seconds."""
    task = in_background(work, what)
    cancelled: asyncio.CancelledError | None = None
    over = asyncio.get_running_loop().time() + patience
    with anyio.CancelScope(shield=True):  # against scopes of anyio, which cancel again and again
        while not task.done() and (left := over - asyncio.get_running_loop().time()) > 0:
            try:
                await asyncio.wait([task], timeout=left)
            except asyncio.CancelledError as error:
                cancelled = error
    if cancelled is not None:
        raise cancelled
    if not task.done():
        raise TimeoutError(f"{what} took longer than {patience:g} s; its lease ends by itself")
    return task.result()
