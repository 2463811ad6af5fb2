"""Celery on Redis; tuned: threads instead of processes, 64 messages fetched ahead, no results, no gossip."""

import sys
from pathlib import Path

from celery import Celery

from benchmarks.peers.adapter import TUNED, URL, Client
from benchmarks.peers.adapter import stamp as note

app = Celery("bench", broker=URL)
if TUNED:
    app.conf.update(task_ignore_result=True, worker_prefetch_multiplier=64)


@app.task(name="stamp")
def stamp(called: float) -> None:
    """The task."""
    note(called)


class OnCelery(Client):
    """Accepts; it has no call for many."""

    worker = (
        str(Path(sys.executable).with_name("celery")),
        *("--app", "benchmarks.peers.celery", "worker", "--loglevel", "ERROR"),
        *(
            ("--pool", "threads", "--concurrency", "4", "--without-gossip", "--without-mingle", "--without-heartbeat")
            if TUNED
            else ("--concurrency", "2")
        ),
    )  # fmt: skip

    async def one(self, called: float) -> None:
        """Accept one; the client waits in this thread, as it would in a plain endpoint."""
        stamp.delay(called)


client = OnCelery
