"""Oban on PostgreSQL; a queue of 10 at once, tuned 100."""

import asyncio
from typing import Any

from oban import Oban, worker
from oban.schema import install
from psycopg_pool import AsyncConnectionPool

from benchmarks.peers.adapter import TUNED, URL, Client, command
from benchmarks.peers.adapter import stamp as note


class Stamp:
    """The task."""

    async def process(self, job: Any) -> None:
        """Its body."""
        note(job.args["called"])


stamp: Any = worker()(Stamp)


class OnOban(Client):
    """Accepts."""

    worker = command("oban")

    async def open(self) -> None:
        """Connect and install."""
        self._pool = AsyncConnectionPool(URL, open=False, min_size=1, max_size=8)
        await self._pool.open()
        await install(self._pool)
        self._oban = Oban(pool=self._pool)
        await self._oban.start()

    async def one(self, called: float) -> None:
        """Accept one."""
        await stamp.enqueue({"called": called})

    async def many(self, count: int) -> bool:
        """Accept many in one statement each 500."""
        for first in range(0, count, 500):
            await self._oban.enqueue_many([stamp.new({"called": 0.0}) for _ in range(min(500, count - first))])
        return True

    async def close(self) -> None:
        """Disconnect."""
        await self._oban.stop()
        await self._pool.close()


async def _work() -> None:
    limit = 100 if TUNED else 10
    async with (
        AsyncConnectionPool(URL, open=False, min_size=1, max_size=8) as pool,
        Oban(pool=pool, queues={"default": limit}),
    ):
        await asyncio.Event().wait()


def work() -> None:
    """Run tasks until the process is ended."""
    asyncio.run(_work())


client = OnOban
