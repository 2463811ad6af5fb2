"""Schedules that are added, changed and removed while the application runs, and what the code's declaration is then."""

from datetime import UTC, datetime

import pytest
from support.instances import Shared
from support.recording import Trail
from support.slots import advance, runs
from support.waiting import ended, turns, until

from outlive import ConfigError, DefinitionError, ScheduleConflictError, TaskStatus, UnknownScheduleError
from outlive.core.events import ScheduleFailed


async def by_name(manager):
    return {info.name: info for info in await manager.schedules()}


async def slots(manager, start):
    return [record.run_at.timestamp() - start for record in await runs(manager)]


async def test_another_trigger_begins_anew_in_all_instances(shared, clock):
    managers, start = [shared.instance(lease=9e9), shared.instance(lease=9e9)], clock.now()
    for manager in managers:
        manager.schedule(every=60, name="check")(lambda: None)

    async with managers[0], managers[1]:
        await advance(managers[0], clock, 60)
        info = await managers[1].change_schedule("check", every=20)
        assert (info.trigger, info.changed, info.declared) == ("every 20 seconds", True, True)
        await advance(managers[0], clock, 20, 20)
        assert (await by_name(managers[0]))["check"].trigger == "every 20 seconds"
        assert await slots(managers[0], start) == [60, 80, 100]

        info = await managers[0].reset_schedule("check")
        assert (info.trigger, info.changed) == ("every minute", False)
        await advance(managers[1], clock, 59, 1)
        assert await slots(managers[0], start) == [60, 80, 100, 160]


async def test_a_policy_that_is_changed_keeps_the_slots(timed, clock):
    timed.schedule(every=60, name="check", misfire="skip")(lambda: None)
    start = clock.now()
    async with timed:
        clock.advance(30)
        info = await timed.change_schedule("check", misfire="all", grace=5, jitter=0)
        assert (info.misfire, info.grace, info.overlap, info.changed) == ("all", 5, "allow", True)
        await advance(timed, clock, 150)
        assert await slots(timed, start) == [60, 120, 180]


async def test_what_is_not_given_stays_as_it_was(timed):
    timed.schedule(cron="0 9 * * *", timezone="Europe/Berlin", overlap="skip", name="report")(lambda: None)
    async with timed:
        info = await timed.change_schedule("report", cron="30 7 * * *")
        assert (info.timezone, info.overlap) == ("Europe/Berlin", "skip")
        assert f"{info.next_fires[0]:%H:%M}" == "07:30"
        info = await timed.change_schedule("report", timezone="Asia/Kolkata")
        assert f"{info.next_fires[0]:%H:%M %z}" == "07:30 +0530"
        info = await timed.change_schedule("report", end=datetime(2023, 11, 17, tzinfo=UTC))
        assert len(info.next_fires) == 2
        info = await timed.change_schedule("report", cron="0 8 * * *")
        assert len(info.next_fires) == 2


async def test_a_change_holds_over_restarts_until_the_code_says_something_new(tmp_path, clock):
    shared = Shared("sqlite", tmp_path, clock)

    async def look(every, change=None):
        manager = shared.instance()
        manager.schedule(every=every, name="check")(lambda: None)
        async with manager:
            if change:
                await manager.change_schedule("check", every=change)
            info = (await by_name(manager))["check"]
        return info.trigger, info.changed

    assert await look(60) == ("every minute", False)
    assert await look(60, change=20) == ("every 20 seconds", True)
    assert await look(60) == ("every 20 seconds", True)
    assert await look(30) == ("every 30 seconds", False)
    assert await look(30, change=60) == ("every minute", True)
    assert await look(60) == ("every minute", False)


async def test_a_schedule_is_added_fires_in_all_instances_and_is_removed(shared, clock):
    trail, managers, start = Trail(), [shared.instance(lease=9e9), shared.instance(lease=9e9)], clock.now()
    for number, manager in enumerate(managers):

        @manager.task(name="sweep")
        async def sweep(number=number) -> None:
            trail.mark(f"on {number}")

    async with managers[0], managers[1]:
        sweep = managers[0].registry.find("sweep").func
        info = await managers[0].add_schedule(sweep, name="often", every=60, tags={"by": "ada"}, priority=7, retries=2)
        assert (info.declared, info.changed, info.func) == (False, False, "sweep")
        assert [one.name for one in await managers[1].schedules()] == ["often"]
        await advance(managers[1], clock, 60, 60)
        assert await slots(managers[0], start) == [60, 120]
        (record, _) = await runs(managers[1])
        assert (record.tags, record.priority, record.source, record.schedule) == (
            {"by": "ada"},
            7,
            "scheduled",
            "often",
        )
        task = await managers[1].trigger_schedule("often")
        await ended(managers[1], task.id)
        await managers[1].change_schedule("often", every=30)
        await managers[1].remove_schedule("often")
        clock.advance(300)
        await turns()
        assert await managers[0].schedules() == []
        assert len(await runs(managers[0])) == 2


async def test_one_that_was_added_outlives_restarts_and_its_runs_keep_their_options(tmp_path, clock):
    shared, trail = Shared("sqlite", tmp_path, clock), Trail()

    def instance():
        manager = shared.instance()

        @manager.task(name="sweep")
        async def sweep() -> None:
            trail.mark("ran")
            if len(trail) == 1:
                raise ValueError("no")

        return manager, sweep

    manager, sweep = instance()
    async with manager:
        await manager.add_schedule(sweep, every=60, retries=1)
    manager, _ = instance()
    async with manager:
        await advance(manager, clock, 60)
        (record,) = await runs(manager)
        assert (record.status, record.attempts, record.schedule) == (TaskStatus.SUCCESS, 2, "sweep")
        await manager.pause_schedule("sweep")
    manager, _ = instance()
    async with manager:
        assert (await by_name(manager))["sweep"].paused


async def test_an_instance_without_the_function_leaves_an_added_schedule_to_others(shared, clock):
    one, other, trail = shared.instance(lease=9e9), shared.instance(lease=9e9), Trail()

    @one.task(name="sweep")
    async def sweep() -> None:
        trail.mark("ran")

    async with other, one:
        await one.add_schedule(sweep, every=60, name="often")
        clock.advance(60)
        await until(lambda: trail == ["ran"])
        with pytest.raises(UnknownScheduleError, match="neither schedule 'often' nor its function"):
            await other.trigger_schedule("often")
        await other.remove_schedule("often")
    assert shared.happened(ScheduleFailed) == []


async def test_what_code_declares_is_not_removed_and_a_name_is_given_once(timed, clock):
    sweep = timed.schedule(every=60, name="check")(lambda: None)
    async with timed:
        with pytest.raises(ScheduleConflictError, match="is declared in code"):
            await timed.remove_schedule("check")
        with pytest.raises(ScheduleConflictError, match="there is a schedule 'check' already"):
            await timed.add_schedule(sweep, name="check", every=5)
        await timed.add_schedule(sweep, name="other", every=5)
        with pytest.raises(ScheduleConflictError, match="there is a schedule 'other' already"):
            await timed.add_schedule(sweep, name="other", every=5)
        with pytest.raises(ScheduleConflictError, match="no way back"):
            await timed.reset_schedule("other")
        for ask in (timed.remove_schedule, timed.reset_schedule, timed.schedule_info):
            with pytest.raises(UnknownScheduleError, match="'none'"):
                await ask("none")


async def test_what_cannot_work_is_refused(timed):
    async def undeclared() -> None: ...

    @timed.task()
    async def takes_something(word: str) -> None: ...

    check = timed.schedule(every=60, name="check")(lambda: None)
    async with timed:
        with pytest.raises(ConfigError, match="nothing to change"):
            await timed.change_schedule("check")
        with pytest.raises(ConfigError, match="two schedules"):
            await timed.change_schedule("check", every=5, cron="@daily")
        with pytest.raises(ConfigError, match="overlap='never' is unknown"):
            await timed.change_schedule("check", overlap="never")
        with pytest.raises(DefinitionError, match="is not declared"):
            await timed.add_schedule(undeclared, every=5)
        with pytest.raises(DefinitionError, match="cannot be scheduled"):
            await timed.add_schedule(takes_something, every=5)
        with pytest.raises(ConfigError, match="on_error given with this call cannot be imported"):
            await timed.add_schedule(check, name="more", every=5, on_error=lambda *_: None)
        with pytest.raises(ConfigError, match="run_in=5"):
            await timed.add_schedule(check, name="more", every=5, run_in=5)
        with pytest.raises(ConfigError, match="needs every="):
            await timed.add_schedule(check, name="more")


async def test_one_that_is_declared_paused_waits_to_be_resumed(timed, clock):
    timed.schedule(every=60, name="check", paused=True)(lambda: None)
    start = clock.now()
    async with timed:
        clock.advance(90)
        await turns()
        assert (await by_name(timed))["check"].paused
        assert await timed.resume_schedule("check")
        await advance(timed, clock, 30)
        assert await slots(timed, start) == [120]


async def test_no_slot_is_before_the_start_or_after_the_end(timed, clock):
    def at(seconds):
        return datetime.fromtimestamp(clock.now() + seconds, UTC)

    begin = clock.now()
    timed.schedule(every=60, name="check", start=at(90), end=at(210))(lambda: None)
    timed.schedule(every=60, name="eager", start=at(90), run_on_startup=True)(lambda: None)
    timed.schedule(every=60, name="each", start=at(90), run_on_startup="each")(lambda: None)
    async with timed:
        infos = await by_name(timed)
        assert [one.timestamp() - begin for one in infos["check"].next_fires] == [90, 150, 210]
        assert infos["check"].trigger == ("every minute, from 2023-11-14 22:14:50 UTC, until 2023-11-14 22:16:50 UTC")
        await advance(timed, clock, 89)
        assert await runs(timed) == []
        await advance(timed, clock, 1, 60, 60, 60, 60)
        records = await runs(timed)
        assert (await by_name(timed))["check"].next_fires == ()

    fired = {name: [r.run_at.timestamp() - begin for r in records if r.schedule == name] for name in infos}
    assert fired == {"check": [90, 150, 210], "eager": [90, 150, 210, 270, 330], "each": [90, 150, 210, 270, 330]}


async def test_jitter_moves_each_slot_by_a_chance_that_all_instances_agree_on(shared, clock):
    managers, start = (
        [shared.instance(poll_interval=0.5, lease=9e9), shared.instance(poll_interval=0.5, lease=9e9)],
        clock.now(),
    )
    for manager in managers:
        manager.schedule(every=60, name="check", jitter=30)(lambda: None)

    late = []
    async with managers[0], managers[1]:
        for slot in (60, 120, 180, 240):
            clock.advance(start + slot - clock.now())
            while len(found := await runs_so_far(managers[0])) < slot / 60:
                clock.advance(0.25)
                await turns(40)
            late.append(found[-1].created_at.timestamp() - start - slot)

    assert [record.run_at.timestamp() - start for record in found] == [60, 120, 180, 240]
    assert all(0 <= seconds <= 31 for seconds in late), late
    assert len({round(seconds) for seconds in late}) > 1


async def runs_so_far(manager):
    return sorted(await manager.find(), key=lambda record: record.run_at)


async def test_a_jitter_as_long_as_the_interval_is_refused(timed):
    with pytest.raises(ConfigError, match="jitter=60 must be less than every=60"):
        timed.schedule(every=60, jitter=60)(lambda: None)
    with pytest.raises(ConfigError, match="jitter=-1 must be a number of seconds"):
        timed.schedule(every=60, jitter=-1)(lambda: None)
    with pytest.raises(ConfigError, match="start='soon' must be a datetime"):
        timed.schedule(every=60, start="soon")(lambda: None)
    with pytest.raises(ConfigError, match=r"start=.* must be in the years 2 to 8000; leave it out"):
        timed.schedule(every=60, start=datetime(9999, 1, 1, tzinfo=UTC))(lambda: None)
    with pytest.raises(ConfigError, match=r"end=.* must be in the years 2 to 9998"):
        timed.schedule(every=60, end=datetime.max.replace(tzinfo=UTC))(lambda: None)
    with pytest.raises(ConfigError, match="is after end="):
        timed.schedule(every=60, start=datetime(2030, 1, 1), end=datetime(2029, 1, 1))(lambda: None)  # noqa: DTZ001


async def test_the_list_has_the_last_runs_and_what_was_missed(timed, clock):
    trail = Trail()

    @timed.schedule(every=60, name="check")
    async def check() -> None:
        trail.mark("ran")
        if len(trail) == 2:
            raise ValueError("boom")

    timed.schedule(every=3600, name="other")(lambda: None)
    timed.interval(seconds=3600, name="poll")(lambda: None)
    start = clock.now()
    async with timed:
        await advance(timed, clock, 60, 60, 300)
        await runs(timed)
        infos = {info.name: info for info in await timed.schedules(runs=2)}
        whole = await timed.schedule_info("check")
        pages = [[info.name for info in await timed.schedules(limit=2, after=after)] for after in (None, "other")]
        assert (await timed.schedule_info("poll")).kind == "interval"

    assert pages == [["check", "other"], ["poll"]]
    assert infos["other"].last_runs == infos["other"].last_gaps == ()
    shown = infos["check"].to_dict()
    assert [run["status"] for run in shown["last_runs"]] == ["success", "failed"]
    assert shown["last_runs"][1]["error"] == "boom"
    (gap,) = shown["last_gaps"]
    assert gap["slot"] == datetime.fromtimestamp(start + 180, UTC).isoformat()
    assert gap["count"] == 4
    assert "nobody could fire them in time" in gap["reason"]
    assert len(whole.last_runs) == 3
