"""What a user sees of schedules: which slots became runs. Time stands still until the test moves it."""

import asyncio

import pytest
from support.instances import Shared
from support.recording import Gate, Trail
from support.slots import advance, runs, settled
from support.waiting import ended, turns, until

from outlive import BackendUnavailableError, MemoryBackend, TaskManager, TaskStatus
from outlive.core.events import ScheduleFailed, SlotsMissed
from outlive.core.moves import Fire
from outlive.testing import ManualClock

HOUR = 3600.0


async def test_a_fixed_rate_fires_one_run_per_slot_the_first_after_one_interval(timed, clock):
    trail = Trail()

    @timed.schedule(every=300, name="check")
    async def check() -> None:
        trail.mark("ran")

    start = clock.now()
    async with timed:
        await advance(timed, clock, 299.0)
        assert await runs(timed) == []
        await advance(timed, clock, 1.0, 300.0, 299.0, 1.0)
        records = await runs(timed)

    assert [record.run_at.timestamp() - start for record in records] == [300, 600, 900]
    assert {(record.source, record.status, record.schedule) for record in records} == {
        ("scheduled", TaskStatus.SUCCESS, "check")
    }
    assert trail == ["ran"] * 3


async def test_a_cron_schedule_fires_at_the_time_of_its_zone(timed, clock):
    @timed.schedule(cron="0 9 * * *", timezone="America/New_York")
    def report() -> None: ...

    async with timed:
        (state,) = await timed.backend.schedules()
        await advance(timed, clock, state.next_at - clock.now())
        (record,) = await runs(timed)

    assert f"{record.run_at:%Y-%m-%d %H:%M}" == "2023-11-15 14:00"


async def test_the_same_function_enqueued_by_hand_is_manual(timed, clock):
    @timed.schedule(every=60, retries=2)
    async def check() -> None: ...

    async with timed:
        task = await timed.enqueue(check)
        record = await ended(timed, task.id)

    assert (record.source, record.schedule) == ("manual", None)
    assert task.config.retries == 2


async def test_a_failing_run_is_retried_and_the_schedule_goes_on(timed, clock):
    trail = Trail()

    @timed.schedule(every=60, retries=1, delay=90)
    async def check() -> None:
        trail.mark("ran")
        raise ValueError("no")

    async with timed:
        await advance(timed, clock, 60)
        await until(lambda: len(trail) == 1)
        await advance(timed, clock, 60)
        await until(lambda: len(trail) == 2)
        clock.advance(30)
        await until(lambda: len(trail) == 3)


async def test_declared_while_running_waits_for_its_first_slot(timed, clock):
    trail = Trail()

    async with timed:

        @timed.schedule(every=60)
        async def late() -> None:
            trail.mark("ran")

        await until(timed.backend.schedules)
        await advance(timed, clock, 59)
        await turns()
        assert trail == []
        await advance(timed, clock, 1)
        await until(lambda: trail)


@pytest.mark.parametrize("trigger", [{"every": 60}, {"cron": "0 0 1 1 *"}])
async def test_run_on_startup_fires_at_once_and_then_as_ever(trigger, timed, clock):
    @timed.schedule(run_on_startup=True, **trigger)
    async def fill() -> None: ...

    start = clock.now()
    async with timed:
        records = await runs(timed)
        (state,) = await timed.backend.schedules()

    assert [record.run_at.timestamp() for record in records] == [start]
    assert state.next_at == (start + 60 if "every" in trigger else 1_704_067_200.0)


async def test_an_error_in_one_schedule_never_stops_another(tmp_path, clock):
    failing = True

    class Refusing(MemoryBackend):
        def apply_now(self, moves):
            if failing and any(isinstance(move, Fire) and move.schedule == "bad" for move in moves):
                raise BackendUnavailableError("locked")
            return super().apply_now(moves)

    events: list[object] = []
    manager, trail = TaskManager(Refusing(), clock=clock, loggers=[events.append]), Trail()
    manager.schedule(every=10, name="bad", grace=HOUR)(lambda: trail.mark("bad"))
    manager.schedule(every=10, name="good")(lambda: trail.mark("good"))

    async with manager:
        for _ in range(3):
            clock.advance(10)
            await turns()
        await until(lambda: trail.count("good") == 3)
        assert "bad" not in trail
        assert any(isinstance(event, ScheduleFailed) and event.schedule == "bad" for event in events)
        failing = False
        clock.advance(1)
        await until(lambda: trail.count("bad") == 3)


async def test_a_function_that_can_no_longer_be_fired_does_not_hold_up_others(timed, clock):
    trail = Trail()
    timed.schedule(every=10, name="gone")(lambda: None)
    timed.schedule(every=10, name="here")(lambda: trail.mark("here"))

    async with timed:
        del timed._plan._by_name["gone"]
        for count in (1, 2, 3):
            clock.advance(10)
            await until(lambda count=count: len(trail) == count)


@pytest.mark.parametrize(
    ("misfire", "slots"), [("skip", []), ("latest", [4000.0]), ("all", [400.0 * n for n in range(1, 11)])]
)
async def test_what_was_missed_while_nobody_ran(misfire, slots, tmp_path, clock):
    shared = Shared("sqlite", tmp_path, clock)
    start = clock.now()

    def instance():
        manager = shared.instance()
        manager.schedule(every=400, name="check", misfire=misfire)(lambda: None)
        return manager

    async with instance():
        pass
    clock.advance(4150)
    async with instance() as manager:
        records = await runs(manager)
        (state,) = await manager.backend.schedules()

    assert [record.run_at.timestamp() - start for record in records] == slots
    assert state.next_at == start + 4400
    assert state.missed == 10 - len(slots)
    assert bool(shared.happened(SlotsMissed)) == (misfire != "all")


async def test_restarts_faster_than_the_interval_keep_its_grid(tmp_path, clock):
    shared, start = Shared("sqlite", tmp_path, clock), clock.now()
    records = []
    for _ in range(10):
        manager = shared.instance()
        manager.schedule(every=2, name="check")(lambda: None)
        async with manager:
            records = await runs(manager)
        clock.advance(1.5)

    assert [record.run_at.timestamp() - start for record in records] == [2, 4, 6, 8, 10, 12]


async def test_each_slot_becomes_one_run_whoever_is_there(shared, clock):
    trail, managers = Trail(), [shared.instance() for _ in range(3)]
    for number, manager in enumerate(managers):
        manager.schedule(every=2, name="check")(lambda number=number: trail.mark(f"on {number}"))

    async with managers[0], managers[1], managers[2]:
        for count in range(1, 21):
            clock.advance(2)
            await until(lambda: settled(managers[0]))
            await until(lambda count=count: len(trail) >= count)
        records = await runs(managers[0])

    assert len(trail) == len(records) == 20
    assert len({record.run_at for record in records}) == 20


async def test_instances_that_start_together_fire_once_at_startup(shared, clock):
    trail, managers = Trail(), [shared.instance() for _ in range(3)]
    for manager in managers:
        manager.schedule(every=60, name="fill", run_on_startup=True)(lambda: trail.mark("once"))
        manager.schedule(every=60, name="warm", run_on_startup="each")(lambda: trail.mark("each"))

    async with managers[0], managers[1], managers[2]:
        await until(lambda: trail.count("each") == 3)
        await runs(managers[2])
        clock.advance(59)
        await turns()

    assert sorted(trail) == ["each"] * 3 + ["once"]


async def test_overlapping_runs_are_allowed_unless_they_are_to_be_skipped(timed, clock):
    free, single, trail = Gate(), Gate(), Trail()

    @timed.schedule(every=10, name="free")
    async def runs_beside() -> None:
        trail.mark("free")
        await free.wait()

    @timed.schedule(every=10, name="single", overlap="skip")
    async def runs_alone() -> None:
        trail.mark("single")
        await single.wait()

    async with timed:
        await advance(timed, clock, 10, 10, 10)
        await until(lambda: trail.count("free") == 3)
        assert trail.count("single") == 1
        states = {state.name: state for state in await timed.backend.schedules()}
        assert (states["free"].missed, states["single"].missed) == (0, 2)
        assert "had not ended" in str(states["single"].missed_reason)
        free.open.set()
        single.open.set()
        await runs(timed)
        await advance(timed, clock, 10)
        await until(lambda: trail.count("single") == 2)


async def test_a_scheduled_run_is_stored_even_where_tasks_are_not(tmp_path, clock):
    manager = TaskManager(f"sqlite:///{tmp_path}/tasks.db", clock=clock, requeue_pending=False)
    manager.schedule(every=10, name="check")(lambda: None)

    async with manager:
        await advance(manager, clock, 10)
        (record,) = await runs(manager)
        assert await manager.backend.get(record.id) is not None


async def test_a_clock_that_is_set_back_repeats_no_slot(timed, clock):
    timed.schedule(every=60, name="check")(lambda: None)
    async with timed:
        await advance(timed, clock, 60)
        clock._now -= HOUR
        await timed.runtime._scheduler.step()
        clock._now += HOUR
        await advance(timed, clock, 60)
        records = await runs(timed)

    assert len({record.run_at for record in records}) == len(records) == 2


def waiting(clock):
    """How many intervals have begun their wait of 7 seconds, which nothing else here waits for."""
    return sum(alarm.when == clock.now() + 7 for alarm in clock._alarms)


async def test_an_interval_waits_from_the_end_of_a_run_to_the_next(timed, clock):
    trail, gates = Trail(), [Gate(), Gate()]

    @timed.interval(seconds=7)
    async def poll() -> None:
        trail.mark("begins")
        await gates[trail.count("begins") - 1].wait()

    async with timed:
        await until(lambda: trail == ["begins"])
        clock.advance(60)
        await turns()
        assert trail == ["begins"]
        gates[0].open.set()
        await runs(timed)
        await until(lambda: waiting(clock) == 1)
        for _ in range(2):
            clock.advance(3.4)
            await turns()
        assert trail == ["begins"]
        clock.advance(0.3)
        await until(lambda: trail == ["begins"] * 2)
        gates[1].open.set()


async def test_an_interval_runs_in_every_instance_and_goes_on_after_an_error(shared, clock):
    trail, managers = Trail(), [shared.instance(), shared.instance()]
    for number, manager in enumerate(managers):

        @manager.interval(seconds=7, name="poll")
        async def poll(number=number) -> None:
            trail.mark(f"on {number}")
            raise ValueError("no")

    async with managers[0], managers[1]:
        for count in (1, 2, 3):
            await until(lambda count=count: {trail.count("on 0"), trail.count("on 1")} == {count})
            await until(lambda: waiting(clock) == 2)
            clock.advance(7)


async def test_an_interval_that_is_declared_while_running_begins(timed):
    began = asyncio.Event()
    async with timed:

        @timed.interval(seconds=5)
        async def poll() -> None:
            began.set()

        await began.wait()


async def test_many_schedules_of_which_one_is_due(clock: ManualClock):
    manager, trail = TaskManager(clock=clock), Trail()
    for number in range(2000):
        manager.schedule(every=10_000 + number, name=f"s{number}")(lambda: None)
    manager.schedule(every=5, name="due")(lambda: trail.mark("due"))

    async with manager:
        clock.advance(5)
        await until(lambda: trail)
        assert len(await manager.find()) == 1


async def test_schedules_of_one_function_and_functions_of_one_name_each_fire(timed, clock):
    trail = Trail()

    def declare(name):
        @timed.task(name=name)
        def sweep() -> None:
            trail.mark(name)

        return sweep

    first = declare("first")
    timed.schedule(every=60)(first)
    timed.schedule(every=60, name="again")(first)
    timed.schedule(every=60)(declare("second"))

    async with timed:
        await advance(timed, clock, 60)
        records = await runs(timed)

    assert sorted(trail) == ["first", "first", "second"]
    assert sorted(str(record.schedule) for record in records) == ["again", "first", "second"]
