"""How fast SQLite accepts: 100 coroutines that each wait for their own commit, and one call with many."""

import asyncio
import sqlite3
import statistics
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, closing
from pathlib import Path

from benchmarks import raw
from benchmarks.measure import Options, Row, Section, at_least, interleave, ratios, scratch, spread
from benchmarks.watching import watched
from outlive import SqliteBackend, TaskManager

WAITERS, EACH, BULK = 100, 40, 5_000

METHOD = f"""\
Accepting alone: the only slot is held by a task that waits, so nothing else runs. {WAITERS} coroutines call
`await manager.enqueue(...)` {EACH} times each; one `await manager.enqueue_many(...)` of {BULK:,}. "Raw" is a
group commit by hand: coroutines wait on futures, a thread takes all that wait and writes them with
`executemany` as one transaction (bulk: one `executemany`, one transaction), on a table with the same columns
and a primary key only. Ratios within a round."""


async def noop(address: str) -> None:
    """The task that is accepted and never runs."""


@asynccontextmanager
async def held(path: Path, synchronous: raw.Synchronous) -> AsyncIterator[TaskManager]:
    """A manager that accepts and cannot run: its one slot is taken."""
    backend = SqliteBackend(path, synchronous=synchronous)
    manager = TaskManager(backend, max_concurrent_tasks=1, room=10**6)
    over = asyncio.Event()

    async def holder() -> None:
        await over.wait()

    manager.task()(noop)
    manager.task(name="holder")(holder)
    async with manager, watched(manager):
        await (await manager.enqueue(holder)).started.wait()
        try:
            yield manager
        finally:
            over.set()


async def waiting(one: Callable[[], Awaitable[object]], each: int = EACH) -> float:
    """Commits per second that coroutines get which each wait for their own, so many times."""

    async def client() -> None:
        for _ in range(each):
            await one()

    start = time.perf_counter()
    await asyncio.gather(*[client() for _ in range(WAITERS)])
    return WAITERS * each / (time.perf_counter() - start)


async def bulk(manager: TaskManager, calls: int = 1) -> float:
    """Tasks per second that so many calls accept."""
    start = time.perf_counter()
    for _ in range(calls):
        await manager.enqueue_many(noop, [("ann@example.org",)] * BULK)
    return BULK * calls / (time.perf_counter() - start)


async def raw_bulk(connection: sqlite3.Connection) -> float:
    """Rows per second by the driver alone."""
    values = raw.rows(BULK)
    start = time.perf_counter()
    await asyncio.to_thread(raw.insert, connection, values)
    return BULK / (time.perf_counter() - start)


def _cases(options: Options, synchronous: raw.Synchronous) -> dict[str, Callable[[], Awaitable[float]]]:
    async def single() -> float:
        with scratch(options) as folder:
            async with held(folder / "tasks.db", synchronous) as manager:
                return await waiting(lambda: manager.enqueue(noop, "ann@example.org"))

    async def raw_single() -> float:
        with scratch(options) as folder, raw.Committer(folder / "raw.db", synchronous) as committer:
            return await waiting(committer.commit)

    async def many() -> float:
        with scratch(options) as folder:
            async with held(folder / "tasks.db", synchronous) as manager:
                return await bulk(manager)

    async def raw_many() -> float:
        with scratch(options) as folder, closing(raw.connect(folder / "raw.db", synchronous)) as connection:
            return await raw_bulk(connection)

    cases = {"waiters": single, "raw waiters": raw_single, "bulk": many, "raw bulk": raw_many}
    return {f"{name} {synchronous}": case for name, case in cases.items()}


async def _measure(options: Options) -> dict[str, list[float]]:
    return await interleave(_cases(options, "NORMAL") | _cases(options, "FULL"), options.rounds(5))


def run(options: Options) -> Section:
    """Measure both ways with both settings."""
    samples = asyncio.run(_measure(options))
    rows: list[Row] = []
    for synchronous in raw.SETTINGS:
        for name, what, bar in (("waiters", f"{WAITERS} waiters", 0.5), ("bulk", "bulk", 0.4)):
            rows += _rows(samples, f"{name} {synchronous}", f"{what}, {synchronous}", bar)
    return Section("SQLite: accepting", METHOD, "ratio to raw", rows)


def _rows(samples: dict[str, list[float]], name: str, what: str, bar: float) -> list[Row]:
    to_raw = ratios(samples[name], samples[f"raw {name}"])
    return [
        Row(f"raw {what}", spread(samples[f"raw {name}"], "/s")),
        at_least(what, statistics.median(to_raw), bar, "x raw", spread(samples[name], "/s"), spread(to_raw)),
    ]
