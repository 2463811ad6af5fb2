"""From `enqueue` to the first line of the body, on a system that has nothing else to do."""

import asyncio
import time
from collections.abc import Callable

from benchmarks.measure import Options, Row, Section, at_most, number, percentile, scratch
from benchmarks.watching import watched
from outlive import Backend, MemoryBackend, SqliteBackend, TaskManager

RATE = 50

METHOD = f"""\
{RATE} tasks a second, one at a time, in the process that runs them; the time from the call of `await
manager.enqueue(...)` to the first line of the body, with the commit of the record in it. Pooled over all
rounds; the 99th percentile of a few hundred is about its third-worst value and mostly says what else the
machine did."""


async def latencies(backend: Backend, seconds: float) -> list[float]:
    """Milliseconds from call to start."""
    manager = TaskManager(backend)
    found: list[float] = []

    async def body(called: float) -> None:
        found.append((time.perf_counter() - called) * 1e3)

    manager.task(name="body")(body)
    async with manager, watched(manager):
        for _ in range(int(seconds * RATE)):
            await manager.enqueue(body, time.perf_counter())
            await asyncio.sleep(1 / RATE)
    return found


async def _measure(options: Options) -> dict[str, list[float]]:
    found: dict[str, list[float]] = {}
    for _ in range(options.rounds(2)):
        with scratch(options) as folder:
            backends: dict[str, Callable[[], Backend]] = {
                "memory": MemoryBackend,
                "SQLite NORMAL": lambda: SqliteBackend(folder / "normal.db", synchronous="NORMAL"),
                "SQLite FULL": lambda: SqliteBackend(folder / "full.db"),
            }
            for name, make in backends.items():
                found.setdefault(name, []).extend(await latencies(make(), 1.5))
    return found


def run(options: Options) -> Section:
    """Measure every backend."""
    section = Section("Enqueue to start, idle", METHOD, "worst")
    for name, values in asyncio.run(_measure(options)).items():
        section.rows += rows(name, values, ("", f"{number(max(values))} ms"))
    return section


def rows(name: str, values: list[float], beside: tuple[str, str], limit: float | None = 1.0) -> list[Row]:
    """The median and the 99th percentile, each with what stands beside it; `limit` is that of the median, if any."""
    p50, p99 = percentile(values, 50), percentile(values, 99)
    median = Row(f"{name}, p50", f"{number(p50)} ms", beside[0])
    if limit is not None:
        median = at_most(f"{name}, p50", p50, limit, "ms", beside=beside[0])
    return [median, at_most(f"{name}, p99", p99, 10.0, "ms", beside=beside[1])]
