"""Work that must end though its caller is cancelled."""

import asyncio
import logging
from collections.abc import Callable, Coroutine
from contextlib import suppress
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


async def finish(work: Callable[[], Coroutine[Any, Any, T]], what: str, patience: float = PATIENCE) -> T:
    """What `work()` returns. A cancelled caller is told when it has ended, or after `patience` seconds.

    It is awaited as it is: a task around it would take longer than the work. What was cancelled in the middle goes
    on in the backend, in its order: it is done once more, has no effect then, and shows that the first is over.
    """
    over = asyncio.get_running_loop().time() + patience
    limit = asyncio.timeout(patience)
    try:
        async with limit:
            return await work()
    except asyncio.CancelledError:
        await _wait_shielded(in_background(work(), what), over)
        raise
    except Exception as error:
        _log.warning("%s failed (%s); its lease ends by itself", what, str(error) or f"no answer within {patience:g} s")
        if not limit.expired():
            raise
        raise TimeoutError(f"{what} took longer than {patience:g} s; its lease ends by itself") from error


async def _wait_shielded(task: "asyncio.Task[Any]", over: float) -> None:
    loop = asyncio.get_running_loop()
    with anyio.CancelScope(shield=True):  # against scopes of anyio, which cancel again and again
        while not task.done() and (left := over - loop.time()) > 0:
            with suppress(asyncio.CancelledError):
                await asyncio.wait([task], timeout=left)
