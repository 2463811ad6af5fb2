"""docket on Redis; tuned: 50 tasks at once instead of 10, and a look every 5 ms instead of 250."""

import asyncio
from datetime import timedelta

from docket import Docket, Worker

from benchmarks.peers.adapter import TUNED, URL, Client, command
from benchmarks.peers.adapter import stamp as note


async def stamp(called: float) -> None:
    """The task."""
    note(called)


class OnDocket(Client):
    """Accepts."""

    worker = command("docket")

    async def open(self) -> None:
        """Connect."""
        self._docket = Docket(name="bench", url=URL)
        await self._docket.__aenter__()
        self._docket.register(stamp)

    async def one(self, called: float) -> None:
        """Accept one."""
        await self._docket.add(stamp)(called)

    async def many(self, count: int) -> bool:
        """Accept many through a pipeline."""
        await self._docket.add_many([self._docket.call(stamp)(0.0) for _ in range(count)])
        return True

    async def close(self) -> None:
        """Disconnect."""
        await self._docket.__aexit__(None, None, None)


async def _work() -> None:
    async with Docket(name="bench", url=URL) as docket:
        docket.register(stamp)
        look = timedelta(milliseconds=5 if TUNED else 250)
        async with Worker(docket, concurrency=50 if TUNED else 10, minimum_check_interval=look) as worker:
            await worker.run_forever()


def work() -> None:
    """Run tasks until the process is ended."""
    asyncio.run(_work())


client = OnDocket
