"""What a hundred thousand schedules cost while nothing is due, and how late the one that becomes due is."""

import asyncio
import resource
import time
from collections.abc import Callable

from benchmarks.measure import Options, Row, Section, at_most, number, percentile, scratch
from outlive import Backend, MemoryBackend, SqliteBackend, TaskManager

COUNT = 100_000
#: Seconds for which an idle process is watched, and slots of the one schedule that is due.
WATCHED, SLOTS = 5.0, 20

METHOD = f"""\
{COUNT:,} schedules of one function, half `every=` a day or more, half `cron=`, none of them due, and for the last rows
one more with `every=0.2`. "Start" is `startup()`, with every schedule written to the backend, "again" with all of them
there; declaring them is not in it; beside it the processor time, to which the load of the machine adds nothing. "Idle"
is the processor time of a process over {WATCHED:.0f} s in which nothing is due, and beside it that of the same process
without schedules. "Late" is from the slot to the first line of the body, over {SLOTS} slots: the median, and beside it
the worst."""


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
    began, used = time.perf_counter(), processor_time()
    await manager.startup()
    return manager, time.perf_counter() - began, processor_time() - used


def processor_time() -> float:
    """Seconds that all threads of this process have used."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


async def idle() -> float:
    """The share of a processor that is used while nothing is due, in per cent."""
    await asyncio.sleep(1)
    before = processor_time()
    await asyncio.sleep(WATCHED)
    return (processor_time() - before) / WATCHED * 100


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


async def _measure(name: str, make: Callable[[], Backend], *, durable: bool) -> list[Row]:
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
    rows.append(Row(f"{name}, idle", f"{used:.2f} % of a processor", f"{bare:.2f} % without"))
    late = await lateness(manager)
    await manager.shutdown()
    rows.append(at_most(f"{name}, late", percentile(late, 50), 10.0, "ms", beside=f"{number(max(late))} ms"))
    return rows


def _start(what: str, seconds: float, used: float) -> Row:
    return at_most(what, seconds, 5.0, "s", beside=f"{number(used)} s of a processor")


def run(options: Options) -> Section:
    """Measure memory and SQLite."""
    section = Section(f"{COUNT:,} schedules", METHOD)
    section.rows += asyncio.run(_measure("memory", MemoryBackend, durable=False))
    with scratch(options) as folder:
        path = folder / "tasks.db"
        section.rows += asyncio.run(
            _measure("SQLite NORMAL", lambda: SqliteBackend(path, synchronous="NORMAL"), durable=True)
        )
    return section
