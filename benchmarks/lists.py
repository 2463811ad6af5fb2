"""Lists, filters and counts over many records."""

import asyncio
import statistics
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

from uuid_utils import uuid7

from benchmarks.measure import Options, Section, at_most, scratch
from outlive import Page, SqliteBackend, TaskFilter, TaskStatus
from outlive.core.moves import Enqueue, Move, Settle
from outlive.core.states import Event

BATCH = 2000

METHOD = """\
Through the backend (SQLite), on a file with {count:,} ended records of 20 functions, 1 % of them failed,
evenly spread, and 1,000 pending ones; pages of 50. Each query 40 times, in turn with the others; the median
with least and greatest. The file was written just before, so the file system's cache is warm."""

Query = Callable[[], Awaitable[object]]


def _moves(number: int, first: int) -> list[Move]:
    now = time.time()
    moves: list[Move] = []
    for at in range(first, first + number):
        task_id, kind = str(uuid7()), at % 20
        moves.append(
            Enqueue(
                task_id, f"app.tasks:task_{kind}", f"task_{kind}", now, now, "instance", now,
                arguments='{"address":"ann@example.org"}',
            )
        )  # fmt: skip
        failed = at % 100 == 99
        event, status = (Event.FAIL, TaskStatus.FAILED) if failed else (Event.SUCCEED, TaskStatus.SUCCESS)
        moves.append(Settle(task_id, 1, event, status, now, error="boom" if failed else None))
    return moves


async def fill(backend: SqliteBackend, count: int) -> None:
    """Write ended records, and 1,000 that wait for their time."""
    for first in range(0, count, BATCH):
        await backend.apply(_moves(min(BATCH, count - first), first))
    now = time.time()
    await backend.apply([Enqueue(str(uuid7()), "app.tasks:later", "later", now, now + 3600) for _ in range(1000)])


def _queries(backend: SqliteBackend, middle: str) -> dict[str, Query]:
    page = Page(50)
    failed = frozenset({TaskStatus.FAILED})
    return {
        "first page": lambda: backend.find(TaskFilter(), page),
        "a page from the middle": lambda: backend.find(TaskFilter(), Page(50, middle)),
        "failed": lambda: backend.find(TaskFilter(statuses=failed), page),
        "one function": lambda: backend.find(TaskFilter(func="app.tasks:task_7"), page),
        "one function by its short name": lambda: backend.find(TaskFilter(func="task_7"), page),
        "one function, failed, of which there are none": lambda: backend.find(
            TaskFilter(statuses=failed, func="task_7"), page
        ),
        "a queue nobody uses": lambda: backend.find(TaskFilter(queue="unused"), page),
        "counts": backend.counts,
        "one record": lambda: backend.get(middle),
    }


async def _measure(path: Path, count: int) -> dict[str, list[float]]:
    backend = SqliteBackend(path, synchronous="NORMAL")
    await backend.open()
    try:
        await fill(backend, count // 2)
        middle = (await backend.find(TaskFilter(), Page(1)))[0].id
        await fill(backend, count - count // 2)
        return await _timed(_queries(backend, middle))
    finally:
        await backend.close()


async def _timed(queries: dict[str, Query]) -> dict[str, list[float]]:
    found: dict[str, list[float]] = {name: [] for name in queries}
    for _ in range(40):
        for name, query in queries.items():
            start = time.perf_counter()
            await query()
            found[name].append((time.perf_counter() - start) * 1e3)
    return found


def run(options: Options) -> Section:
    """Fill a file and ask."""
    count = 1_000_000 if options.full else 100_000
    with scratch(options) as folder:
        found = asyncio.run(_measure(folder / "tasks.db", count))
    section = Section(f"Lists at {count:,} records", METHOD.format(count=count), "least .. greatest")
    for name, values in found.items():
        median, beside = statistics.median(values), f"{min(values):.2f} .. {max(values):.2f} ms"
        section.rows.append(at_most(name, median, 5.0, "ms", beside=beside))
    return section
