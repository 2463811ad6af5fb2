"""Enqueue to done inside one process, beside the same rows written by the driver alone."""

import asyncio
import sqlite3
import statistics
import time
from collections.abc import Awaitable, Callable
from contextlib import closing
from pathlib import Path

from benchmarks import raw
from benchmarks.measure import Options, Row, Section, at_least, interleave, ratios, scratch, spread
from benchmarks.watching import watched
from outlive import Backend, MemoryBackend, SqliteBackend, TaskManager

COUNT = 6000
#: How many starts the runtime has on their way at once, and so the batch that the driver alone is given.
BATCH = 100

METHOD = f"""\
`manager.enqueue_many` of {COUNT:,} tasks that do nothing, with one argument each, until every record has its
end. "Raw" is plain `sqlite3` in one thread without an event loop: rows with the same columns, built
beforehand, inserted by one `executemany` in one transaction, then transactions that each settle {BATCH}
records and start the next {BATCH}, on a table with the same columns and a primary key; "same schema" is the
same on outlive's own table, with its indexes, checks and triggers. The bar is held against the bare table.
Ratios are taken within a round."""


async def noop(address: str) -> None:
    """The task."""


async def ours(backend: Backend, waves: int = 1) -> float:
    """Tasks per second, of so many waves that each begin when the one before has ended."""
    manager = TaskManager(backend, room=COUNT * 2)
    manager.task()(noop)
    calls = [("ann@example.org",)] * COUNT
    async with manager, watched(manager):
        await (await manager.enqueue(noop, "warm")).result()
        start = time.perf_counter()
        for _ in range(waves):
            await manager.enqueue_many(noop, calls)
            await until_empty(manager)
        return COUNT * waves / (time.perf_counter() - start)


async def until_empty(manager: TaskManager) -> None:
    """Until all that the manager runs has its end."""
    while len(manager.store):  # noqa: ASYNC110 - an event for each task would be measured, too
        await asyncio.sleep(0.001)


def by_hand(connection: sqlite3.Connection) -> float:
    """The same by the driver alone."""
    values = raw.rows(COUNT)
    start = time.perf_counter()
    raw.insert(connection, values)
    before: raw.Values = ()
    for batch in [*raw.batches(values, BATCH), ()]:
        raw.step(connection, batch, before)
        before = tuple(batch)
    return COUNT / (time.perf_counter() - start)


async def without_loop(connect: Callable[[], sqlite3.Connection]) -> float:
    """The driver alone, in a thread as outlive's writer is."""

    def work() -> float:
        with closing(connect()) as connection:
            return by_hand(connection)

    return await asyncio.to_thread(work)


async def in_own_schema(path: Path, synchronous: raw.Synchronous) -> sqlite3.Connection:
    """A plain connection on outlive's own table."""
    backend = SqliteBackend(path)
    await backend.open()
    await backend.close()
    return raw.connect_existing(path, synchronous)


async def _schema(path: Path, synchronous: raw.Synchronous) -> float:
    connection = await in_own_schema(path, synchronous)
    return await without_loop(lambda: connection)


async def _measure(options: Options) -> dict[str, list[float]]:
    cases: dict[str, Callable[[], Awaitable[float]]] = {"memory": lambda: ours(MemoryBackend())}
    for name in raw.SETTINGS:
        cases |= _cases(options, name)
    return await interleave(cases, options.rounds(5))


def _cases(options: Options, synchronous: raw.Synchronous) -> dict[str, Callable[[], Awaitable[float]]]:
    async def measured() -> float:
        with scratch(options) as folder:
            return await ours(SqliteBackend(folder / "tasks.db", synchronous=synchronous))

    async def bare() -> float:
        with scratch(options) as folder:
            return await without_loop(lambda: raw.connect(folder / "raw.db", synchronous))

    async def same_schema() -> float:
        with scratch(options) as folder:
            return await _schema(folder / "tasks.db", synchronous)

    return {f"SQLite {synchronous}": measured, f"raw {synchronous}": bare, f"same schema {synchronous}": same_schema}


def run(options: Options) -> Section:
    """Measure every backend."""
    samples = asyncio.run(_measure(options))
    rows = [Row("memory", spread(samples["memory"], "/s"), "fastapi-taskflow 8,300/s (cited)")]
    for name in raw.SETTINGS:
        rows += _rows(name, samples)
    return Section("Enqueue to done, in process", METHOD, "compared", rows)


def _rows(name: str, samples: dict[str, list[float]]) -> list[Row]:
    mine = samples[f"SQLite {name}"]
    to_raw, to_schema = ratios(mine, samples[f"raw {name}"]), ratios(mine, samples[f"same schema {name}"])
    return [
        Row(f"raw {name}", spread(samples[f"raw {name}"], "/s")),
        Row(f"raw {name}, same schema", spread(samples[f"same schema {name}"], "/s")),
        at_least(
            f"SQLite {name}", statistics.median(to_raw), 0.3, "x raw", spread(mine, "/s"), f"{spread(to_raw)} x raw"
        ),
        Row(
            f"SQLite {name} over raw, same schema",
            spread(to_schema, "x"),
            "fastapi-taskflow 1,200/s, huey 1,660/s (cited)",
        ),
    ]
