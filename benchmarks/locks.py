"""Locks on every backend: a pair of acquire and release, eight contenders, a crowd, leaders, expiry."""

import asyncio
import statistics
import sys
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import ExitStack
from functools import partial
from pathlib import Path

from benchmarks import lock_places, raw, servers
from benchmarks.lock_peers import CONTENDERS, HOLD, PAIRS, WAITERS, WAITS, contended, crowd, pair
from benchmarks.lock_places import ByHand, Place
from benchmarks.lock_process import EACH
from benchmarks.measure import Options, Row, Section, at_most, interleave, percentile, ratios, scratch, spread
from benchmarks.peers import Peer, PeerError, environment, make, script, started
from outlive import TaskManager
from outlive.ports import Backend
from outlive.sync import LeaderElection, Lock

PACKAGES = ("grelmicro[sqlite,postgres,redis]==0.20.0", "redis", "asyncpg")
GRELMICRO = ("grelmicro-memory", "grelmicro-sqlite", "grelmicro-postgres", "grelmicro-redis")
PAIR_PEERS = tuple(f"{name} pair" for name in (*GRELMICRO, "advisory", "redis-py"))
CONTENDED_PEERS = ("advisory contended", "redis-py contended")
CROWD_PEERS = ("grelmicro-memory crowd", "grelmicro-sqlite crowd", "advisory crowd", "redis-py crowd")
LEASE = 0.2

METHOD = f"""\
A pair is one uncontended `async with lock`, the mean of {PAIRS} in a row. Contenders are {CONTENDERS} tasks that each
take the lock {WAITS} times and hold it 1 ms; what counts is the 99th percentile of their waits. A crowd is {WAITERS}
waiters that hold the lock {HOLD * 1000:g} ms each, over the {WAITERS * HOLD:g} s that this takes at best; "processes"
are three with {EACH} of them each. "Raw" takes and gives back a row with a deadline and a token by hand: on SQLite two
transactions of plain `sqlite3`, once in the event loop's own thread, which nobody who serves requests can do, and
once in another, as outlive does; on PostgreSQL two statements on one connection of asyncpg; on Redis, without a
token, `SET NX PX` and a script that compares and deletes. Peers run in an environment of their own, installed by the
measure ({", ".join(PACKAGES)}), on the same servers; they have no token, and an advisory lock has no deadline. A
leader is followed after a clean stop of its manager; "late" is by how much a lock whose holder is dead is had after
its lease of {LEASE:g} s has ended. Ratios within a round."""

Cases = dict[str, Callable[[], Awaitable[float]]]


# -- cases ---------------------------------------------------------------------------------------------


def _cases(options: Options, place: Place) -> Cases:
    """The measures of one backend, each on a place of its own."""

    def on_fresh(measure: Callable[[Callable[[], Backend]], Awaitable[float]]) -> Callable[[], Awaitable[float]]:
        async def case() -> float:
            with scratch(options) as folder:
                return await measure(place.backends(folder))

        return case

    measures = {"pair": _with_lock(pair), "contended": _with_lock(contended), "crowd": _with_lock(crowd)}
    measures |= {"follow": _follow, "late": _late}
    own: Cases = {f"{place.name} {kind}": on_fresh(measure) for kind, measure in measures.items()}
    return own | {f"{name} pair": _hand_made(options, by_hand) for name, by_hand in place.by_hand.items()}


def _with_lock(measure: Callable[..., Awaitable[float]]) -> Callable[[Callable[[], Backend]], Awaitable[float]]:
    async def on(make: Callable[[], Backend]) -> float:
        backend = make()
        await backend.open()
        try:
            return await measure(lambda: Lock("bench", backend=backend))
        finally:
            await backend.close()

    return on


def _hand_made(options: Options, by_hand: ByHand) -> Callable[[], Awaitable[float]]:
    async def case() -> float:
        with scratch(options) as folder:
            async with by_hand(folder) as lock:
                return await pair(lambda: lock)

    return case


async def _follow(make: Callable[[], Backend]) -> float:
    """Milliseconds from the stop of a leader to the next one."""
    managers = [TaskManager(make()), TaskManager(make())]
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


async def _late(make: Callable[[], Backend]) -> float:
    """Milliseconds from the end of a dead holder's lease to the next holder."""
    backend = make()
    await backend.open()
    taken = time.time()
    await backend.leases.take("lock:bench", "dead", LEASE, taken)
    async with Lock("bench", backend=backend):
        late = time.time() - taken - LEASE
    await backend.close()
    return late * 1000


async def _together(processes: Sequence[Callable[[], float]]) -> float:
    begun = time.perf_counter()
    await asyncio.gather(*[asyncio.to_thread(sample) for sample in processes])
    return (time.perf_counter() - begun) / (len(processes) * EACH * HOLD)


def _ask(sample: Callable[[], float]) -> Callable[[], Awaitable[float]]:
    async def ask() -> float:
        return await asyncio.to_thread(sample)

    return ask


# -- a run ---------------------------------------------------------------------------------------------


def prepare() -> None:
    """Make the environment."""
    make([partial(environment, PACKAGES)])


def run(options: Options) -> Section:
    """Measure outlive, the raw way and the peers."""
    with scratch(options) as folder, ExitStack() as stack:
        places = _places(folder, stack)
        peers, failures = _peers(folder, stack)
        three, _ = stack.enter_context(started(script(folder, "lock_process.py", ("1", "2", "3"), sys.executable)))
        cases: Cases = {"processes crowd": lambda: _together([one.sample for one in three.values()])}
        for place in places:
            cases |= _cases(options, place)
        cases |= {name: _ask(peer.sample) for name, peer in peers.items()}
        samples = asyncio.run(interleave(cases, options.rounds(2)))
    rows = [*_pair_rows(places, samples), *_peer_rows(samples, failures, PAIR_PEERS, "µs")]
    rows += [*_contended_rows(places, samples), *_peer_rows(samples, failures, CONTENDED_PEERS, "ms")]
    rows += [*_crowd_rows(places, samples), *_peer_rows(samples, failures, CROWD_PEERS, "x ideal")]
    return Section("Locks", METHOD, "beside", [*rows, *_lease_rows(places, samples)])


def _places(folder: Path, stack: ExitStack) -> list[Place]:
    """Every backend; where the servers are, the peers read in the folder."""
    postgres, redis = (stack.enter_context(one()).url for one in (servers.postgres, servers.redis))
    (folder / "postgres").write_text(postgres)
    (folder / "redis").write_text(redis)
    on_file = [lock_places.sqlite(synchronous) for synchronous in raw.SETTINGS]
    return [lock_places.memory(), *on_file, lock_places.postgres(postgres), lock_places.redis(redis)]


def _peers(folder: Path, stack: ExitStack) -> tuple[dict[str, Peer], dict[str, str]]:
    names = (*PAIR_PEERS, *CONTENDED_PEERS, *CROWD_PEERS)
    try:
        python = environment(PACKAGES)
    except PeerError as error:
        return {}, dict.fromkeys(names, str(error))
    return stack.enter_context(started(script(folder, "lock_peers.py", names, python)))


# -- rows ----------------------------------------------------------------------------------------------

Samples = dict[str, list[float]]


def _pair_rows(places: Sequence[Place], samples: Samples) -> Iterator[Row]:
    for place in places:
        own = samples[f"{place.name} pair"]
        if not place.by_hand:
            yield Row(f"pair, {place.name}", spread(own, "µs"))
        for name in place.by_hand:
            by_hand = samples[f"{name} pair"]
            to_raw = ratios(own, by_hand)
            yield Row(f"pair, {name}", spread(by_hand, "µs"))
            what = f"pair, {place.name}, to raw{name.removeprefix(f'raw {place.name}')}"
            yield at_most(what, statistics.median(to_raw), 1.15, "x raw", spread(own, "µs"), spread(to_raw))


def _contended_rows(places: Sequence[Place], samples: Samples) -> Iterator[Row]:
    for place in places:
        own = samples[f"{place.name} contended"]
        what = f"p99 wait of {CONTENDERS}, {place.name}"
        if place.name == "PostgreSQL" and "advisory contended" in samples:
            to_peer = ratios(own, samples["advisory contended"])
            shown = spread(own, "ms"), spread(to_peer)
            yield at_most(what, statistics.median(to_peer), 2.5, "x advisory", *shown)
        elif place.name == "Redis":
            yield at_most(what, statistics.median(own), 30.0, "ms", spread(own, "ms"))
        else:
            yield Row(what, spread(own, "ms"))


def _crowd_rows(places: Sequence[Place], samples: Samples) -> Iterator[Row]:
    for name in [place.name for place in places] + ["processes"]:
        found, bar = samples[f"{name} crowd"], 3.0 if name == "processes" else 1.5
        where = "SQLite NORMAL, three processes" if name == "processes" else name
        yield at_most(f"crowd, {where}", statistics.median(found), bar, "x ideal", spread(found, "x ideal"))


def _lease_rows(places: Sequence[Place], samples: Samples) -> Iterator[Row]:
    for kind, what, bar in (("follow", "a leader is followed", 100.0), ("late", "an expired lease is had late", 50.0)):
        for place in places:
            found = samples[f"{place.name} {kind}"]
            yield at_most(f"{what}, {place.name}", percentile(found, 100), bar, "ms", spread(found, "ms"))


def _peer_rows(samples: Samples, failures: dict[str, str], names: Sequence[str], unit: str) -> Iterator[Row]:
    for name in names:
        system, _, kind = name.partition(" ")
        what = f"{kind}, {system}".replace("contended", f"p99 wait of {CONTENDERS}")
        if name in failures:
            yield Row(what, f"not measured: {failures[name]}")
        else:
            yield Row(what, spread(samples[name], unit))
