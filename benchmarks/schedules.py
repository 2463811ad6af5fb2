"""What a hundred thousand schedules cost while nothing is due, how late one is, and what a thousand at once take."""

import asyncio
import gc
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial

from benchmarks.measure import Options, Row, Section, at_most, number, percentile, scratch, spread
from benchmarks.peers import Peer, PeerError, environment, make
from outlive import Backend, MemoryBackend, SqliteBackend, TaskManager

COUNT = 100_000
#: Seconds for which an idle process is watched, and slots of the one schedule that is due.
WATCHED, SLOTS = 1.5, 10
#: Schedules that are due at one moment, and how often.
BURST, AHEAD = 1_000, 2.0
PEER_SYSTEMS: Sequence[tuple[str, str, tuple[str, ...]]] = (
    ("heap by hand", "heap", ()),
    ("APScheduler", "apscheduler", ("apscheduler==3.11.3",)),
    ("fastapi-taskflow", "taskflow_schedules", ("fastapi-taskflow==0.12.1", "uvicorn")),
    ("grelmicro", "grelmicro", ("grelmicro==0.20.0",)),
)
PEERS = ", ".join(name for name, _, packages in PEER_SYSTEMS if packages)

METHOD = f"""\
{COUNT:,} schedules of one function, half `every=` a day or more, half `cron=`, none of them due, and for the last rows
one more with `every=0.2`. "Start" is `startup()`, with every schedule written to the backend, "again" with all of them
there; declaring them is not in it; beside it the processor time, to which the load of the machine adds nothing. "Idle"
is the processor time of a process over {WATCHED:g} s in which nothing is due, and beside it that of the same process
without schedules. "Late" is from the slot to the first line of the body, over {SLOTS} slots: the median, and beside it
the worst. "Burst" are {BURST:,} more, declared together, that are due together: from that moment to the last
body's start, over their number, beside the same with {PEERS}, each in an environment of its own and
without the others (fastapi-taskflow's moment is an interval after its start, grelmicro's the start itself, with which
its intervals begin; a heap and `create_task` by hand are the limit). The garbage collector runs before it, as before
every sample."""


def declare(manager: TaskManager, count: int) -> None:
    """So many schedules, none of which is due soon."""

    async def body() -> None: ...

    manager.task(name="body")(body)
    for at in range(count // 2):
        manager.schedule(every=86_400 + at, name=f"every {at}")(body)
        manager.schedule(cron=f"{at % 60} 3 1 1 *", name=f"cron {at}")(body)


async def started(backend: Backend, count: int) -> tuple[TaskManager, float, float]:
    """A running manager, how many seconds its start took, and how many of a processor."""
    manager = TaskManager(backend)
    declare(manager, count)
    began, used = time.perf_counter(), time.process_time()
    await manager.startup()
    return manager, time.perf_counter() - began, time.process_time() - used


async def idle() -> float:
    """The share of a processor that is used while nothing is due, in per cent."""
    await asyncio.sleep(0.5)
    before = time.process_time()
    await asyncio.sleep(WATCHED)
    return (time.process_time() - before) / WATCHED * 100


async def lateness(manager: TaskManager) -> list[float]:
    """Milliseconds from slot to start of one schedule more."""
    found: list[float] = []
    done = asyncio.Event()

    @manager.schedule(every=0.2, name="due")
    async def due() -> None:
        found.append(time.time())
        if len(found) == SLOTS:
            done.set()

    await done.wait()
    records = await manager.schedule_info("due", runs=100)
    slots = sorted(record.run_at.timestamp() for record in records.last_runs)[:SLOTS]
    return [(at - slot) * 1e3 for at, slot in zip(found[:SLOTS], slots, strict=True)]


async def _measure(name: str, make: Callable[[], Backend], rounds: int, *, durable: bool) -> list[Row]:
    manager, *_ = await started(MemoryBackend() if not durable else make(), 0)
    bare = await idle()
    await manager.shutdown()
    manager, *first = await started(make(), COUNT)
    rows = [_start(f"{name}, start", *first)]
    if durable:
        await manager.shutdown()
        manager, *again = await started(make(), COUNT)
        rows.append(_start(f"{name}, start again", *again))
    used = await idle()
    shown = f"{used:.2f} % of a processor", f"{bare:.2f} % without"
    rows.append(at_most(f"{name}, idle", max(used - bare, 0.0), 0.1, "% more", *shown))
    late = await lateness(manager)
    rows.append(at_most(f"{name}, late", percentile(late, 50), 10.0, "ms", beside=f"{number(max(late))} ms"))
    fires = [await burst(manager, at) for at in range(rounds)]
    await manager.shutdown()
    bar = 100.0 if durable else 20.0
    rows.append(at_most(f"{name}, burst", statistics.median(fires), bar, "µs a fire", spread(fires, "µs a fire")))
    return rows


async def burst(manager: TaskManager, serial: int, ahead: float = AHEAD) -> float:
    """Microseconds a fire, of many that are due at once, so many seconds after the first was declared."""
    begun: list[float] = []
    done = asyncio.Event()

    async def body() -> None:
        begun.append(time.time())
        if len(begun) == BURST:
            done.set()

    manager.task(name=f"burst {serial}")(body)
    names = [f"burst {serial} {at}" for at in range(BURST)]
    for name in names:
        manager.schedule(every=ahead, name=name)(body)
    gc.collect()  # what the start of all the others has left is looked through now, and not while they fire
    async with asyncio.timeout(30):
        await done.wait()
    for name in names:
        await manager.pause_schedule(name)
    first = min(run.run_at.timestamp() for run in (await manager.schedule_info(names[0], runs=100)).last_runs)
    return (begun[BURST - 1] - first) / BURST * 1e6


def _peer_rows(rounds: int) -> Iterator[Row]:
    for name, adapter, packages in PEER_SYSTEMS:
        try:
            with Peer([environment(packages), "-m", "benchmarks.peers.run", adapter, "schedules"]) as peer:
                found = [float(peer.ask("burst", count=BURST)["value"]) for _ in range(rounds)]
        except PeerError as error:
            yield Row(f"{name}, burst", f"not measured: {error}")
        else:
            yield Row(f"{name}, burst", spread(found, "µs a fire"))


def _start(what: str, seconds: float, used: float) -> Row:
    return at_most(what, seconds, 5.0, "s", beside=f"{number(used)} s of a processor")


def prepare() -> None:
    """Make the environments."""
    make(partial(environment, packages) for _, _, packages in PEER_SYSTEMS)


def run(options: Options) -> Section:
    """Measure memory and SQLite."""
    section = Section(f"{COUNT:,} schedules", METHOD)
    section.versions = {"APScheduler": "3.11.3", "fastapi-taskflow": "0.12.1", "grelmicro": "0.20.0"}
    section.rows += asyncio.run(_measure("memory", MemoryBackend, options.rounds(1), durable=False))
    with scratch(options) as folder:
        path = folder / "tasks.db"
        section.rows += asyncio.run(
            _measure(
                "SQLite NORMAL", lambda: SqliteBackend(path, synchronous="NORMAL"), options.rounds(1), durable=True
            )
        )
    section.rows += _peer_rows(options.rounds(1))
    return section
