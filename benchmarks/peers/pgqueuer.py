"""PgQueuer on PostgreSQL through asyncpg; tuned: batches of 500 instead of 10."""

import asyncio

import asyncpg
from pgqueuer import PgQueuer
from pgqueuer.db import AsyncpgDriver
from pgqueuer.models import Job
from pgqueuer.queries import Queries

from benchmarks.peers.adapter import TUNED, URL, Client, command
from benchmarks.peers.adapter import stamp as note


class Queuer(Client):
    """Accepts."""

    worker = command("pgqueuer")

    async def open(self) -> None:
        """Connect and install."""
        self._queries = Queries(AsyncpgDriver(await asyncpg.connect(URL)))
        await self._queries.install()

    async def one(self, called: float) -> None:
        """Accept one."""
        await self._queries.enqueue("stamp", repr(called).encode())

    async def many(self, count: int) -> bool:
        """Accept many in one call."""
        await self._queries.enqueue(["stamp"] * count, [b"0.0"] * count, [0] * count)
        return True


async def _work() -> None:
    queuer = PgQueuer(AsyncpgDriver(await asyncpg.connect(URL)))

    @queuer.entrypoint("stamp")
    async def stamp(job: Job) -> None:
        note(float(job.payload or b"0"))

    await queuer.run(batch_size=500 if TUNED else 10)


def work() -> None:
    """Run tasks until the process is ended."""
    asyncio.run(_work())


client = Queuer
