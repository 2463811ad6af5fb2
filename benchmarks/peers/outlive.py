"""outlive: one process accepts, another runs, or one does both; where it is tuned, on the event loop of uvloop."""

import asyncio
import signal
from collections.abc import Callable, Coroutine
from typing import Any

from benchmarks.peers.adapter import SETTING, TUNED, URL, Client, command, stamp
from outlive import TaskManager


def manager(*, runs: bool) -> tuple[TaskManager, Callable[[float], Coroutine[Any, Any, None]]]:
    """A manager and its task."""
    made = TaskManager(URL, run_tasks=runs)

    @made.task(name="bench:stamp")
    async def body(called: float) -> None:
        stamp(called)

    return made, body


class Outlive(Client):
    """Accepts."""

    worker = command("outlive")

    async def open(self) -> None:
        """Start a manager that runs nothing, unless it is alone."""
        self._manager, self._body = manager(runs=SETTING == "alone")
        await self._manager.startup()

    async def one(self, called: float) -> None:
        """Accept one."""
        await self._manager.enqueue(self._body, called)

    async def many(self, count: int) -> bool:
        """Accept many in one call."""
        await self._manager.enqueue_many(self._body, [(0.0,)] * count)
        return True

    async def close(self) -> None:
        """Stop the manager."""
        await self._manager.shutdown()


async def _work() -> None:
    running, _ = manager(runs=True)
    over = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, over.set)
    async with running:
        await over.wait()


def work() -> None:
    """Run tasks until the end is asked for."""
    if TUNED:
        import uvloop  # noqa: PLC0415 - asked for by one setting

        uvloop.run(_work())
    else:
        asyncio.run(_work())


client = Outlive
