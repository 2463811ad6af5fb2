"""The bars once more while a dashboard is open in the same process, beside the same without one."""

import asyncio
import statistics
import tracemalloc
from collections.abc import Awaitable, Callable, Coroutine, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, TypeVar
from uuid import uuid4

from benchmarks import (
    dashboard,
    drain,
    latency,
    lock_peers,
    lock_places,
    memory,
    raw,
    request,
    schedules,
    servers,
    sqlite_journal,
)
from benchmarks.measure import Options, Row, Section, at_least, at_most, interleave, percentile, ratios, scratch, spread
from benchmarks.peers import Peer
from benchmarks.peers.web import plain
from benchmarks.requests_peers import SYSTEMS, TASKFLOW
from benchmarks.requests_per_second import BARS, Server, command_for, serving, wait_until_up
from benchmarks.server import MEMORY, NO_TASK, NORMAL
from benchmarks.watching import is_open, open_page, watched
from outlive import Backend, MemoryBackend, PostgresBackend, SqliteBackend, TaskManager
from outlive.backends.redis import RedisBackend
from outlive.sync import Lock

#: Seconds for which tasks are started at a steady rate.
STEADY = 1.0

METHOD = f"""\
As in the sections above, for about a second at a time, while somebody looks at the overview of the same manager: its
stream is read, and the page is fetched, after a hint again as soon as it says, in the process that is measured. Beside
it the same without a dashboard, in turn in the same rounds, and what the bar compares with. Waits are those of
{STEADY * latency.RATE:.0f} tasks. Lists and pages at a million records stand above; in the other processes of a bar
between processes, and after a kill, nobody looks."""

Sample = Callable[[], Awaitable[float]]
Found = TypeVar("Found")


@dataclass(frozen=True, slots=True)
class Case:
    """A figure of outlive and the row that it makes, if there is a bar for it."""

    sample: Sample
    #: What the figure is in.
    shown: str
    row: Callable[..., Row] | None = None
    limit: float = 0.0
    unit: str = ""
    #: What the bar is held against, in the same round, and how.
    held: Sample | None = None
    against: Callable[[Sequence[float], Sequence[float]], list[float]] = ratios


def added(values: Sequence[float], base: Sequence[float]) -> list[float]:
    """Each value less the one of the same round."""
    return [value - other for value, other in zip(values, base, strict=True)]


def share_added(values: Sequence[float], base: Sequence[float]) -> list[float]:
    """By how many per cent each value is above the one of the same round."""
    return [(ratio - 1) * 100 for ratio in ratios(values, base)]


def opened(sample: Callable[[], Awaitable[Found]]) -> Callable[[], Coroutine[Any, Any, Found]]:
    """The same while somebody looks."""

    async def watching() -> Found:
        token = is_open.set(True)
        try:
            return await sample()
        finally:
            is_open.reset(token)

    return watching


class Cases:
    """What is measured, each with a place of its own."""

    def __init__(self, options: Options, urls: tuple[str, str], taskflow: Peer) -> None:
        self._options = options
        self._urls = urls
        self._taskflow = taskflow

    def backends(self, folder: Path) -> dict[str, Backend]:
        """One of each, with nothing in it."""
        postgres, redis = self._urls
        return {
            "memory": MemoryBackend(),
            "SQLite NORMAL": SqliteBackend(folder / f"{uuid4().hex}.db", synchronous="NORMAL"),
            "PostgreSQL": PostgresBackend(postgres, schema=f"s{uuid4().hex}"),
            "Redis": RedisBackend(redis, uuid4().hex),
        }

    def on(self, name: str, work: Callable[[Backend], Awaitable[float]]) -> Sample:
        """A sample on such a backend."""

        async def sample() -> float:
            with scratch(self._options) as folder:
                return await work(self.backends(folder)[name])

        return sample

    def all(self) -> Iterator[tuple[str, Case]]:
        """By their names."""
        yield from self._requests()
        yield from self._drains()
        yield from self._accepting()
        yield from self._schedules()
        yield from self._locks()

    def _requests(self) -> Iterator[tuple[str, Case]]:
        def scheduling(manager: TaskManager) -> request.Case:
            return request.Case(request.scheduling(manager, lambda tasks, email: tasks.schedule(request.noop, email)))

        none = partial(_microseconds, request.Case(plain(), request.original_solver()), 3_000)
        in_memory = self.on("memory", lambda backend: _requests(backend, scheduling, 6_000))
        stored = self.on("SQLite NORMAL", lambda backend: _requests(backend, request.durable_case, 1_500))
        yield "a request with one task, memory", Case(in_memory, "µs", at_most, 35.0, "%", none, share_added)
        yield "a request with one task, SQLite NORMAL", Case(stored, "µs", at_most, 150.0, "µs", none, added)

    def _drains(self) -> Iterator[tuple[str, Case]]:
        async def taskflow() -> float:
            answer = await asyncio.to_thread(self._taskflow.ask, "in_process", case="memory", count=TASKFLOW_TASKS)
            return float(answer["value"])

        async def raw_sqlite() -> float:
            with scratch(self._options) as folder:
                return await drain.without_loop(lambda: raw.connect(folder / "raw.db", "NORMAL"))

        waves = {"memory": 6, "SQLite NORMAL": 3, "PostgreSQL": 1, "Redis": 1}
        own = {name: self.on(name, partial(drain.ours, waves=count)) for name, count in waves.items()}
        times = f"x {TASKFLOW}"
        yield "enqueue to done, memory", Case(own["memory"], "/s", at_least, 5.0, times, taskflow)
        yield "enqueue to done, SQLite NORMAL", Case(own["SQLite NORMAL"], "/s", at_least, 0.3, "x raw", raw_sqlite)
        yield "enqueue to done, PostgreSQL", Case(own["PostgreSQL"], "/s", at_least, 10_000.0, "/s")
        yield "enqueue to done, Redis", Case(own["Redis"], "/s")

    def _accepting(self) -> Iterator[tuple[str, Case]]:
        async def waiters() -> float:
            with scratch(self._options) as folder:
                async with sqlite_journal.held(folder / "tasks.db", "NORMAL") as manager:
                    return await sqlite_journal.waiting(partial(manager.enqueue, sqlite_journal.noop, "a@b.c"), 200)

        async def raw_waiters() -> float:
            with scratch(self._options) as folder, raw.Committer(folder / "raw.db", "NORMAL") as committer:
                return await sqlite_journal.waiting(committer.commit, 200)

        async def bulk() -> float:
            with scratch(self._options) as folder:
                async with sqlite_journal.held(folder / "tasks.db", "NORMAL") as manager:
                    return await sqlite_journal.bulk(manager, 6)

        async def raw_bulk() -> float:
            with scratch(self._options) as folder, closing(raw.connect(folder / "raw.db", "NORMAL")) as connection:
                return await sqlite_journal.raw_bulk(connection)

        yield "SQLite: 100 waiters, NORMAL", Case(waiters, "/s", at_least, 0.5, "x raw", raw_waiters)
        yield "SQLite: bulk, NORMAL", Case(bulk, "/s", at_least, 0.4, "x raw", raw_bulk)

    def _schedules(self) -> Iterator[tuple[str, Case]]:
        async def burst(backend: Backend) -> float:
            manager = TaskManager(backend)
            async with manager, watched(manager):
                return await schedules.burst(manager, 0, 1.0)

        for name, limit in (("memory", 20.0), ("SQLite NORMAL", 100.0)):
            case = Case(self.on(name, burst), "µs a fire", at_most, limit, "µs a fire")
            yield f"{schedules.BURST:,} schedules due at once, {name}", case

    def _locks(self) -> Iterator[tuple[str, Case]]:
        async def by_hand() -> float:
            made = lock_places.sqlite("NORMAL").by_hand["raw SQLite NORMAL, in another thread"]
            with scratch(self._options) as folder:
                async with made(folder) as lock:
                    return await _pairs(lambda: lock)

        async def advisory() -> float:
            with scratch(self._options) as folder:
                (folder / "postgres").write_text(self._urls[0])
                async with lock_peers.advisory(folder) as make:
                    return await lock_peers.contended(make)

        pair = self.on("SQLite NORMAL", partial(_locked, _pairs))
        yield "a pair of a lock, SQLite NORMAL", Case(pair, "µs", at_most, 1.15, "x raw", by_hand)
        waits = {name: self.on(name, partial(_locked, lock_peers.contended)) for name in ("PostgreSQL", "Redis")}
        what = f"p99 wait of {lock_peers.CONTENDERS} for a lock"
        yield f"{what}, PostgreSQL", Case(waits["PostgreSQL"], "ms", at_most, 2.5, "x advisory", advisory)
        yield f"{what}, Redis", Case(waits["Redis"], "ms", at_most, 30.0, "ms")


TASKFLOW_TASKS = next(system.counts[0] for system in SYSTEMS if system.name == TASKFLOW)


async def _microseconds(case: request.Case, calls: int) -> float:
    return await request.sample(replace(case, calls=calls)) * 1e6


async def _requests(backend: Backend, case: Callable[[TaskManager], request.Case], calls: int) -> float:
    manager = TaskManager(backend)
    manager.task()(request.noop)
    async with manager, watched(manager):
        return await _microseconds(case(manager), calls)


async def _locked(measure: Callable[..., Awaitable[float]], backend: Backend) -> float:
    manager = TaskManager(backend)
    async with manager, watched(manager):
        return await measure(lambda: Lock("bench", backend=backend))


async def _pairs(make: lock_peers.MakeLock) -> float:
    return statistics.mean([await lock_peers.pair(make) for _ in range(12)])


# -- a run ---------------------------------------------------------------------------------------------


def run(options: Options) -> Section:
    """Measure all of them."""
    with ExitStack() as stack:
        urls = stack.enter_context(servers.postgres()).url, stack.enter_context(servers.redis()).url
        folder = stack.enter_context(scratch(options))
        system = next(one for one in SYSTEMS if one.name == TASKFLOW)
        command: list[str | Path] = [system.python(), "-m", "benchmarks.peers.run", system.adapter, "web"]
        cases = Cases(options, urls, stack.enter_context(Peer(command, {"BENCH_FOLDER": str(folder)})))
        found = asyncio.run(_measure(dict(cases.all()), options))
        served = list(_served(options, folder))
        waits = asyncio.run(_waits(cases, folder))
        kept = asyncio.run(opened(cases.on("SQLite NORMAL", _left))())
    section = Section("With a dashboard open", METHOD, "beside")
    section.rows = [*found, *served, *waits, at_most("memory, an ended record on SQLite", kept, 16.0, "bytes")]
    return section


async def _left(backend: Backend) -> float:
    tracemalloc.start()
    try:
        return await memory.left(backend)
    finally:
        tracemalloc.stop()


async def _measure(cases: dict[str, Case], options: Options) -> list[Row]:
    rows: list[Row] = []
    for name, case in cases.items():  # one after the other, so that what is compared is seconds apart
        samples = {"open": opened(case.sample), "closed": case.sample}
        rounds = options.rounds(1)
        found = await interleave(samples if case.held is None else samples | {"held": case.held}, rounds)
        rows.append(_row(name, case, found))
    return rows


def _row(name: str, case: Case, found: dict[str, list[float]]) -> Row:
    own, without = found["open"], found["closed"]
    values = own if case.held is None else case.against(own, found["held"])
    beside = f"{spread(ratios(own, without))} x without one"
    if case.held is not None:
        beside = f"{spread(values, case.unit)}; {beside}"
    if case.row is None:
        return Row(name, spread(own, case.shown), beside)
    return case.row(name, statistics.median(values), case.limit, case.unit, spread(own, case.shown), beside)


# -- what a server and a steady rate make --------------------------------------------------------------


async def _rates(found: Mapping[str, Server], rounds: int) -> dict[str, list[float]]:
    def watched_load(server: Server) -> Sample:
        page = dashboard.Server(server.port)

        async def load() -> float:
            async with open_page(page.listen, lambda: page.fetch(dashboard.OVERVIEW)):
                return await server.load(1.0)

        return load

    samples: dict[str, Sample] = {kind: partial(server.load, 1.0) for kind, server in found.items()}
    samples |= {f"{kind}, open": watched_load(server) for kind, server in found.items() if kind != NO_TASK}
    for server in found.values():
        await wait_until_up(server.port)
        await server.load(0.2)
    return await interleave(samples, rounds)


def _served(options: Options, folder: Path) -> Iterator[Row]:
    commands = {kind: command_for(kind, folder, "asyncio", "dashboard") for kind in (NO_TASK, MEMORY, NORMAL)}
    with serving(commands) as found:
        rates = asyncio.run(_rates(found, options.rounds(1)))
    for kind in (MEMORY, NORMAL):
        own = rates[f"{kind}, open"]
        share, without = ratios(own, rates[NO_TASK]), ratios(own, rates[kind])
        beside = f"{spread(share)} x no task; {spread(without)} x without one"
        shown = statistics.median(share), BARS[kind], "x no task", spread(own, "/s"), beside
        yield at_least(f"requests per second, one task, {kind}", *shown)


async def _waits(cases: Cases, folder: Path) -> list[Row]:
    rows: list[Row] = []
    for name in cases.backends(folder):

        async def sample(name: str = name) -> list[float]:
            return await latency.latencies(cases.backends(folder)[name], STEADY)

        without, own = await sample(), await opened(sample)()
        p50, p99 = (f"{percentile(without, percent):.2f} ms without one" for percent in (50, 99))
        limit = None if name in ("PostgreSQL", "Redis") else 1.0  # theirs is held against what others do
        rows += latency.rows(f"enqueue to start, {name}", own, (p50, p99), limit)
    return rows
