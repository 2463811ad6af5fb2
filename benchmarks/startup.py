"""From a file on disk to a manager that takes tasks."""

import asyncio
import logging
import statistics
import time
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path

from uuid_utils import uuid7

from benchmarks.lists import fill
from benchmarks.measure import Options, Row, Section, interleave, ratios, scratch, spread
from outlive import SqliteBackend, TaskManager
from outlive.core.moves import Enqueue

LEFT = 1000

METHOD = """\
`await manager.startup()` in a process that has imported everything: open the file, see what a dead process left, begin
to run (SQLite, FULL). The files: a new one; one with {count:,} ended records and 1,000 that wait for their time;
the same after a process died that ran {left:,} tasks, which are `interrupted` before `startup()` returns."""


async def _filled(path: Path, count: int) -> None:
    backend = SqliteBackend(path, synchronous="NORMAL")
    await backend.open()
    await fill(backend, count)
    await backend.close()


async def _die_over(path: Path) -> None:
    """Leave what a process leaves that died a minute ago."""
    backend = SqliteBackend(path)
    await backend.open()
    then, owner = time.time() - 60, str(uuid7())
    await backend.apply([Enqueue(str(uuid7()), "app:task", "task", then, then, owner, then) for _ in range(LEFT)])
    await backend.close()


async def _nothing() -> None:
    pass


async def _started(path: Path, before: Callable[[], Awaitable[None]]) -> float:
    """Milliseconds of one start."""
    await before()
    manager = TaskManager(SqliteBackend(path))
    start = time.perf_counter()
    await manager.startup()
    took = (time.perf_counter() - start) * 1e3
    await manager.shutdown()
    return took


async def _measure(folder: Path, count: int, rounds: int) -> dict[str, list[float]]:
    full = folder / "full.db"
    await _filled(full, count)
    news = (folder / f"new-{number}.db" for number in range(rounds))
    return await interleave(
        {
            "new": lambda: _started(next(news), _nothing),
            "full": lambda: _started(full, _nothing),
            "dead": lambda: _started(full, partial(_die_over, full)),
        },
        rounds,
    )


def run(options: Options) -> Section:
    """Fill a file and start on it."""
    logging.getLogger("outlive").setLevel(logging.ERROR)  # each death is told, and would be between the tables
    count = 1_000_000 if options.full else 100_000
    with scratch(options) as folder:
        found = asyncio.run(_measure(folder, count, options.rounds(7)))
    to_new = statistics.median(ratios(found["full"], found["new"]))
    rows = [
        Row("a new file", spread(found["new"], "ms")),
        Row(f"{count:,} records", spread(found["full"], "ms"), f"{to_new:.2f} x a new file"),
        Row(f"{count:,} records and {LEFT:,} of a dead process", spread(found["dead"], "ms")),
    ]
    return Section(f"Start-up at {count:,} records", METHOD.format(count=count, left=LEFT), "compared", rows)
