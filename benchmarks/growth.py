"""How cost grows with the work: 500, 5,000 and 50,000 of it, and the exponent that fits."""

import asyncio
import gc
import json
import math
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path

from benchmarks import copies
from benchmarks.drain import until_empty
from benchmarks.measure import Options, Section, Table, at_most, number, scratch
from benchmarks.peers.adapter import memory_of
from outlive import Backend, MemoryBackend, Page, SqliteBackend, TaskFilter, TaskManager

SIZES = (500, 5_000, 50_000)
#: Tasks of one wave, and after which waves the memory is looked at.
WAVE, EARLY, LATE = 5_000, 8, 16

METHOD = f"""\
The same with {SIZES[0]:,}, {SIZES[1]:,} and {SIZES[2]:,}, once each, in seconds; an exponent of 1 means that twice the
work takes twice the time, 0 that it takes the same. The queries are the median of 20, on a file of so many ended
records. Memory is that of a process which runs waves of {WAVE:,} tasks that return nothing on a file of SQLite, after
wave {LATE} less after wave {EARLY} (when SQLite's cache is full), by the number of tasks between."""


async def noop(address: str = "") -> None:
    """The task."""


async def drain(backend: Backend, count: int) -> float:
    """Seconds from `enqueue_many` to the last end."""
    manager = TaskManager(backend, room=count * 2, journal_capacity=count * 4)
    manager.task()(noop)
    async with manager:
        start = time.perf_counter()
        await manager.enqueue_many(noop, [("ann@example.org",)] * count)
        await until_empty(manager)
        return time.perf_counter() - start


async def _queries(path: Path, count: int) -> dict[str, float]:
    store = copies.sqlite(path)
    backend = store.backend
    await backend.open()
    try:
        await store.fill(count)
        return {
            "first page of a list": await _median(lambda: backend.find(TaskFilter(), Page(50))),
            "counts": await _median(backend.counts),
        }
    finally:
        await backend.close()


async def _median(query: Callable[[], Awaitable[object]]) -> float:
    found = []
    for _ in range(20):
        start = time.perf_counter()
        await query()
        found.append(time.perf_counter() - start)
    return statistics.median(found)


async def _schedules(count: int) -> float:
    manager = TaskManager()
    manager.task()(noop)
    for at in range(count):
        manager.schedule(every=86_400 + at, name=f"every {at}")(noop)
    start = time.perf_counter()
    await manager.startup()
    took = time.perf_counter() - start
    await manager.shutdown()
    return took


def _at(count: int, folder: Path) -> dict[str, float]:
    gc.collect()
    file = folder / f"{count}.db"
    return {
        "enqueue to done, memory": asyncio.run(drain(MemoryBackend(), count)),
        "enqueue to done, SQLite": asyncio.run(drain(SqliteBackend(file, synchronous="NORMAL"), count)),
        "start with schedules, memory": asyncio.run(_schedules(count)),
        **asyncio.run(_queries(folder / f"ended{count}.db", count)),
    }


def exponent(sizes: Sequence[int], seconds: Sequence[float]) -> float:
    """The slope of the line through the logarithms."""
    return statistics.linear_regression([math.log(size) for size in sizes], [math.log(each) for each in seconds]).slope


async def _waves(path: Path) -> None:
    found: dict[int, float] = {}
    manager = TaskManager(SqliteBackend(path, synchronous="NORMAL"))
    manager.task()(noop)
    async with manager:
        for wave in range(1, LATE + 1):
            await manager.enqueue_many(noop, [("ann@example.org",)] * WAVE)
            await until_empty(manager)
            if wave in (EARLY, LATE):
                gc.collect()
                found[wave] = memory_of(os.getpid())
    print(json.dumps([found[EARLY], found[LATE]]))


def _kept(folder: Path) -> float:
    """Bytes that stay for each task that has ended."""
    command = [sys.executable, "-m", "benchmarks.growth", str(folder / "waves.db")]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    early, late = json.loads(done.stdout)
    return float((late - early) * 1024 * 1024 / (WAVE * (LATE - EARLY)))


def run(options: Options) -> Section:
    """Measure each size."""
    with scratch(options) as folder:
        found = {size: _at(size, folder) for size in SIZES}
        kept = _kept(folder)
    section = Section("How cost grows", METHOD)
    lines, section.data = [], {}
    for name in found[SIZES[0]]:
        seconds = [found[size][name] for size in SIZES]
        section.data[name] = seconds
        lines.append([name, *(f"{number(each * 1e3)} ms" for each in seconds), f"{exponent(SIZES, seconds):.2f}"])
    section.tables = [Table("By size", ("", *(f"{size:,}" for size in SIZES), "exponent"), lines)]
    section.rows = [at_most("memory for each task that has ended", max(kept, 0.0), 16.0, "bytes")]
    return section


if __name__ == "__main__":
    asyncio.run(_waves(Path(sys.argv[1])))
