"""Enqueueing from code that is not on the event loop."""

import asyncio
import threading
from contextvars import ContextVar

import pytest
from support.databases import FakeDatabase
from support.recording import Trail
from support.waiting import ended, turns, until

from outlive import BackendUnavailableError, NotInitializedError, TaskManager, TaskStatus, WouldDeadlockError

user = ContextVar("user", default="nobody")


async def test_a_thread_enqueues_and_goes_on_when_the_record_is_durable():
    database, trail = FakeDatabase(), Trail()
    manager = TaskManager(database)

    def blocking():
        user.set("ada")
        task = manager.using(retries=2).enqueue_sync(tell, "ran")
        trail.mark("durable" if task.is_durable else "not durable")
        return task

    async def tell(word):
        trail.mark(f"{word} for {user.get()}")

    async with manager:
        database.gate.clear()
        calling = asyncio.create_task(asyncio.to_thread(blocking))
        await until(lambda: database.attempts > 0)
        await turns()
        assert trail == []
        database.gate.set()
        task = await calling
        await task.result(5)

    assert sorted(trail) == ["durable", "ran for ada"]
    assert task.config.retries == 2


async def test_a_task_in_a_thread_enqueues_the_next_one(manager):
    trail = Trail()

    def first():
        return manager.enqueue_sync(trail.mark_async, "next").id

    async with manager:
        follow_up = await (await manager.enqueue(first)).result(5)
        assert (await ended(manager, follow_up)).status is TaskStatus.SUCCESS

    assert trail == ["next"]


async def test_one_key_from_many_threads_is_one_record(manager):
    trail = Trail()

    async with manager:
        keyed = manager.using(idempotency_key="order-7")
        calls = (asyncio.to_thread(keyed.enqueue_sync, trail.mark_async, "ran") for _ in range(8))
        tasks = await asyncio.gather(*calls)
        await ended(manager, tasks[0].id)

    assert len({task.id for task in tasks}) == 1
    assert trail == ["ran"]


async def test_on_the_event_loop_it_is_refused_and_names_what_to_call(manager):
    async with manager:
        with pytest.raises(WouldDeadlockError, match=r"use `await enqueue\(...\)` there"):
            manager.enqueue_sync(turns)
        assert await manager.merged_list() == []


async def test_what_kept_the_task_from_being_accepted_is_raised_in_the_thread():
    database = FakeDatabase()
    manager = TaskManager(database)

    async with manager:
        database.is_up = False
        with pytest.raises(BackendUnavailableError):
            await asyncio.to_thread(manager.enqueue_sync, turns)
        database.is_up = True


def test_without_a_running_event_loop_it_is_refused(manager):
    with pytest.raises(NotInitializedError, match="is not running"):
        manager.enqueue_sync(turns)

    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    try:
        asyncio.run_coroutine_threadsafe(manager.startup(), loop).result(10)
        assert manager.enqueue_sync(turns).is_durable
        asyncio.run_coroutine_threadsafe(manager.shutdown(), loop).result(10)
        with pytest.raises(NotInitializedError, match="is not running"):
            manager.enqueue_sync(turns)
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


def test_an_event_loop_that_has_ended_is_named(manager):
    with asyncio.Runner() as runner:
        runner.run(manager.startup())
        errors = []

        def call():
            try:
                manager.enqueue_sync(turns)
            except NotInitializedError as error:
                errors.append(str(error))

        thread = threading.Thread(target=call)
        thread.start()
        thread.join()
        runner.run(manager.shutdown())

    assert "does not run any more" in errors[0]
