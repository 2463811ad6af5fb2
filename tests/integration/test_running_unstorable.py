"""What a backend cannot store though it is there: it must not keep a record where it is."""

import pytest
from support.databases import FakeDatabase
from support.waiting import ended, record_of, turns, until

from outlive import TaskManager, TaskStatus
from outlive.core.events import ServiceFailed
from outlive.core.moves import Settle, Start


@pytest.fixture
def database():
    return FakeDatabase()


@pytest.fixture
def events():
    return []


@pytest.fixture
def manager(database, events, clock):
    return TaskManager(database, clock=clock, loggers=[events.append])


def troubles(events):
    return [str(event.error) for event in events if isinstance(event, ServiceFailed)]


async def test_a_failure_that_cannot_be_stored_ends_its_record_all_the_same(manager, database, events):
    def refuse(moves):
        if any(isinstance(move, Settle) and move.stacktrace for move in moves):
            raise ValueError("no such text")

    @manager.task()
    async def fails() -> None:
        raise LookupError("odd")

    database.refuses = refuse
    async with manager:
        task = await manager.enqueue(fails)
        await until(task.finished.is_set)
        record = await ended(manager, task.id)

    assert (record.status, record.error, record.stacktrace) == (TaskStatus.FAILED, "LookupError", None)
    assert record.reason == "how it ended could not be stored as it was: ValueError: no such text"
    assert task.status is TaskStatus.FAILED
    assert troubles(events) == ["no such text"]


async def test_an_end_that_cannot_be_stored_is_tried_again_until_it_is(manager, database, clock, events):
    tries = []

    def refuse(moves):
        if any(isinstance(move, Settle) for move in moves):
            tries.append(clock.now())
            if len(tries) < 4:
                raise RuntimeError("a fault of the driver")

    @manager.task()
    async def work() -> None:
        pass

    database.refuses = refuse
    async with manager:
        task = await manager.enqueue(work)
        await until(lambda: len(tries) == 1)
        await turns(20)
        assert (await record_of(manager, task.id)).status is TaskStatus.RUNNING
        for count in (2, 3, 4):
            await turns(20)
            clock.advance(1)
            await until(lambda count=count: len(tries) == count)
        record = await ended(manager, task.id)

    assert record.status is TaskStatus.SUCCESS
    assert len(troubles(events)) == 3


async def test_a_start_that_cannot_be_stored_leaves_its_record_to_be_claimed(manager, database, clock):
    refused, ran = [], []

    def refuse(moves):
        if any(isinstance(move, Start) for move in moves) and not refused:
            refused.append(True)
            raise RuntimeError("a fault of the driver")

    @manager.task()
    async def work() -> None:
        ran.append(True)

    database.refuses = refuse
    async with manager:
        task = await manager.using(run_in=5).enqueue(work)
        clock.advance(5)
        await until(lambda: refused)
        clock.advance(5)
        await until(task.finished.is_set)
        record = await ended(manager, task.id)

    assert (record.status, ran) == (TaskStatus.SUCCESS, [True])
