"""huey on Redis or SQLite; tuned: four threads, which look again after 10 ms instead of 100."""

import sys
from pathlib import Path

from huey import RedisHuey, SqliteHuey

from benchmarks.peers.adapter import TUNED, URL, Client
from benchmarks.peers.adapter import stamp as note

huey = RedisHuey(url=URL) if URL.startswith("redis") else SqliteHuey(filename=URL.removeprefix("sqlite:///"))


@huey.task()
def stamp(called: float) -> None:
    """The task."""
    note(called)


class Huey(Client):
    """Accepts; it has no call for many."""

    worker = (
        str(Path(sys.executable).with_name("huey_consumer")), "benchmarks.peers.huey.huey",
        *(("--workers", "4", "--delay", "0.01", "--max-delay", "0.01") if TUNED else ()),
    )  # fmt: skip

    async def one(self, called: float) -> None:
        """Accept one; the client waits in this thread, as it would in a plain endpoint."""
        stamp(called)


client = Huey
