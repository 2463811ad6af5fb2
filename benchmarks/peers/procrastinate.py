"""procrastinate on PostgreSQL; tuned: 50 jobs at once instead of 1, and done ones deleted."""

import asyncio

from procrastinate import App, PsycopgConnector

from benchmarks.peers.adapter import TUNED, URL, Client, command
from benchmarks.peers.adapter import stamp as note

app = App(connector=PsycopgConnector(conninfo=URL))


@app.task(name="stamp")
async def stamp(called: float) -> None:
    """The task."""
    note(called)


class Procrastinate(Client):
    """Accepts."""

    worker = command("procrastinate")

    async def open(self) -> None:
        """Connect and install."""
        await app.open_async()
        await app.schema_manager.apply_schema_async()

    async def one(self, called: float) -> None:
        """Accept one."""
        await stamp.defer_async(called=called)

    async def many(self, count: int) -> bool:
        """Accept many in one call."""
        await stamp.batch_defer_async(*[{"called": 0.0}] * count)
        return True

    async def close(self) -> None:
        """Disconnect."""
        await app.close_async()


async def _work() -> None:
    async with app.open_async():
        await app.run_worker_async(
            concurrency=50 if TUNED else 1,
            delete_jobs="successful" if TUNED else "never",
            install_signal_handlers=True,
        )


def work() -> None:
    """Run tasks until the process is ended."""
    asyncio.run(_work())


client = Procrastinate
