"""Runs that are planned for one moment: they come once, can be replaced and cancelled, and outlive a restart."""

from datetime import UTC, datetime

import pytest
from support.instances import Shared
from support.recording import Gate, Trail
from support.waiting import ended, turns, until

from outlive import ConfigError, DefinitionError, ScheduledOnce, TaskArgumentError, TaskManager, TaskStatus
from outlive.core.events import LeaseLost


def moment(clock, seconds=0.0):
    return datetime.fromtimestamp(clock.now() + seconds, UTC)


@pytest.fixture
def trail(timed):
    trail = Trail()

    @timed.task(name="remind")
    async def remind(word: str, *, loud: bool = False) -> None:
        trail.mark(word.upper() if loud else word)

    trail.remind = remind
    return trail


async def test_it_fires_at_its_moment_without_any_periodic_schedule(timed, trail, clock):
    async with timed:
        assert not await timed.schedules()
        task = await timed.schedule_once(trail.remind, "ada", loud=True, run_at=moment(clock, 90), run_key="ada")
        clock.advance(89.9)
        await turns()
        assert trail == []
        clock.advance(0.1)
        record = await ended(timed, task.id)

    assert trail == ["ADA"]
    assert (record.status, record.source, record.run_key) == (TaskStatus.SUCCESS, "scheduled", "ada")
    assert record.start_time == record.run_at


async def test_a_moment_that_has_passed_is_now_and_a_naive_one_is_utc(timed, trail, clock):
    async with timed:
        await timed.schedule_once(trail.remind, "late", run_at=moment(clock, -60), run_key="late")
        await until(lambda: trail == ["late"])
        naive = moment(clock, 60).replace(tzinfo=None)
        await timed.schedule_once(trail.remind, "naive", run_at=naive, run_key="naive")
        (planned,) = await timed.list_scheduled()
        assert planned.fire_at == moment(clock, 60)


async def test_the_same_key_replaces_what_has_not_started(timed, trail, clock):
    async with timed:
        old = await timed.schedule_once(trail.remind, "old", run_at=moment(clock, 60), run_key="k")
        new = await timed.schedule_once(trail.remind, "new", run_at=moment(clock, 30), run_key="k")
        assert [planned.task_id for planned in await timed.list_scheduled()] == [new.id]
        record = await ended(timed, old.id)
        assert record.status is TaskStatus.CANCELLED
        assert record.reason == "replaced by another run under run_key='k'"
        clock.advance(120)
        await ended(timed, new.id)
        await turns()
        assert trail == ["new"]
        assert await timed.list_scheduled() == []

        again = await timed.schedule_once(trail.remind, "again", run_at=moment(clock, 30), run_key="k")
        assert (await timed.get(new.id)).status is TaskStatus.SUCCESS
        assert again.id != new.id


async def test_one_that_runs_is_not_replaced(timed, clock):
    gate = Gate()

    @timed.task(name="slow")
    async def slow() -> None:
        await gate.wait()

    async with timed:
        first = await timed.schedule_once(slow, run_at=moment(clock), run_key="k")
        await gate.entered.wait()
        await timed.schedule_once(slow, run_at=moment(clock, 60), run_key="k")
        assert not (await timed.get(first.id)).is_final
        gate.open.set()
        assert (await ended(timed, first.id)).status is TaskStatus.SUCCESS


async def test_it_can_be_cancelled_once(timed, trail, clock):
    async with timed:
        task = await timed.schedule_once(trail.remind, "never", run_at=moment(clock, 60), run_key="k")
        assert await timed.cancel_scheduled("k")
        assert not await timed.cancel_scheduled("k")
        clock.advance(61)
        await turns()
        record = await ended(timed, task.id)

    assert trail == []
    assert (record.status, record.reason) == (TaskStatus.CANCELLED, "cancelled by its run_key")


async def test_the_list_shows_what_is_to_come_in_its_order(timed, trail, clock):
    async with timed:
        for word, seconds in (("far", 400 * 86_400), ("later", 7200), ("soon", 60)):
            options = {"tags": {"for": word}, "priority": 3, "queue": "mail", "idempotency_key": word}
            await timed.schedule_once(
                trail.remind, word, loud=True, run_at=moment(clock, seconds), run_key=word, **options
            )
        planned = await timed.list_scheduled()
        soon = await timed.list_scheduled(before=moment(clock, 3600))
        far = await timed.list_scheduled(before=moment(clock, 500 * 86_400))

    assert [one.run_key for one in planned] == ["soon", "later"]
    assert [one.run_key for one in far] == ["soon", "later", "far"]
    (one,) = soon
    assert one == ScheduledOnce(
        run_key="soon",
        func_name="remind",
        fire_at=moment(clock, 60),
        created_at=moment(clock),
        task_id=one.task_id,
        args=("soon",),
        kwargs={"loud": True},
        queue="mail",
        priority=3,
        idempotency_key="soon",
        tags={"for": "soon"},
    )
    assert one.to_dict() == {
        "run_key": "soon",
        "func_name": "remind",
        "fire_at": moment(clock, 60).isoformat(),
        "queue": "mail",
        "priority": 3,
        "tags": {"for": "soon"},
        "created_at": moment(clock).isoformat(),
        "task_id": one.task_id,
    }


async def test_it_outlives_restarts_also_where_tasks_are_not_stored(tmp_path, clock):
    shared, trail = Shared("sqlite", tmp_path, clock), Trail()

    def instance():
        manager = shared.instance(requeue_pending=False)

        @manager.task(name="remind")
        async def remind(word: str) -> None:
            trail.mark(word)

        return manager, remind

    manager, remind = instance()
    async with manager:
        await manager.schedule_once(remind, "ada", run_at=moment(clock, 30), run_key="a")
        await manager.schedule_once(remind, "bob", run_at=moment(clock, 7200), run_key="b")
    for _ in range(2):
        manager, _ = instance()
        async with manager:
            assert trail == []
            assert [one.run_key for one in await manager.list_scheduled()] == ["a", "b"]
    clock.advance(7200)
    manager, _ = instance()
    async with manager:
        await until(lambda: sorted(trail) == ["ada", "bob"])
    manager, _ = instance()
    async with manager:
        await turns()
    assert sorted(trail) == ["ada", "bob"]


async def test_another_instance_replaces_cancels_and_runs_it_once(shared, clock):
    trail, managers = Trail(), [shared.instance(), shared.instance()]
    reminds = []
    for manager in managers:

        @manager.task(name="remind")
        async def remind(word: str) -> None:
            trail.mark(word)

        reminds.append(remind)

    one, two = managers
    async with one, two:
        await one.schedule_once(reminds[0], "first", run_at=moment(clock, 5), run_key="k")
        await two.schedule_once(reminds[1], "second", run_at=moment(clock, 5), run_key="k")
        await two.schedule_once(reminds[1], "gone", run_at=moment(clock, 5), run_key="l")
        assert await one.cancel_scheduled("l")
        assert [planned.args for planned in await one.list_scheduled()] == [("second",)]
        clock.advance(5)
        await until(lambda: trail)
        clock.advance(5)
        await turns()

    assert trail == ["second"]
    assert shared.happened(LeaseLost) == []


async def test_what_cannot_be_planned_is_refused(timed, trail, clock):
    async def undeclared() -> None: ...

    async with timed:
        at = moment(clock, 60)
        with pytest.raises(DefinitionError, match="is not declared"):
            await timed.schedule_once(undeclared, run_at=at, run_key="k")
        with pytest.raises(ConfigError, match="run_key=''"):
            await timed.schedule_once(trail.remind, "x", run_at=at, run_key="")
        with pytest.raises(ConfigError, match="run_at='soon' must be a datetime"):
            await timed.schedule_once(trail.remind, "x", run_at="soon", run_key="k")
        with pytest.raises(TypeError):
            await timed.schedule_once(trail.remind, run_at=at, run_key="k")
        with pytest.raises(TaskArgumentError):
            await timed.schedule_once(trail.remind, object(), run_at=at, run_key="k")
        assert await timed.list_scheduled() == []


async def test_of_a_key_that_is_planned_by_many_at_once_one_is_left(timed, trail, clock):
    async with timed:
        for n in range(20):
            await timed.schedule_once(trail.remind, f"{n}", run_at=moment(clock, 60), run_key="k")
        clock.advance(60)
        await until(lambda: trail)
        await turns()
        records = await timed.find()

    assert trail == ["19"]
    assert sum(record.status is TaskStatus.CANCELLED for record in records) == 19


def test_a_manager_that_is_not_running_says_so():
    manager = TaskManager()
    with pytest.raises(RuntimeError, match="not running"):
        manager.schedule_once(lambda: None, run_at=datetime.now(UTC), run_key="k").send(None)
