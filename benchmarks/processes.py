"""Three processes on one SQLite file: how long a writer waits, and whether all get their share."""

import asyncio
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path

from benchmarks.measure import Options, Row, Section, at_least, at_most, number, scratch
from benchmarks.peers import Peer
from benchmarks.peers.adapter import answer
from outlive import SqliteBackend, TaskManager
from outlive.core.moves import Move

PROCESSES, CLIENTS, SECONDS = 3, 10, 3.0

METHOD = f"""\
{PROCESSES} processes, each with a manager on the same file (FULL) and {CLIENTS} coroutines that enqueue tasks
without pause for {SECONDS:g} s and run them; the processes begin together. The longest write is that of any
batch of any journal, from the event loop's request to the answer, the longest enqueue that of any `await
manager.enqueue(...)`, which may have had to wait for the batch before; the share is the tasks of the slowest
process over the mean. Three busy processes on two cores also wait for a processor, which is in the figures."""


async def noop(address: str) -> None:
    """The task."""


class Timed(SqliteBackend):
    """Notes how long each batch of the journal took, its wait for the turn included."""

    longest = 0.0

    async def apply(self, moves: Sequence[Move]) -> Sequence[bool]:
        """Apply and note."""
        start = time.perf_counter()
        answers = await super().apply(moves)
        self.longest = max(self.longest, time.perf_counter() - start)
        return answers


async def _client(manager: TaskManager, begin: float, waits: list[float]) -> None:
    await asyncio.sleep(max(0.0, begin - time.time()))
    while time.time() < begin + SECONDS:
        start = time.perf_counter()
        await manager.enqueue(noop, "ann@example.org")
        waits.append(time.perf_counter() - start)


async def _serve(path: str) -> None:
    backend = Timed(path)
    manager = TaskManager(backend, shutdown_grace=10)
    manager.task()(noop)

    async def work(begin: float) -> Mapping[str, float]:
        waits: list[float] = []
        await asyncio.gather(*[_client(manager, begin, waits) for _ in range(CLIENTS)])
        return {"tasks": len(waits), "wait": max(waits), "write": backend.longest}

    async with manager:
        await answer({"work": work})


async def _one_round(folder: Path) -> list[dict[str, float]]:
    with ExitStack() as stack:
        command = [sys.executable, "-m", "benchmarks.processes", str(folder / "tasks.db")]
        peers = [stack.enter_context(Peer(command)) for _ in range(PROCESSES)]
        begin = time.time() + 0.2
        return await asyncio.gather(*[asyncio.to_thread(peer.ask, "work", begin=begin) for peer in peers])


def run(options: Options) -> Section:
    """Let them compete, a few times."""
    section = Section("SQLite: three processes at once", METHOD, "")
    writes, waits, shares, rates = [], [], [], []
    for _ in range(options.rounds(2)):
        with scratch(options) as folder:
            found = asyncio.run(_one_round(folder))
        mean = sum(one["tasks"] for one in found) / PROCESSES
        writes.append(max(one["write"] for one in found) * 1e3)
        waits.append(max(one["wait"] for one in found) * 1e3)
        shares.append(min(one["tasks"] for one in found) / mean)
        rates.append(sum(one["tasks"] for one in found) / SECONDS)
    section.rows = [
        Row("tasks accepted by all, while running them", f"{number(min(rates))} to {number(max(rates))} /s"),
        at_most("longest write", max(writes), 50.0, "ms"),
        Row("longest enqueue", f"{number(max(waits))} ms"),
        at_least("smallest share", min(shares), 0.9, "x mean"),
    ]
    return section


if __name__ == "__main__":
    asyncio.run(_serve(sys.argv[1]))
