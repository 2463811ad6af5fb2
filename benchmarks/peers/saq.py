"""SAQ on Redis or PostgreSQL; tuned: 100 jobs at once instead of 10."""

import asyncio
from typing import Any

from saq import Queue, Worker

from benchmarks.peers.adapter import TUNED, URL, Client, command
from benchmarks.peers.adapter import stamp as note


async def stamp(_context: Any, *, called: float) -> None:
    """The task."""
    note(called)


class Saq(Client):
    """Accepts; many are single calls at once, for which it has no other way."""

    worker = command("saq")

    async def open(self) -> None:
        """Connect."""
        self._queue = Queue.from_url(URL)
        await self._queue.connect()

    async def one(self, called: float) -> None:
        """Accept one."""
        await self._queue.enqueue("stamp", called=called)

    async def many(self, count: int) -> bool:
        """Accept many at once."""
        for first in range(0, count, 500):
            await asyncio.gather(*[self.one(0.0) for _ in range(min(500, count - first))])
        return True

    async def close(self) -> None:
        """Disconnect."""
        await self._queue.disconnect()


async def _work() -> None:
    queue = Queue.from_url(URL)
    await queue.connect()
    await Worker(queue, [stamp], concurrency=100 if TUNED else 10).start()


def work() -> None:
    """Run tasks until the process is ended."""
    asyncio.run(_work())


client = Saq
