"""What an ended task leaves in the memory of the process."""

import asyncio
import gc
import tracemalloc
from collections.abc import Callable
from pathlib import Path

from benchmarks.drain import until_empty
from benchmarks.measure import Options, Row, Section, at_most, number, scratch
from benchmarks.watching import watched
from outlive import Backend, MemoryBackend, SqliteBackend, TaskManager

COUNT = 4000

METHOD = f"""\
{COUNT:,} tasks with one argument run to their end, three times; what Python has allocated between the end of the
second and of the third, by `tracemalloc`, over their number. `MemoryBackend(keep=...)` keeps that many ended
records, by default 10,000; a durable backend keeps them on disk. The bar "none" is held with 16 bytes for what the
measure itself moves."""


async def noop(address: str) -> None:
    """The task."""


async def _run(manager: TaskManager) -> int:
    """Bytes that are allocated when so many tasks have ended."""
    await manager.enqueue_many(noop, [(f"ann{at}@example.org",) for at in range(COUNT)])
    await until_empty(manager)
    await asyncio.sleep(0.1)
    gc.collect()
    return tracemalloc.get_traced_memory()[0]


async def left(backend: Backend) -> float:
    """Bytes for each ended task."""
    manager = TaskManager(backend, room=COUNT * 2)
    manager.task()(noop)
    async with manager, watched(manager):
        await _run(manager)
        before = await _run(manager)
        return (await _run(manager) - before) / COUNT


def _measure(folder: Path) -> dict[str, float]:
    cases: dict[str, Callable[[], Backend]] = {
        "kept": lambda: MemoryBackend(keep=COUNT * 4),
        "full": lambda: MemoryBackend(keep=COUNT // 2),
        "SQLite": lambda: SqliteBackend(folder / "tasks.db", synchronous="NORMAL"),
    }
    tracemalloc.start()
    try:
        return {name: asyncio.run(left(make())) for name, make in cases.items()}
    finally:
        tracemalloc.stop()


def run(options: Options) -> Section:
    """Measure both backends."""
    with scratch(options) as folder:
        found = _measure(folder)
    rows = [
        Row(
            "memory, a record that is kept",
            f"{number(found['kept'])} bytes",
            "fastapi-taskflow 1,010 to 5,160 bytes (cited)",
        ),
        at_most("memory, a record beyond `keep`", found["full"], 16.0, "bytes"),
        at_most("SQLite, an ended record", found["SQLite"], 16.0, "bytes"),
    ]
    return Section("Memory that an ended task leaves", METHOD, "compared", rows)
