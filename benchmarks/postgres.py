"""PostgreSQL: accepting, draining and starting, beside the driver alone and PgQueuer in the same run."""

import asyncio
import resource
import statistics
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from importlib.util import find_spec
from uuid import uuid4

import asyncpg
from tests.support import postgres

from benchmarks.measure import (
    Options,
    Row,
    Section,
    at_least,
    at_most,
    interleave,
    percentile,
    ratios,
    scratch,
    spread,
)
from benchmarks.watching import watched
from outlive import PostgresBackend, TaskManager, TaskStatus
from outlive.core.moves import Enqueue, Settle, Start
from outlive.core.states import Event
from outlive.ports import Wanted

ONE, BULK, COUNT, BATCH = 200, 1_000, 10_000, 200
#: By which a worker knows the task that others have accepted.
IDENTITY = f"{__name__}:noop"

METHOD = f"""\
A server of the wheel that the tests use, on this machine and its processors, with its own settings (fsync on) and a
unix socket; asyncio's own loop. "One": `await manager.enqueue(...)` {ONE} times, one after the other, nothing runs;
raw is one `insert` of asyncpg each. "Bulk": one `await manager.enqueue_many(...)` of {BULK:,}; raw is one
statement over `unnest(...)`. Both raw tables have our columns and a primary key alone. "In process": {COUNT:,}
tasks from `enqueue_many` to their ends. "Drain": {COUNT:,} tasks that another process has left, by one worker with
default settings; raw claims, starts and settles {BATCH} at a time by three statements on that table. CPU is that of the
worker, and of the server's processes. "Our backend alone" is the same statements, tables and notes as outlive's without
its runtime, one after the other: what the records and their indexes cost. PgQueuer, where it is installed, has a batch
of 500. Ratios within a round."""

PROBE = find_spec("pgqueuer") is not None


async def noop(address: str) -> None:
    """The task."""


@dataclass
class Place:
    """A server, and schemas of one's own on it."""

    server: postgres.Server
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
        await connection.execute(f"create schema {schema}; set search_path = {schema}; {BARE}")
        try:
            yield connection
        finally:
            await connection.close()


BARE = """
create table bare (
    id text primary key, func text, func_name text, status text default 'pending', created_at timestamptz,
    run_at timestamptz, started_at timestamptz, ended_at timestamptz, attempts int default 0, fence int default 0,
    owner text, error text, stacktrace text, reason text, recoverable boolean default true, priority int,
    queue text default 'default', source text default 'manual', timing text default 'enqueue',
    executor text default 'async', label text, idempotency_key text, tags text, arguments text, summary text,
    options text
)
"""
INSERT = """
insert into bare (id, func, func_name, created_at, run_at, arguments)
select id, 'app:noop', 'noop', now(), now(), arguments from unnest($1::text[], $2::text[]) as new (id, arguments)
"""
CLAIM = """
update bare set owner = 'me' where id in (
    select id from bare where owner is null order by run_at, id limit $1 for update skip locked
) returning id
"""
START = "update bare set status = 'running', started_at = now(), fence = fence + 1 where id = any($1::text[])"
SETTLE = "update bare set status = 'success', ended_at = now() where id = any($1::text[])"


async def _each(one: Callable[[], Awaitable[object]]) -> float:
    start = time.perf_counter()
    for _ in range(ONE):
        await one()
    return ONE / (time.perf_counter() - start)


async def _once(count: int, work: Awaitable[object]) -> float:
    start = time.perf_counter()
    await work
    return count / (time.perf_counter() - start)


async def _until_empty(manager: TaskManager) -> None:
    while len(manager.store):  # noqa: ASYNC110 - an event for each task would be measured, too
        await asyncio.sleep(0.001)


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
            return await _each(lambda: connection.execute(INSERT, *_ids(1)))

    async def bulk(self) -> float:
        """Accept many in one call."""
        async with self._place.manager(run_tasks=False) as manager:
            await manager.enqueue_many(noop, [("warm",)] * BULK)
            return await _once(BULK, manager.enqueue_many(noop, [("ann@example.org",)] * BULK))

    async def raw_bulk(self) -> float:
        """The same by the driver alone."""
        async with self._place.raw() as connection:
            await connection.execute(INSERT, *_ids(BULK))
            return await _once(BULK, connection.execute(INSERT, *_ids(BULK)))

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
            await _until_empty(manager)
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

        before, server, start = _cpu(), self._place.server.cpu_seconds(), time.perf_counter()
        async with worker:
            await all_ran.wait()
            await _until_empty(worker)
            took = time.perf_counter() - start
        self._note("worker", _cpu() - before)
        self._note("server", self._place.server.cpu_seconds() - server)
        return COUNT / took

    async def raw_drain(self) -> float:
        """The same by the driver alone."""
        async with self._place.raw() as connection:
            await connection.execute("create index on bare (run_at, id) where owner is null")
            await connection.execute(INSERT, *_ids(COUNT))
            start = time.perf_counter()
            while ids := [row[0] for row in await connection.fetch(CLAIM, BATCH)]:
                await connection.execute(START, ids)
                await connection.execute(SETTLE, ids)
            return COUNT / (time.perf_counter() - start)

    async def queuer_bulk(self) -> float:
        """Many in one call of PgQueuer."""
        async with self._queuer() as (queries, _):
            return await _once(BULK, queries.enqueue(["noop"] * BULK, [b"ann@example.org"] * BULK, [0] * BULK))

    async def queuer_drain(self) -> float:
        """One worker of PgQueuer."""
        from pgqueuer import PgQueuer  # noqa: PLC0415 - only where it is installed

        async with self._queuer() as (queries, driver):
            await queries.enqueue(["noop"] * COUNT, [b"ann@example.org"] * COUNT, [0] * COUNT)
            queuer, done = PgQueuer(driver), 0

            @queuer.entrypoint("noop")
            async def work(_job: object) -> None:
                nonlocal done
                done += 1
                if done == COUNT:
                    queuer.shutdown.set()

            before, start = _cpu(), time.perf_counter()
            await queuer.run(batch_size=500, dequeue_timeout=timedelta(seconds=1))
            self._note("PgQueuer", _cpu() - before)
            return COUNT / (time.perf_counter() - start)

    @asynccontextmanager
    async def _queuer(self) -> AsyncIterator[tuple]:
        from pgqueuer.db import AsyncpgDriver  # noqa: PLC0415 - only where it is installed
        from pgqueuer.queries import Queries  # noqa: PLC0415

        connection = await asyncpg.connect(self._place.server.url)
        driver = AsyncpgDriver(connection)
        queries = Queries(driver)
        await queries.install()
        try:
            yield queries, driver
        finally:
            await queries.uninstall()
            await connection.close()

    def _note(self, whose: str, seconds: float) -> None:
        self._place.cpu.setdefault(whose, []).append(seconds / COUNT * 1000)


def _cpu() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


async def _latency(place: Place, rounds: int) -> tuple[list[float], list[float]]:
    """Milliseconds from the call to the first line of the body: in one process, and left for another."""
    begun: asyncio.Queue[float] = asyncio.Queue()

    async def stamp() -> None:
        begun.put_nowait(time.perf_counter())

    async def sample(accepting: TaskManager) -> float:
        start = time.perf_counter()
        await accepting.enqueue(stamp)
        return (await begun.get() - start) * 1000

    schema = f"s{uuid4().hex}"
    async with place.manager(schema, run_tasks=False) as accepting, place.manager(schema) as running:
        for manager in (accepting, running):
            manager.task(name="stamp")(stamp)
        own, other = [], []
        for _ in range(rounds):
            own.append(await sample(running))
            other.append(await sample(accepting))
            await asyncio.sleep(0.01)
    return own, other


def run(options: Options) -> Section:
    """Measure on a server of its own."""
    with scratch(options):
        server = postgres.Server(fsync="on", full_page_writes="on", timezone="UTC")
        try:
            place = Place(server)
            cases = Cases(place)
            named: dict[str, Callable[[], Awaitable[float]]] = {
                name.replace("_", " "): getattr(cases, name)
                for name in (
                    "in_process",
                    *(f"{whose}{what}" for what in ("one", "bulk", "drain") for whose in ("", "raw_", "alone_")),
                )
            }
            if PROBE:
                named |= {"PgQueuer bulk": cases.queuer_bulk, "PgQueuer drain": cases.queuer_drain}
            samples = asyncio.run(interleave(named, options.rounds(5)))
            latency = asyncio.run(_latency(place, options.rounds(200)))
        finally:
            server.remove()
    return Section("PostgreSQL", METHOD, "compared", list(_rows(samples, latency, place)))


def _rows(samples: dict[str, list[float]], latency: tuple[list[float], list[float]], place: Place) -> list[Row]:
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
    rows += _beside_queuer(samples)
    rows.append(at_least("in process", statistics.median(samples["in process"]), 10_000, "/s"))
    rows.append(at_most("worker's CPU, drain", statistics.median(place.cpu["worker"]), 0.06, "s per 1,000"))
    rows += [Row(f"{whose}'s CPU, drain", spread(used, "s per 1,000")) for whose, used in place.cpu.items()]
    for what, values in (("own path", latency[0]), ("another process", latency[1])):
        figures = f"{percentile(values, 50):.2f} / {percentile(values, 99):.2f} ms"
        rows.append(Row(f"enqueue to start, idle, {what}, p50 / p99", figures, "PgQueuer 3.5 / 20 ms (cited)"))
    return rows


def _beside_queuer(samples: dict[str, list[float]]) -> list[Row]:
    if not PROBE:
        return [
            Row("PgQueuer, bulk", "25,200/s (cited)"),
            Row("PgQueuer tuned, drain", "6,600 to 9,500/s (cited)"),
        ]
    rows: list[Row] = []
    for name, least in (("bulk", 1.3), ("drain", 1.7)):
        ratio = ratios(samples[name], samples[f"PgQueuer {name}"])
        rows += [
            Row(f"PgQueuer, {name}", spread(samples[f"PgQueuer {name}"], "/s")),
            at_least(f"{name} over PgQueuer", statistics.median(ratio), least, "x", spread(ratio, "x")),
        ]
    return rows
