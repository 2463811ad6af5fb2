"""Lists, filters, counts and a start over a million records."""

import asyncio
import sqlite3
import statistics
import time
from collections.abc import Awaitable, Callable
from contextlib import closing
from pathlib import Path

from uuid_utils import uuid7

from benchmarks.measure import Options, Row, Section, at_most, scratch, spread
from outlive import Page, SqliteBackend, TaskFilter, TaskManager, TaskStatus
from outlive.core.moves import Enqueue, Move, Settle
from outlive.core.states import Event

COUNT, BATCH = 1_000_000, 2000

METHOD = """\
Through the backend (SQLite), on a file with {count:,} ended records of 20 functions, 1 % of them failed,
evenly spread, and 1,000 pending ones; pages of 50. Each query 40 times, in turn with the others; the median
with least and greatest. The file was written just before, so the file system's cache is warm. "Start" is `startup()`
of a manager on that file, beside the same on an empty one."""

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
    """So many ended records, a few of them through the backend."""
    await backend.apply(_moves(min(BATCH, count), 0))
    await asyncio.to_thread(_multiply, backend.path, count // BATCH - 1)


def _multiply(path: Path, copies: int) -> None:
    """Older copies of what has ended, by the database itself: through the backend a million would take a minute."""
    with closing(sqlite3.connect(path)) as connection:
        columns = [row[1] for row in connection.execute("pragma table_info(outlive_record)") if row[1] != "id"]
        names = ", ".join(columns)
        copied = "printf('01900000-%04x-7000-8000-%012x', ?, rowid), " + names
        statement = f"insert into outlive_record (id, {names}) select {copied} from temp.model"  # noqa: S608
        chosen = f"select {names} from outlive_record where ended_at is not null"  # noqa: S608
        connection.execute(f"create temp table model as {chosen}")
        connection.executemany(statement, [(copy,) for copy in range(copies)])
        connection.commit()


async def _start(path: Path) -> float:
    """Milliseconds that a manager needs."""
    manager = TaskManager(SqliteBackend(path, synchronous="NORMAL"))
    begun = time.perf_counter()
    await manager.startup()
    took = (time.perf_counter() - begun) * 1e3
    await manager.shutdown()
    return took


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
        await fill(backend, count)
        now = time.time()
        await backend.apply([Enqueue(str(uuid7()), "app.tasks:later", "later", now, now + 3600) for _ in range(1000)])
        return await _timed(_queries(backend, f"01900000-{count // BATCH // 2:04x}-7000-8000-{BATCH // 2:012x}"))
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
    count = COUNT
    with scratch(options) as folder:
        found = asyncio.run(_measure(folder / "tasks.db", count))
        starts = [asyncio.run(_start(folder / "tasks.db")) for _ in range(5)]
        bare = [asyncio.run(_start(folder / f"empty{at}.db")) for at in range(5)]
    section = Section(f"Lists at {count:,} records", METHOD.format(count=count), "least .. greatest")
    for name, values in found.items():
        median, beside = statistics.median(values), f"{min(values):.2f} .. {max(values):.2f} ms"
        section.rows.append(at_most(name, median, 5.0, "ms", beside=beside))
    section.rows.append(Row("start", spread(starts, "ms"), f"on an empty file {spread(bare, 'ms')}"))
    return section
