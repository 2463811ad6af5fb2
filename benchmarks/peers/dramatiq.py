"""dramatiq on Redis; tuned: one process of 16 threads instead of two of 8."""

import sys
from pathlib import Path

import dramatiq
from dramatiq.brokers.redis import RedisBroker

from benchmarks.peers.adapter import TUNED, URL, Client
from benchmarks.peers.adapter import stamp as note

dramatiq.set_broker(RedisBroker(url=URL))


@dramatiq.actor
def stamp(called: float) -> None:
    """The task."""
    note(called)


class Dramatiq(Client):
    """Accepts; it has no call for many."""

    worker = (
        str(Path(sys.executable).with_name("dramatiq")), "benchmarks.peers.dramatiq",
        *(("--processes", "1", "--threads", "16") if TUNED else ("--processes", "2", "--threads", "8")),
    )  # fmt: skip

    async def one(self, called: float) -> None:
        """Accept one; the client waits in this thread, as it would in a plain endpoint."""
        stamp.send(called)


client = Dramatiq
