"""What is being written at the very moment when its process is asked to end."""

import asyncio

from support.databases import FakeDatabase
from support.waiting import turns, until

from outlive import TaskManager, TaskStatus
from outlive.core.moves import Enqueue, Release


async def test_what_is_being_accepted_while_the_process_ends_is_not_lost():
    database = FakeDatabase()
    manager = TaskManager(database)

    @manager.task(name="work")
    async def work() -> None: ...

    await manager.startup()
    database.gate.clear()
    accepting = asyncio.create_task(manager.enqueue(work))
    await until(lambda: database.attempts)
    stopping = asyncio.create_task(manager.shutdown())
    await turns()
    database.gate.set()
    task = await accepting
    await stopping

    record = await database.get(task.id)
    assert len(database.moves_of(Enqueue)) == 1
    assert record.status is TaskStatus.SUCCESS or (record.status, record.owner) == (TaskStatus.PENDING, None)


async def test_a_retry_that_is_being_written_while_the_process_ends_is_given_back():
    database = FakeDatabase()
    manager = TaskManager(database)

    @manager.task(name="fails", retries=1, delay=60)
    async def fails() -> None:
        database.gate.clear()
        raise OSError

    await manager.startup()
    task = await manager.enqueue(fails)
    await until(lambda: not database.gate.is_set())
    await turns()
    stopping = asyncio.create_task(manager.shutdown())
    await turns()
    database.gate.set()
    await stopping

    record = await database.get(task.id)
    assert (record.status, record.owner) == (TaskStatus.PENDING, None)
    assert len(database.moves_of(Release)) == 1


async def test_a_start_that_is_committed_while_the_process_ends_is_undone():
    database, ran = FakeDatabase(), []
    manager = TaskManager(database)

    @manager.task(name="work")
    async def work() -> None:
        ran.append(1)

    await manager.startup()
    task = await manager.using(run_in=0.01).enqueue(work)
    database.gate.clear()
    before = database.attempts
    await until(lambda: database.attempts > before)
    stopping = asyncio.create_task(manager.shutdown())
    await turns()
    database.gate.set()
    await stopping

    record = await database.get(task.id)
    assert ran == []
    assert (record.status, record.owner, record.attempts) == (TaskStatus.PENDING, None, 0)
