"""streaq on Redis; tuned: 100 tasks at once instead of 16."""

from contextlib import AsyncExitStack

from streaq import Worker

from benchmarks.peers.adapter import TUNED, URL, Client, command
from benchmarks.peers.adapter import stamp as note

worker: Worker[None] = Worker(redis_url=URL, concurrency=100 if TUNED else 16)


@worker.task
async def stamp(called: float) -> None:
    """The task."""
    note(called)


class Streaq(Client):
    """Accepts."""

    worker = command("streaq")

    async def open(self) -> None:
        """Connect."""
        self._stack = AsyncExitStack()
        await self._stack.enter_async_context(worker)

    async def one(self, called: float) -> None:
        """Accept one."""
        await stamp.enqueue(called)

    async def many(self, count: int) -> bool:
        """Accept many through a pipeline."""
        for first in range(0, count, 500):
            await worker.enqueue_many([stamp.enqueue(0.0) for _ in range(min(500, count - first))])
        return True

    async def close(self) -> None:
        """Disconnect."""
        await self._stack.aclose()


client = Streaq
work = worker.run_sync
