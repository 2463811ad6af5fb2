"""Lists, filters, counts, pages of the dashboard and a start over a million records, on every durable backend."""

import asyncio
import statistics
import time
import tracemalloc
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

from fastapi import FastAPI
from starlette.types import ASGIApp, Message
from uuid_utils import uuid7

from benchmarks import copies, servers
from benchmarks.asgi import Asking, request_scope
from benchmarks.asgi import send as sending
from benchmarks.copies import MODEL, Store
from benchmarks.measure import Options, Row, Section, at_most, number, scratch, spread
from outlive import Backend, Page, SqliteBackend, TaskAdmin, TaskFilter, TaskManager, TaskStatus
from outlive.core.moves import Enqueue

COUNT, LATER = 1_000_000, 1_000
#: On Redis, which keeps them in memory and takes 16 s and 0.9 GB for a million.
ON_REDIS = 100_000
#: How often each is asked, unless that takes so many seconds.
TIMES, PATIENCE = 40, 1.0
#: What of the dashboard is fetched, as often as that.
PAGES = {
    "overview": "",
    "list of tasks": "/tasks",
    "list of a function's failed ones": "/tasks?q=status:failed+fn:task_19",
}
EXPORT, FETCHES = "/export.csv", 5
#: Bytes of the export between which its memory is looked at.
EARLY, LATE = 100_000, 800_000

METHOD = f"""\
Through each backend, with {COUNT:,} ended records ({ON_REDIS:,} on Redis) of 20 functions, 1 % of them failed, evenly
spread, and {LATER:,} pending ones; pages of 50. Each query {TIMES} times, or as often as {PATIENCE:g} s allows, in
turn with the others; the median with least and greatest. The records were written just before, all but {MODEL:,} of
them by the database itself, so what they are read from is warm. "First byte" is that of a page of the dashboard on a
manager with this backend, called by hand (`await app(scope, receive, send)`); of the export, {LATE:,} bytes are read
and what Python has allocated is compared with what it had after {EARLY:,}. "Start" is `startup()` of a manager on
that file of SQLite, beside the same on an empty one."""

Query = Callable[[], Awaitable[object]]


@dataclass(slots=True)
class Found:
    """What was measured on one backend, in milliseconds, and bytes of memory between two moments of a long answer."""

    queries: dict[str, list[float]]
    pages: dict[str, list[float]] = field(default_factory=dict[str, list[float]])
    grown: int = 0


def _queries(backend: Backend, middle: str) -> dict[str, Query]:
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


async def _measure(stores: Sequence[Store]) -> dict[str, Found]:
    await asyncio.gather(*[_fill(store) for store in stores])
    found: dict[str, Found] = {}
    for store in stores:
        async with TaskManager(store.backend, run_tasks=False) as manager:
            found[store.name] = await _ask(store, manager)
    return found


async def _fill(store: Store) -> None:
    await store.backend.open()
    try:
        await store.fill(_count(store.name))
        now = time.time()
        waiting = [Enqueue(str(uuid7()), "app.tasks:later", "later", now, now + 3600) for _ in range(LATER)]
        await store.backend.apply(waiting)
    finally:
        await store.backend.close()


def _count(name: str) -> int:
    return ON_REDIS if name == "Redis" else COUNT


async def _ask(store: Store, manager: TaskManager) -> Found:
    middle = copies.id_of(_count(store.name) // MODEL // 2, MODEL // 2)
    found = Found(await _timed(_queries(store.backend, middle)))
    app = FastAPI()
    TaskAdmin(app, manager, auth=False)
    for name, path in (PAGES | {"export": EXPORT}).items():
        found.pages[name] = [await _read(app, path, {1: lambda: None}) for _ in range(FETCHES)]
    seen: list[int] = []
    tracemalloc.start()
    try:
        looking = {length: lambda: seen.append(tracemalloc.get_traced_memory()[0]) for length in (EARLY, LATE)}
        await _read(app, EXPORT, looking)
    finally:
        tracemalloc.stop()
    found.grown = seen[1] - seen[0]
    return found


async def _timed(queries: dict[str, Query]) -> dict[str, list[float]]:
    found: dict[str, list[float]] = {name: [] for name in queries}
    for _ in range(TIMES):
        for name, query in queries.items():
            if sum(found[name]) < PATIENCE * 1e3:
                start = time.perf_counter()
                await query()
                found[name].append((time.perf_counter() - start) * 1e3)
    return found


async def _read(app: ASGIApp, path: str, at: Mapping[int, Callable[[], object]]) -> float:
    """Milliseconds until so many bytes of an answer have come; at each length something is done."""
    read, left, enough = 0, sorted(at), asyncio.Event()

    async def send(message: Message) -> None:
        nonlocal read
        await sending(message)
        read += len(message.get("body", b""))
        while left and read >= left[0]:
            at[left.pop(0)]()
        if not left:
            enough.set()

    path, _, query = f"/tasks/dashboard{path}".partition("?")
    asked = {"method": "GET", "path": path, "raw_path": path.encode(), "query_string": query.encode()}
    start = time.perf_counter()
    answering = asyncio.ensure_future(app({**request_scope(), **asked}, Asking().receive, send))
    answering.add_done_callback(lambda _: enough.set())
    await enough.wait()
    took = (time.perf_counter() - start) * 1e3
    answering.cancel()
    await asyncio.wait([answering])
    if left:
        raise RuntimeError(f"{path} ended after {read} bytes: {answering}")
    return took


async def _start(path: Path) -> float:
    """Milliseconds that a manager needs."""
    manager = TaskManager(SqliteBackend(path, synchronous="NORMAL"))
    begun = time.perf_counter()
    await manager.startup()
    took = (time.perf_counter() - begun) * 1e3
    await manager.shutdown()
    return took


def run(options: Options) -> Section:
    """Fill and ask."""
    with scratch(options) as folder, ExitStack() as stack:
        file = folder / "tasks.db"
        servers_of = [stack.enter_context(one()).url for one in (servers.postgres, servers.redis)]
        stores = [copies.sqlite(file), copies.postgres(servers_of[0]), copies.redis(servers_of[1])]
        found = asyncio.run(_measure(stores))
        starts = [asyncio.run(_start(file)) for _ in range(5)]
        bare = [asyncio.run(_start(folder / f"empty{at}.db")) for at in range(5)]
    section = Section(f"Lists at {COUNT:,} records", METHOD, "least .. greatest")
    for name, each in found.items():
        section.rows += _rows(f"{name}, {ON_REDIS:,}" if name == "Redis" else name, each)
    section.rows.append(Row("SQLite, start", spread(starts, "ms"), f"on an empty file {spread(bare, 'ms')}"))
    return section


def _rows(name: str, found: Found) -> Iterator[Row]:
    for what, values in found.queries.items():
        yield _row(f"{name}, {what}", values, 5.0)
    for what, values in found.pages.items():
        yield _row(f"{name}, {what}: first byte", values, 100.0)
    kilobytes = found.grown / 1024
    yield at_most(f"{name}, export: memory that grows with its length", kilobytes, 100.0, "kB")


def _row(what: str, values: Sequence[float], bar: float) -> Row:
    beside = f"{number(min(values))} .. {number(max(values))} ms"
    return at_most(what, statistics.median(values), bar, "ms", beside=beside)
