"""PostgreSQL: accepting and draining, beside the driver alone in the same run."""

import asyncio
import statistics
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from uuid import uuid4

import asyncpg

from benchmarks import raw_postgres, servers
from benchmarks.drain import until_empty
from benchmarks.measure import (
    Options,
    Row,
    Section,
    at_least,
    at_most,
    interleave,
    ratios,
    spread,
)
from benchmarks.peers.adapter import cpu_of
from benchmarks.watching import watched
from outlive import PostgresBackend, TaskManager, TaskStatus
from outlive.core.moves import Enqueue, Settle, Start
from outlive.core.states import Event
from outlive.ports import Wanted

ONE, BULK, COUNT, BATCH = 200, 1_000, 10_000, 200
#: By which a worker knows the task that others have accepted.
IDENTITY = f"{__name__}:noop"

METHOD = f"""\
On asyncio's own loop. "One": `await manager.enqueue(...)` {ONE} times, one after the other, nothing runs;
raw is one `insert` of asyncpg each. "Bulk": one `await manager.enqueue_many(...)` of {BULK:,}; raw is one
statement over `unnest(...)`. Both raw tables have our columns and a primary key alone. "In process": {COUNT:,}
tasks from `enqueue_many` to their ends. "Drain": {COUNT:,} tasks that another process has left, by one worker with
default settings; raw claims, starts and settles {BATCH} at a time by three statements on that table. CPU is that of the
worker, and of the server's processes. "Our backend alone" is the same statements, tables and notes as outlive's without
its runtime, one after the other: what the records and their indexes cost. PgQueuer is under "Queues beside other
systems". Ratios within a round."""


async def noop(address: str) -> None:
    """The task."""


@dataclass
class Place:
    """A server, and schemas of one's own on it."""

    server: servers.Server
    cpu: dict[str, list[float]] = field(default_factory=dict)

    @asynccontextmanager
    async def manager(self, schema: str | None = None, **options: object) -> AsyncIterator[TaskManager]:
        """A manager on a schema, by default a new one."""
        backend = PostgresBackend(self.server.url, schema=schema or f"s{uuid4().hex}")
        manager = TaskManager(backend, **options)  # type: ignore[arg-type]
        manager.task()(noop)
        async with manager, watched(manager):
            yield manager

    @asynccontextmanager
    async def backend(self) -> AsyncIterator[PostgresBackend]:
        """A backend on a new schema, and nothing above it."""
        backend = PostgresBackend(self.server.url, schema=f"s{uuid4().hex}")
        await backend.open()
        try:
            yield backend
        finally:
            await backend.close()

    @asynccontextmanager
    async def raw(self) -> AsyncIterator[asyncpg.Connection]:
        """A connection on a bare table with our columns."""
        connection = await asyncpg.connect(self.server.url)
        schema = f"raw{uuid4().hex}"
        await connection.execute(f"create schema {schema}; set search_path = {schema}; {raw_postgres.BARE}")
        try:
            yield connection
        finally:
            await connection.close()


async def _each(one: Callable[[], Awaitable[object]]) -> float:
    start = time.perf_counter()
    for _ in range(ONE):
        await one()
    return ONE / (time.perf_counter() - start)


async def _once(count: int, work: Awaitable[object]) -> float:
    start = time.perf_counter()
    await work
    return count / (time.perf_counter() - start)


def _ids(count: int) -> tuple[list[str], list[str]]:
    return [str(uuid4()) for _ in range(count)], ['[["ann@example.org"], {}]'] * count


def _records(count: int) -> list[Enqueue]:
    now, (ids, arguments) = time.time(), _ids(count)
    about = IDENTITY, "noop", now, now
    return [Enqueue(one, *about, arguments=text) for one, text in zip(ids, arguments, strict=True)]


class Cases:
    """What is measured, each once a round."""

    def __init__(self, place: Place) -> None:
        self._place = place

    async def one(self) -> float:
        """Accept one after the other."""
        async with self._place.manager(run_tasks=False) as manager:
            return await _each(lambda: manager.enqueue(noop, "ann@example.org"))

    async def raw_one(self) -> float:
        """The same by the driver alone."""
        async with self._place.raw() as connection:
            return await _each(lambda: connection.execute(raw_postgres.INSERT, *_ids(1)))

    async def bulk(self) -> float:
        """Accept many in one call."""
        async with self._place.manager(run_tasks=False) as manager:
            await manager.enqueue_many(noop, [("warm",)] * BULK)
            return await _once(BULK, manager.enqueue_many(noop, [("ann@example.org",)] * BULK))

    async def raw_bulk(self) -> float:
        """The same by the driver alone."""
        async with self._place.raw() as connection:
            await connection.execute(raw_postgres.INSERT, *_ids(BULK))
            return await _once(BULK, connection.execute(raw_postgres.INSERT, *_ids(BULK)))

    async def alone_one(self) -> float:
        """The same by the backend alone."""
        async with self._place.backend() as backend:
            return await _each(lambda: backend.apply(_records(1)))

    async def alone_bulk(self) -> float:
        """Many in one batch of the backend alone."""
        async with self._place.backend() as backend:
            await backend.apply(_records(BULK))
            return await _once(BULK, backend.apply(_records(BULK)))

    async def alone_drain(self) -> float:
        """Claims, starts and settles of the backend alone, one after the other."""
        async with self._place.backend() as backend:
            for _ in range(COUNT // BULK):
                await backend.apply(_records(BULK))
            start = time.perf_counter()
            while found := (await backend.claim(Wanted("me", [IDENTITY], BATCH, time.time(), (), None, ()))).records:
                now = time.time()
                await backend.apply([Start(record.id, record.fence, "me", now) for record in found])
                ended = Event.SUCCEED, TaskStatus.SUCCESS, now
                await backend.apply([Settle(record.id, record.fence + 1, *ended) for record in found])
            return COUNT / (time.perf_counter() - start)

    async def in_process(self) -> float:
        """From `enqueue_many` to the last end."""
        async with self._place.manager(room=COUNT * 2) as manager:
            await (await manager.enqueue(noop, "warm")).result()
            start = time.perf_counter()
            await manager.enqueue_many(noop, [("ann@example.org",)] * COUNT)
            await until_empty(manager)
            return COUNT / (time.perf_counter() - start)

    async def drain(self) -> float:
        """What another process has left, by one worker."""
        schema = f"s{uuid4().hex}"
        async with self._place.manager(schema, run_tasks=False) as accepting:
            await accepting.enqueue_many(noop, [("ann@example.org",)] * COUNT)
        ran, all_ran = 0, asyncio.Event()
        worker = TaskManager(PostgresBackend(self._place.server.url, schema=schema))

        @worker.task(name=IDENTITY)
        async def counting(address: str) -> None:  # noqa: ARG001 - as it was accepted
            nonlocal ran
            ran += 1
            if ran == COUNT:
                all_ran.set()

        before, server, start = time.process_time(), cpu_of(self._place.server.process), time.perf_counter()
        async with worker:
            await all_ran.wait()
            await until_empty(worker)
            took = time.perf_counter() - start
        self._note("worker", time.process_time() - before)
        self._note("server", cpu_of(self._place.server.process) - server)
        return COUNT / took

    async def raw_drain(self) -> float:
        """The same by the driver alone."""
        async with self._place.raw() as connection:
            await connection.execute("create index on bare (run_at, id) where owner is null")
            await connection.execute(raw_postgres.INSERT, *_ids(COUNT))
            start = time.perf_counter()
            while ids := [row[0] for row in await connection.fetch(raw_postgres.CLAIM, BATCH)]:
                await connection.execute(raw_postgres.START, ids)
                await connection.execute(raw_postgres.SETTLE, ids)
            return COUNT / (time.perf_counter() - start)

    def _note(self, whose: str, seconds: float) -> None:
        self._place.cpu.setdefault(whose, []).append(seconds / COUNT * 1000)


def run(options: Options) -> Section:
    """Measure on a database of its own."""
    with servers.postgres() as server:
        place = Place(server)
        cases = Cases(place)
        named: dict[str, Callable[[], Awaitable[float]]] = {
            name.replace("_", " "): getattr(cases, name)
            for name in (
                "in_process",
                *(f"{whose}{what}" for what in ("one", "bulk", "drain") for whose in ("", "raw_", "alone_")),
            )
        }
        samples = asyncio.run(interleave(named, options.rounds(5)))
    return Section("PostgreSQL", METHOD, "compared", list(_rows(samples, place)))


def _rows(samples: dict[str, list[float]], place: Place) -> list[Row]:
    rows: list[Row] = []
    for name, least in (("one", 0.8), ("bulk", 0.5), ("drain", 1 / 1.6)):
        to_raw = ratios(samples[name], samples[f"raw {name}"])
        rows += [
            Row(f"raw, {name}", spread(samples[f"raw {name}"], "/s")),
            Row(
                f"our backend alone, {name}",
                spread(samples[f"alone {name}"], "/s"),
                f"{spread(ratios(samples[f'alone {name}'], samples[f'raw {name}']))} x raw",
            ),
            at_least(
                name,
                statistics.median(to_raw),
                round(least, 3),
                "x raw",
                spread(samples[name], "/s"),
                f"{spread(to_raw)} x raw",
            ),
        ]
    rows.append(at_least("in process", statistics.median(samples["in process"]), 10_000, "/s"))
    rows.append(at_most("worker's CPU, drain", statistics.median(place.cpu["worker"]), 0.06, "s per 1,000"))
    rows.append(Row("server's CPU, drain", spread(place.cpu["server"], "s per 1,000")))
    return rows
