"""What goes wrong around schedules stays where it is: the other schedules go on, and that one recovers."""

import asyncio
import sqlite3
from contextlib import closing
from datetime import UTC, datetime

import pytest
from support.recording import Gate, Trail, captured_log
from support.slots import advance, runs
from support.waiting import turns, until

from outlive import BackendUnavailableError, QueueConfig, QueueFullError, TaskManager, TaskStatus
from outlive.core.events import ScheduleFailed, SlotsMissed
from outlive.observers.log import log_event

HOUR = 3600.0


async def test_a_slot_that_meets_a_full_queue_is_a_rejected_record_and_the_next_one_fires(backend_url, clock):
    events, gate, trail = [], Gate(), Trail()
    queues = {"narrow": QueueConfig(concurrency=1, max_size=1)}
    manager = TaskManager(backend_url, clock=clock, queues=queues, loggers=[events.append], shutdown_grace=0.2)

    @manager.task(queue="narrow")
    async def fill() -> None:
        await gate.wait()

    manager.schedule(every=60, name="narrow", queue="narrow")(lambda: trail.mark("narrow"))
    manager.schedule(every=60, name="free")(lambda: trail.mark("free"))
    async with manager:
        await manager.enqueue(fill)
        await gate.entered.wait()
        await manager.enqueue(fill)
        await advance(manager, clock, 60)
        await until(lambda: trail == ["free"])
        info = await manager.schedule_info("narrow")
        (record,) = info.last_runs
        assert record.status is TaskStatus.REJECTED
        assert "queue 'narrow' is full" in record.reason
        await until(lambda: [event.schedule for event in events if isinstance(event, SlotsMissed)] == ["narrow"])

        gate.open.set()
        await until(lambda: all(task.func_name != "fill" for task in manager.store))
        await advance(manager, clock, 60)
        await until(lambda: sorted(trail) == ["free", "free", "narrow"])


async def test_planning_a_run_for_a_full_queue_is_refused_and_replaces_nothing(backend_url, clock):
    queues = {"narrow": QueueConfig(max_size=1)}
    manager = TaskManager(backend_url, clock=clock, queues=queues, shutdown_grace=0.2)

    @manager.task(queue="narrow")
    async def remind() -> None: ...

    later = datetime.fromtimestamp(clock.now() + HOUR, UTC)
    async with manager:
        first = await manager.schedule_once(remind, run_at=later, run_key="k")
        with pytest.raises(QueueFullError):
            await manager.schedule_once(remind, run_at=later, run_key="k")
        assert [planned.task_id for planned in await manager.list_scheduled()] == [first.id]


async def test_a_database_that_is_locked_for_a_while_loses_no_slot(tmp_path, clock):
    path = tmp_path / "tasks.db"
    manager = TaskManager(f"sqlite:///{path}?busy_timeout=0.05", clock=clock, shutdown_grace=0.2)
    for name in ("one", "two"):
        manager.schedule(every=1, name=name, misfire="all")(lambda: None)

    start = clock.now()
    async with manager:
        await advance(manager, clock, 1, 1)
        with closing(sqlite3.connect(path, isolation_level=None)) as other:
            other.execute("begin immediate")
            for _ in range(50):
                clock.advance(0.1)
                await turns(20)
            other.execute("rollback")
        while clock.now() < start + 12:
            clock.advance(0.1)
            await asyncio.sleep(0.005)  # noqa: TID251 - the file is in other threads, which need time of their own
        records = await runs(manager)

    for name in ("one", "two"):
        found = [record.run_at.timestamp() - start for record in records if record.schedule == name]
        assert found == [pytest.approx(n) for n in range(1, len(found) + 1)]
        assert len(found) >= 11


def test_the_log_has_a_trace_of_what_broke_and_none_of_a_backend_that_is_away():
    with captured_log("outlive") as lines:
        log_event(ScheduleFailed("check", BackendUnavailableError("the file is locked")))
        log_event(ScheduleFailed("check", ValueError("no")))

    assert lines[0].getMessage() == "schedule check could not be fired and is tried again: the file is locked"
    assert [bool(line.exc_info) for line in lines] == [False, True]


@pytest.mark.parametrize("jump", [HOUR, -HOUR])
async def test_a_wall_clock_that_jumps_fires_no_slot_twice_and_loses_none(timed, clock, jump):
    start, count = clock.now(), 0
    timed.schedule(every=60, name="check", misfire="all")(lambda: None)
    timed.schedule(cron="*/5 * * * *", name="cron", misfire="all")(lambda: None)

    async with timed:
        await advance(timed, clock, *[60] * 10)
        clock._now += jump
        await timed.runtime._scheduler.step()
        await advance(timed, clock, *[60] * 10)
        clock._now -= jump
        await timed.runtime._scheduler.step()
        while clock.now() < start + 2 * HOUR:
            await advance(timed, clock, 60)
        records = await runs(timed)

    for name in ("check", "cron"):
        fired = [record.run_at.timestamp() for record in records if record.schedule == name]
        period = 60 if name == "check" else 300
        assert fired == [fired[0] + period * n for n in range(len(fired))]
        count += len(fired)
    assert count == 120 + 24


async def test_a_rate_of_ten_a_second_is_kept_while_each_run_takes_half_the_time(clock):
    manager, start = TaskManager(clock=clock), clock.now()

    @manager.schedule(every=0.1, name="fast")
    async def fast() -> None:
        done = asyncio.Event()
        clock.call_at(clock.now() + 0.05, done.set)
        await done.wait()

    async with manager:
        for _ in range(600):
            clock.advance(0.05)
            await turns(12)
        await manager.pause_schedule("fast")
        clock.advance(0.05)
        records = await runs(manager)

    assert abs(len(records) - 300) <= 2
    slots = [record.run_at.timestamp() - start for record in records]
    assert slots == [pytest.approx(0.1 * n, abs=1e-5) for n in range(1, len(slots) + 1)]
