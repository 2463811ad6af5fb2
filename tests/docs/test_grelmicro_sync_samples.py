"""The samples of grelmicro's page on tasks that need locks or an application, with another import line."""

import warnings

import pytest
from fastapi.testclient import TestClient
from support.samples import Page
from support.waiting import until

from outlive import TaskManager
from outlive.sync import TaskLock
from outlive.testing import ManualClock

LIFESPAN = """
from contextlib import asynccontextmanager

from fastapi import FastAPI

from outlive import TaskManager

task = TaskManager()


@asynccontextmanager
async def lifespan(app: FastAPI):
    async with task:
        yield


app = FastAPI(lifespan=lifespan)
"""
DISTRIBUTED = """
from outlive import TaskManager

task = TaskManager()


@task.interval(seconds=60, max_lock_seconds=300)
async def cleanup():
    print("Running cleanup...")
"""
LEADER = """
from outlive.sync import LeaderElection
from outlive import TaskManager

leader = LeaderElection("my-service")
task = TaskManager()
task.add_task(leader)


@task.interval(seconds=60, leader=leader)
async def cleanup():
    print("Running cleanup...")
"""
CUSTOM = """
from outlive import TaskManager

task = TaskManager()


@task.interval(seconds=60, max_lock_seconds=300, min_lock_seconds=30)
async def long_task():
    print("Running long task...")
"""
RESOURCE = """
from outlive.sync import Lock
from outlive import TaskManager

task = TaskManager()
resource_lock = Lock("shared-resource")


@task.interval(seconds=60, max_lock_seconds=300, sync=resource_lock)
async def cleanup():
    print("Running cleanup...")
"""
CLEANUP, LONG = "Running cleanup...", "Running long task..."


def prepared(sample: str) -> tuple[Page, TaskManager, ManualClock]:
    page, clock = Page().run(sample), ManualClock()
    manager: TaskManager = page.names["task"]
    manager._clock = clock
    return page, manager, clock


async def pass_until(clock: ManualClock, condition):
    def has_come_true():
        clock.advance(1)
        return condition()

    await until(has_come_true)


def test_the_manager_lives_in_the_lifespan_of_an_application():
    page = Page().run(LIFESPAN)
    manager: TaskManager = page.names["task"]
    with TestClient(page.app):
        assert manager.is_started
    assert not manager.is_started


@pytest.mark.parametrize(
    ("sample", "says", "least"),
    [
        pytest.param(DISTRIBUTED, CLEANUP, 60, id="distributed"),
        pytest.param(CUSTOM, LONG, 30, id="custom"),
        pytest.param(RESOURCE, CLEANUP, 60, id="resource"),
    ],
)
async def test_it_runs_once_and_holds_its_lock_after_it(sample, says, least):
    page, manager, clock = prepared(sample)
    async with manager:
        await until(lambda: page.said == [says])
        [lease] = await until(lambda: only_kept(manager, clock, least))
        assert lease.key.startswith("tasklock:page:")
        await pass_until(clock, lambda: len(page.said) > 1)
    assert set(page.said) == {says}


async def only_kept(manager, clock, seconds):
    held = await manager.leases()
    return held if [lease.time_left(clock.now()) for lease in held] == [seconds] else None


@pytest.mark.parametrize("sample", [DISTRIBUTED, RESOURCE], ids=["distributed", "resource"])
async def test_it_is_skipped_while_another_process_runs_it(sample):
    page, manager, clock = prepared(sample)
    name = f"tasklock:{next(iter(manager.registry.identities()))}"
    await manager.backend.leases.take(name, "another process", 300, clock.now())
    async with manager:
        await until(lambda: clock.advance(1) or clock.now() > ManualClock().now() + 200)
        assert page.said == []
        await pass_until(clock, lambda: page.said)


async def test_the_resource_is_held_while_it_runs_and_waited_for():
    page, manager, clock = prepared(RESOURCE)
    await manager.backend.leases.take("lock:shared-resource", "somebody", 50, clock.now())
    async with manager:
        await until(lambda: waits(manager))
        assert page.said == []
        await pass_until(clock, lambda: page.said)


async def waits(manager):
    return any(lease.waiting for lease in await manager.leases())


async def test_only_the_leader_runs_it():
    page, manager, clock = prepared(LEADER)
    await manager.backend.leases.take("leader:my-service", "another process", 100, clock.now())
    async with manager:
        await until(lambda: clock.advance(0.5) or clock.now() > ManualClock().now() + 90)
        assert page.said == []
        await pass_until(clock, lambda: page.said)
        assert page.names["leader"].is_leader()


def test_what_is_deprecated_warns():
    manager = TaskManager()
    with pytest.warns(DeprecationWarning, match="scheduled"):
        manager.scheduled(seconds=5)(print_nothing)
    with pytest.warns(DeprecationWarning, match="sync="):
        manager.interval(seconds=5, sync=TaskLock("t"), name="another")(print_nothing)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        manager.interval(seconds=5, max_lock_seconds=25, min_lock_seconds=5, name="third")(print_nothing)


async def print_nothing() -> None:
    """Do nothing."""
