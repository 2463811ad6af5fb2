"""Looking at schedules and acting on them, by the manager and by the admin."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient
from support.instances import Shared
from support.recording import Trail
from support.waiting import ended, turns, until, until_sync

from outlive import TaskAdmin, TaskManager, TaskRouter, UnknownScheduleError
from outlive.testing import ManualClock

HOUR = 3600.0


async def by_name(manager):
    return {info.name: info for info in await manager.schedules()}


async def test_the_list_says_when_each_fires_in_words_and_in_moments(timed):
    timed.schedule(every=300, name="check", misfire="latest", overlap="skip")(lambda: None)
    timed.schedule(cron="@daily", timezone="Europe/Berlin", name="nightly")(lambda: None)
    timed.interval(seconds=5, name="poll")(lambda: None)

    async with timed:
        infos = await by_name(timed)

    check, nightly, poll = infos["check"], infos["nightly"], infos["poll"]
    assert (check.kind, check.trigger, check.timezone) == ("every", "every 5 minutes", None)
    assert (check.misfire, check.overlap, check.declared) == ("latest", "skip", True)
    assert len(check.next_fires) == 10
    assert f"{check.next_fires[1]:%H:%M:%S %z}" == "22:23:20 +0000"
    assert (nightly.kind, nightly.timezone) == ("cron", "Europe/Berlin")
    assert f"{nightly.next_fires[0]:%Y-%m-%d %H:%M %z}" == "2023-11-15 00:00 +0100"
    assert poll.trigger == "every 5 seconds after the end of the last run, in each instance"
    assert poll.next_fires == ()


async def test_the_list_marks_where_the_clock_changes(backend_url):
    clock = ManualClock(1_774_500_000.0)  # 26 March 2026, three days before Berlin's clock is put forward
    manager = TaskManager(backend_url, clock=clock)
    manager.schedule(cron="0 9 * * *", timezone="Europe/Berlin", name="morning")(lambda: None)

    async with manager:
        (info,) = await manager.schedules()

    coming = info.to_dict()["next_fires"]
    assert [slot["at"] for slot in coming if slot["clock_change"]] == ["2026-03-29T09:00:00+02:00"]


async def test_the_list_knows_the_last_fire_and_its_record(timed, clock):
    timed.schedule(every=60, name="check")(lambda: None)
    async with timed:
        clock.advance(60)
        info = await until(lambda: fired(timed, "check"))
        record = await ended(timed, info.last_task_id)

    assert record.run_at == info.last_fire
    assert record.schedule == "check"


async def fired(manager, name):
    info = (await by_name(manager))[name]
    return info if info.last_fire is not None else None


async def test_a_paused_schedule_fires_in_no_instance_until_it_is_resumed(shared, clock):
    trail, managers = Trail(), [shared.instance(), shared.instance()]
    for manager in managers:
        manager.schedule(every=60, name="check")(lambda: trail.mark("ran"))

    async with managers[0], managers[1]:
        assert await managers[0].pause_schedule("check")
        assert not await managers[1].pause_schedule("check")
        clock.advance(90)
        await turns()
        (info,) = await managers[1].schedules()
        assert (info.paused, info.next_fires) == (True, ())

        assert await managers[1].resume_schedule("check")
        assert not await managers[1].resume_schedule("check")
        await turns()
        assert trail == []
        clock.advance(30)
        await until(lambda: trail)
        (info,) = await managers[0].schedules()

    assert trail == ["ran"]
    assert (info.paused, info.missed) == (False, 0)


async def test_a_pause_outlives_a_restart(tmp_path, clock):
    shared = Shared("sqlite", tmp_path, clock)
    for _ in range(2):
        manager = shared.instance()
        manager.schedule(every=60, name="check", run_on_startup=True)(lambda: None)
        async with manager:
            await manager.pause_schedule("check")
            assert (await by_name(manager))["check"].paused


async def test_a_triggered_run_is_manual_and_leaves_the_slots_alone(timed):
    timed.schedule(every=60, name="check")(lambda: None)
    timed.interval(seconds=60, name="poll")(lambda: None)
    async with timed:
        for name in ("check", "poll"):
            task = await timed.trigger_schedule(name)
            record = await ended(timed, task.id)
            assert (record.source, record.schedule) == ("manual", None)
        assert (await by_name(timed))["check"].last_fire is None


async def test_what_is_not_there_cannot_be_asked_for(timed):
    timed.interval(seconds=60, name="poll")(lambda: None)
    async with timed:
        for ask in (timed.pause_schedule, timed.resume_schedule, timed.trigger_schedule):
            with pytest.raises(UnknownScheduleError, match="'none'"):
                await ask("none")
        with pytest.raises(UnknownScheduleError, match="is an interval"):
            await timed.pause_schedule("poll")


async def test_a_schedule_that_code_no_longer_declares_is_listed_as_such(tmp_path, clock):
    shared = Shared("sqlite", tmp_path, clock)
    before, after = shared.instance(), shared.instance()
    before.schedule(every=60, name="check")(lambda: None)

    async with before:
        pass
    async with after:
        (info,) = await after.schedules()
        assert await after.pause_schedule("check")
        assert await after.resume_schedule("check")

    assert (info.declared, info.trigger, info.kind) == (False, "every minute", "every")


def site(backend_url: str) -> tuple[TestClient, Trail]:
    manager, router, app, trail = TaskManager(backend_url), TaskRouter(prefix="shop/"), FastAPI(), Trail()
    router.schedule(every=HOUR, name="sweep")(lambda: trail.mark("ran"))
    manager.include_router(router)
    TaskAdmin(app, manager)
    return TestClient(app), trail


def test_the_admin_lists_pauses_resumes_and_triggers(backend_url):
    client, trail = site(backend_url)
    with client:

        def sweep() -> Any:
            (found,) = client.get("/tasks/schedules").json()
            return found

        assert (sweep()["name"], sweep()["trigger"], len(sweep()["next_fires"])) == ("shop/sweep", "every hour", 10)
        assert client.post("/tasks/schedules/shop/sweep/pause").json() == {
            "schedule": "shop/sweep",
            "paused": True,
            "changed": True,
        }
        assert sweep()["paused"]
        assert client.post("/tasks/schedules/shop/sweep/resume").json()["changed"]
        assert not client.post("/tasks/schedules/shop/sweep/resume").json()["changed"]
        assert not sweep()["paused"]

        task_id = client.post("/tasks/schedules/shop/sweep/trigger").json()["task_id"]
        until_sync(lambda: client.get(f"/tasks/{task_id}").json()["status"] == "success")
        assert trail == ["ran"]


def test_the_admin_shows_one_schedule_with_its_runs_and_pages_of_them(backend_url):
    manager, app = TaskManager(backend_url), FastAPI()
    for name in ("a", "b", "c/d"):
        manager.schedule(every=HOUR, name=name, run_on_startup=True)(lambda: None)
    TaskAdmin(app, manager)
    with TestClient(app) as client:
        until_sync(lambda: all(s["status"] == "success" for s in client.get("/tasks").json()))
        until_sync(lambda: len(client.get("/tasks").json()) == 3)
        page = client.get("/tasks/schedules?limit=2")
        rest = client.get(page.links["next"]["url"])
        assert [[one["name"] for one in answer.json()] for answer in (page, rest)] == [["a", "b"], ["c/d"]]
        assert "next" not in rest.links
        one = client.get("/tasks/schedules/c/d").json()
        assert one == rest.json()[0]
        (run,) = one["last_runs"]
        assert (run["status"], run["attempts"], one["last_gaps"], one["changed"]) == ("success", 1, [], False)
        assert client.get("/tasks/schedules?runs=0").json()[0]["last_runs"] == []
        assert client.get("/tasks/schedules/none").status_code == 404


def test_the_admin_lists_what_is_to_run_once(backend_url):
    manager, app = TaskManager(backend_url), FastAPI()

    @manager.task()
    async def remind(word: str) -> None: ...

    @app.post("/remind")
    async def plan(at: datetime) -> None:
        await manager.schedule_once(remind, "ada", run_at=at, run_key="ada")

    TaskAdmin(app, manager)
    soon = datetime.now(UTC) + timedelta(hours=2)
    with TestClient(app) as client:
        client.post("/remind", params={"at": soon.isoformat()})
        (planned,) = client.get("/tasks/scheduled").json()
        assert (planned["run_key"], planned["func_name"], planned["fire_at"]) == ("ada", "remind", soon.isoformat())
        early = {"before": (soon - timedelta(hours=1)).isoformat()}
        assert client.get("/tasks/scheduled", params=early).json() == []


@pytest.mark.parametrize("action", ["pause", "resume", "trigger"])
def test_the_admin_says_that_there_is_no_such_schedule(action, backend_url):
    client, _ = site(backend_url)
    with client:
        answer = client.post(f"/tasks/schedules/none/{action}")

    assert answer.status_code == 404
    assert "'none'" in answer.json()["detail"]
