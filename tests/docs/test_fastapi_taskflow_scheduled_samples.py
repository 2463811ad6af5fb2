"""The samples of fastapi-taskflow's page on scheduled tasks, with another import line.

Each is run as the page has it. What its schedules say is asserted from the backend, and time is moved by hand to see
them fire.
"""

import asyncio
import importlib
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from fastapi import Depends, FastAPI
from fastapi.testclient import TestClient
from support.waiting import until, until_sync

from outlive import TaskFilter, TaskManager, TaskStatus
from outlive.testing import ManualClock


@pytest.fixture(autouse=True)
def in_a_folder_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def run(sample: str, **supplied: Any) -> dict[str, Any]:
    names: dict[str, Any] = {"__name__": "page", "Depends": Depends, **supplied}
    exec(compile(sample, "sample", "exec"), names)
    return names


async def fired(manager, clock, name):
    """The record of the next slot of this schedule, once its time has come."""
    states = {state.name: state for state in await manager.backend.schedules()}
    clock.advance(states[name].next_at - clock.now())

    async def ended():
        found = await manager.find(TaskFilter(func=name, source="scheduled"))
        return next((record for record in found if record.is_final), None)

    return await until(ended)


BASIC_SETUP = """
from fastapi import FastAPI
from outlive import TaskAdmin, TaskManager, task_log
task_manager = TaskManager(snapshot_db="tasks.db")
app = FastAPI()
TaskAdmin(app, task_manager)
@task_manager.schedule(every=300)
async def health_check() -> None:
    task_log("Running health check")
    ...
@task_manager.schedule(cron="0 2 * * *")
def nightly_cleanup() -> None:
    task_log("Starting nightly cleanup")
    ...
"""


def test_basic_setup_is_scheduled_from_startup_on_and_shows_in_the_admin():
    names = run(BASIC_SETUP)
    with TestClient(names["app"]) as client:
        states = asyncio.run_coroutine_threadsafe(
            names["task_manager"].backend.schedules(), names["task_manager"].runtime.loop
        ).result()
        assert client.get("/tasks").json() == []

    check, cleanup = states
    now = datetime.now(UTC)
    assert (check.name, cleanup.name) == ("page:health_check", "page:nightly_cleanup")
    assert abs(check.next_at - now.timestamp() - 300) < 60
    at_two = datetime.fromtimestamp(cleanup.next_at, UTC)
    assert (at_two.hour, at_two.minute) == (2, 0)
    assert at_two - now <= timedelta(days=1)


async def test_a_run_of_the_basic_setup_has_its_logs_and_its_source():
    clock = ManualClock()
    names = run(BASIC_SETUP.replace('snapshot_db="tasks.db"', 'snapshot_db="tasks.db", clock=clock'), clock=clock)
    manager = names["task_manager"]
    async with manager:
        record = await fired(manager, clock, "page:health_check")
        whole = await manager.get(record.id)
        cleanup = await fired(manager, clock, "page:nightly_cleanup")

    assert (record.status, record.source) == (TaskStatus.SUCCESS, "scheduled")
    assert [line.message for line in whole.logs] == ["Running health check"]
    assert (cleanup.status, cleanup.executor) == (TaskStatus.SUCCESS, "thread")


EVERY = """
@task_manager.schedule(every=60) # every minute
async def every_minute() -> None:
    ...
@task_manager.schedule(every=3600) # every hour
async def every_hour() -> None:
    ...
"""
CRON = """
@task_manager.schedule(cron="0 * * * *") # top of every hour
async def hourly() -> None:
    ...
@task_manager.schedule(cron="0 2 * * *") # 02:00 every day
async def nightly() -> None:
    ...
@task_manager.schedule(cron="*/5 * * * *") # every 5 minutes
async def five_min() -> None:
    ...
"""
TIMEZONE = """
@task_manager.schedule(cron="0 9 * * *", timezone="America/New_York")
async def morning_report() -> None:
    ...
"""
RETRIES = """
@task_manager.schedule(every=300, retries=3, delay=10.0, backoff=2.0)
async def critical_sync() -> None:
    ...
"""
#: Of the page on the TaskManager.
CLEANUP = """
@task_manager.schedule(
    every=300,
)
async def cleanup_expired_sessions() -> None:
    ...
"""
CLEANUP_WITH_RETRIES = """
@task_manager.schedule(every=300, retries=1)
async def cleanup_expired_sessions() -> None:
    ...
"""
ON_PROCESSES = """
@task_manager.schedule(every=3600, executor="process")
def rebuild_search_index() -> None:
    ...
"""
#: On Tuesday, 14 November 2023, at 22:13:20 UTC.
NOW = datetime.fromtimestamp(1_700_000_000, UTC)


@pytest.mark.parametrize(
    ("sample", "name", "next_at"),
    [
        (EVERY, "every_minute", NOW + timedelta(minutes=1)),
        (EVERY, "every_hour", NOW + timedelta(hours=1)),
        (CRON, "hourly", datetime(2023, 11, 14, 23, 0, tzinfo=UTC)),
        (CRON, "nightly", datetime(2023, 11, 15, 2, 0, tzinfo=UTC)),
        (CRON, "five_min", datetime(2023, 11, 14, 22, 15, tzinfo=UTC)),
        (TIMEZONE, "morning_report", datetime(2023, 11, 15, 14, 0, tzinfo=UTC)),
        (RETRIES, "critical_sync", NOW + timedelta(minutes=5)),
        (CLEANUP, "cleanup_expired_sessions", NOW + timedelta(minutes=5)),
        (CLEANUP_WITH_RETRIES, "cleanup_expired_sessions", NOW + timedelta(minutes=5)),
    ],
)
async def test_a_schedule_of_the_page_fires_when_it_says(sample, name, next_at, backend_url):
    clock = ManualClock()
    manager = TaskManager(backend_url, clock=clock)
    run(sample, task_manager=manager)

    async with manager:
        states = {state.name: state for state in await manager.backend.schedules()}
        assert states[f"page:{name}"].next_at == next_at.timestamp()
        while states[f"page:{name}"].last_at is None:
            clock.advance(min(state.next_at for state in states.values()) - clock.now())
            await until(lambda: past(manager, clock))
            states = {state.name: state for state in await manager.backend.schedules()}

    assert states[f"page:{name}"].last_at == next_at.timestamp()


async def past(manager, clock):
    return all(state.next_at > clock.now() for state in await manager.backend.schedules())


async def test_the_retries_of_the_page_wait_10_20_and_40_seconds(backend_url):
    clock, starts = ManualClock(), []

    def fail() -> None:
        starts.append(clock.now())
        raise ValueError("no")

    manager = TaskManager(backend_url, clock=clock)
    run(RETRIES.replace("    ...", "    fail()"), task_manager=manager, fail=fail)
    async with manager:
        clock.advance(300)
        for count, wait in enumerate((10, 20, 40), 1):
            await until(lambda count=count: len(starts) == count)
            await until(lambda: all(task.is_pending for task in manager.store))
            clock.advance(wait)
        await until(lambda: len(starts) == 4)

    assert [later - earlier for earlier, later in pairwise(starts)] == [10, 20, 40]


RUN_NOW = """
@task_manager.schedule(every=300)
async def health_check() -> None:
    ...

@app.post("/health/run-now")
async def trigger_now(tasks=Depends(task_manager.get_tasks)):
    task_id = tasks.add_task(health_check)
    return {"task_id": task_id}
"""


def test_a_scheduled_function_is_run_by_hand_as_a_manual_one():
    manager, app = TaskManager("sqlite:///tasks.db"), FastAPI()
    manager.init_app(app)
    run(RUN_NOW, task_manager=manager, app=app)

    with TestClient(app) as client:
        task_id = client.post("/health/run-now").json()["task_id"]

        def ended() -> Any:
            found = asyncio.run_coroutine_threadsafe(manager.get(task_id), manager.runtime.loop).result()
            return found if found is not None and found.is_final else None

        record = until_sync(ended)

    assert (record.status, record.source, record.func_name) == (TaskStatus.SUCCESS, "manual", "health_check")


@pytest.fixture
def page_on_processes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The sample as a module, since a worker process has to import it."""
    module = f"""
from outlive import TaskManager
from outlive.testing import ManualClock

clock = ManualClock()
task_manager = TaskManager(snapshot_db="tasks.db", clock=clock)
{ON_PROCESSES}"""
    (tmp_path / "search_page.py").write_text(module, encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    return importlib.import_module("search_page")


async def test_a_schedule_on_processes_fires_in_a_worker(page_on_processes):
    page = page_on_processes
    async with page.task_manager as manager:
        record = await fired(manager, page.clock, "search_page:rebuild_search_index")

    assert (record.status, record.executor) == (TaskStatus.SUCCESS, "process")
    assert record.run_at == NOW + timedelta(hours=1)
