"""taskiq on a stream of Redis; tuned: one process instead of two, 500 tasks at once, no pydantic for arguments."""

import asyncio
import sys
from pathlib import Path

from taskiq_redis import RedisStreamBroker

from benchmarks.peers.adapter import TUNED, URL, Client
from benchmarks.peers.adapter import stamp as note

broker = RedisStreamBroker(URL)


@broker.task(task_name="stamp")
async def stamp(called: float) -> None:
    """The task."""
    note(called)


class Taskiq(Client):
    """Accepts; many are single calls at once, for which it has no other way."""

    worker = (
        str(Path(sys.executable).with_name("taskiq")),
        *("worker", "benchmarks.peers.taskiq:broker", "--log-level", "ERROR"),
        *(("--workers", "1", "--max-async-tasks", "500", "--no-parse") if TUNED else ()),
    )  # fmt: skip

    async def open(self) -> None:
        """Connect."""
        await broker.startup()

    async def one(self, called: float) -> None:
        """Accept one."""
        await stamp.kiq(called)

    async def many(self, count: int) -> bool:
        """Accept many at once."""
        for first in range(0, count, 500):
            await asyncio.gather(*[self.one(0.0) for _ in range(min(500, count - first))])
        return True

    async def close(self) -> None:
        """Disconnect."""
        await broker.shutdown()


client = Taskiq
