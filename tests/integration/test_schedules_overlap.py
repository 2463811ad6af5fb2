"""What a slot does while an earlier run of its schedule has not ended: it waits for it, or has it cancelled."""

import asyncio

import pytest
from support.instances import LEASE, Shared
from support.recording import Trail
from support.slots import runs
from support.waiting import turns, until

from outlive import TaskManager, TaskStatus, cancelled
from outlive.core.events import ScheduleFailed, SlotsMissed

#: A lease that does not end while the test jumps through time.
HOUR = 3600.0


class Bodies:
    """A body that runs until the test ends it, one after the other."""

    def __init__(self):
        self.begun = 0
        self._ends = [asyncio.Event() for _ in range(20)]

    async def run(self):
        self.begun += 1
        await self._ends[self.begun - 1].wait()

    def end(self, number):
        self._ends[number - 1].set()


async def slots(manager, start):
    return [record.run_at.timestamp() - start for record in await runs(manager)]


async def in_time(clock, condition):
    """Time passes slowly until it is so: a slot that has just missed the end of a run looks again a second later."""

    def look():
        if not condition():
            clock.advance(0.02)
            return False
        return True

    await until(look)


async def waits(clock, manager, seconds):
    """Time passes, and the slot that has come then is seen to wait."""
    clock.advance(seconds)
    await in_time(clock, lambda: manager.runtime._scheduler._aside)


@pytest.mark.parametrize("ahead", [6, 1])
async def test_a_slot_waits_until_the_run_before_it_has_ended(timed, clock, ahead):
    bodies, start = Bodies(), clock.now()
    timed.schedule(every=10, name="check", overlap="wait")(bodies.run)

    async with timed:
        clock.advance(10)
        await until(lambda: bodies.begun == 1)
        await waits(clock, timed, 10)
        await waits(clock, timed, ahead - 1)
        assert bodies.begun == 1
        bodies.end(1)
        await in_time(clock, lambda: bodies.begun == 2)
        bodies.end(2)
        assert await slots(timed, start) == [10, 20]
        (info,) = await timed.schedules()
        assert info.missed == 0


async def test_of_the_slots_that_wait_the_newest_fires_and_the_others_are_listed(timed, clock):
    bodies, start = Bodies(), clock.now()
    timed.schedule(every=10, name="check", overlap="wait")(bodies.run)

    async with timed:
        clock.advance(10)
        await until(lambda: bodies.begun == 1)
        await waits(clock, timed, 10)
        await waits(clock, timed, 25)
        bodies.end(1)
        await in_time(clock, lambda: bodies.begun == 2)
        bodies.end(2)
        assert await slots(timed, start) == [10, 40]
        info = await timed.schedule_info("check")

    assert info.missed == 2
    (gap,) = info.last_gaps
    assert (gap.slot - start, gap.count) == (20, 2)
    assert "before an earlier run had ended (overlap='wait'); the newest fired for all" in gap.reason


async def test_with_all_every_slot_has_its_turn(timed, clock):
    bodies, start = Bodies(), clock.now()
    timed.schedule(every=10, name="check", overlap="wait", misfire="all")(bodies.run)

    async with timed:
        clock.advance(10)
        await until(lambda: bodies.begun == 1)
        await waits(clock, timed, 30)
        for number in (1, 2, 3, 4):
            assert bodies.begun == number
            bodies.end(number)
            if number < 4:
                await in_time(clock, lambda number=number: bodies.begun == number + 1)
        assert await slots(timed, start) == [10, 20, 30, 40]


async def test_the_run_before_is_cancelled_and_the_slot_fires_when_it_has_ended(timed, clock):
    trail, cleaned, start = Trail(), asyncio.Event(), clock.now()

    @timed.schedule(every=10, name="check", overlap="cancel_previous")
    async def check() -> None:
        trail.mark("begins")
        try:
            await asyncio.Event().wait()
        finally:
            await cleaned.wait()
            trail.mark("cleaned up")

    async with timed:
        clock.advance(10)
        await until(lambda: trail == ["begins"])
        await waits(clock, timed, 10)
        assert trail == ["begins"]
        cleaned.set()
        await in_time(clock, lambda: trail == ["begins", "cleaned up", "begins"])
        clock.advance(10 - (clock.now() - start) % 10)
        await in_time(clock, lambda: len(trail) == 5)
        info = await timed.schedule_info("check")
        await timed.pause_schedule("check")
        await timed.cancel(info.last_task_id)
        assert await slots(timed, start) == [10, 20, 30]

    first, second = info.last_runs[2], info.last_runs[1]
    assert first.status is second.status is TaskStatus.CANCELLED
    assert first.reason == "the next slot of its schedule has come (overlap='cancel_previous')"
    assert info.missed == 0


async def test_a_thread_is_asked_to_end(timed, clock):
    trail = Trail()

    @timed.schedule(every=10, name="check", overlap="cancel_previous")
    def check() -> None:
        trail.mark("begins")
        while trail.count("begins") == 1 and not cancelled():
            pass
        trail.mark("ends")

    async with timed:
        clock.advance(10)
        await until(lambda: trail == ["begins"])
        clock.advance(10)
        await in_time(clock, lambda: trail == ["begins", "ends", "begins", "ends"])
        await runs(timed)


async def test_a_run_that_waits_for_its_retry_is_cancelled_at_once(timed, clock):
    trail, start = Trail(), clock.now()

    @timed.schedule(every=10, name="check", overlap="cancel_previous", retries=3, delay=3600)
    async def check() -> None:
        trail.mark("ran")
        if len(trail) == 1:
            raise ValueError("no")

    async with timed:
        clock.advance(10)
        await until(lambda: trail)
        await turns()
        clock.advance(10)
        await in_time(clock, lambda: len(trail) == 2)
        records = await runs(timed)

    assert sorted(record.status for record in records) == [TaskStatus.CANCELLED, TaskStatus.SUCCESS]
    assert max(record.run_at.timestamp() for record in records if record.status is TaskStatus.SUCCESS) == start + 20


@pytest.mark.parametrize("overlap", ["wait", "cancel_previous"])
async def test_instances_that_share_a_schedule_run_one_at_a_time_and_cancel_no_newer_run(shared, clock, overlap):
    running, most, managers = [0], [0], [shared.instance(poll_interval=0.5, lease=HOUR) for _ in range(3)]
    begun, start = Trail(), clock.now()

    async def body() -> None:
        running[0] += 1
        most[0] = max(most)
        most.append(running[0])
        begun.mark("begins")
        try:
            for _ in range(30):
                await turns(1)
        finally:
            running[0] -= 1

    for manager in managers:
        manager.schedule(every=10, name="check", overlap=overlap)(body)

    async with managers[0], managers[1], managers[2]:
        for count in range(1, 9):
            clock.advance(10 - (clock.now() - start) % 10)
            await in_time(clock, lambda count=count: len(begun) == count)
            while running[0]:
                await turns(1)
        records = await runs(managers[0])

    assert max(most) == 1
    assert [record.run_at.timestamp() - start for record in records] == [10 * n for n in range(1, 9)]
    assert {record.status for record in records} == {TaskStatus.SUCCESS}
    assert shared.happened(ScheduleFailed) == shared.happened(SlotsMissed) == []


async def test_a_slot_waits_for_the_run_of_another_instance(shared, clock):
    bodies, managers = Bodies(), [shared.instance(lease=HOUR), shared.instance(lease=HOUR)]
    for manager in managers:
        manager.schedule(every=10, name="check", overlap="wait")(bodies.run)

    async with managers[1], managers[0]:
        clock.advance(10)
        await until(lambda: bodies.begun == 1)
        await waits(clock, managers[1], 10)
        await waits(clock, managers[0], 0)
        assert bodies.begun == 1
        bodies.end(1)
        await in_time(clock, lambda: bodies.begun == 2)
        bodies.end(2)
        assert len(await runs(managers[0])) == 2


async def test_a_slot_that_waits_outlives_the_process_that_ran_the_one_before(tmp_path, clock):
    shared, bodies, start = Shared("sqlite", tmp_path, clock), Bodies(), clock.now()

    def instance() -> TaskManager:
        manager = shared.instance()
        manager.schedule(every=10, name="check", overlap="wait", grace=60)(bodies.run)
        return manager

    async with instance() as manager:
        clock.advance(10)
        await until(lambda: bodies.begun == 1)
        await waits(clock, manager, 10)
    clock.advance(LEASE)
    async with instance() as manager:
        for number in (2, 3):
            await in_time(clock, lambda number=number: bodies.begun == number)
            bodies.end(number)
        records = await runs(manager)

    assert [record.status for record in records] == [TaskStatus.INTERRUPTED] + [TaskStatus.SUCCESS] * 2
    assert [record.run_at.timestamp() - start for record in records] == [10, 20, 30]
