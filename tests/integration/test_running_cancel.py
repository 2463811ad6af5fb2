"""Cancelling: what has not started never will, what runs is asked to end."""

import asyncio
import threading

import pytest
from fastapi import FastAPI
from support.databases import FakeDatabase
from support.instances import declare
from support.recording import Gate, Trail
from support.serving import serving
from support.waiting import ended, record_of, turns, until

from outlive import TaskManager, Tasks, TaskStatus, UnknownTaskError, cancelled
from outlive.core.moves import Settle


async def test_a_cancelled_pending_task_never_starts(backend_url):
    trail, gate = Trail(), Gate()
    manager = TaskManager(backend_url, max_concurrent_tasks=1)

    async with manager:
        await manager.enqueue(gate.wait)
        await gate.entered.wait()
        task = await manager.enqueue(trail.mark_async, "ran")
        assert await manager.cancel(task.id, "not needed")
        gate.open.set()
        record = await ended(manager, task.id)
        await until(lambda: len(manager.store) == 0)
        await turns()

    assert (record.status, record.reason, record.attempts) == (TaskStatus.CANCELLED, "not needed", 0)
    assert trail == []


async def test_a_task_that_waits_for_its_time_or_its_retry_can_be_cancelled(timed, clock):
    trail = Trail()

    async def fails():
        trail.mark("failed")
        raise OSError

    async with timed:
        delayed = await timed.using(run_in=30).enqueue(trail.mark_async, "ran")
        retried = await timed.using(retries=1, delay=30).enqueue(fails)
        await until(lambda: trail == ["failed"] and timed.store.count(TaskStatus.PENDING) == 2)
        for task in (delayed, retried):
            assert await task.cancel()
        clock.advance(60)
        await turns(50)
        records = [await record_of(timed, task.id) for task in (delayed, retried)]

    assert [record.status for record in records] == [TaskStatus.CANCELLED] * 2
    assert trail == ["failed"]


async def test_a_running_coroutine_is_cancelled_at_its_await_and_may_clean_up(manager):
    gate, trail = Gate(), Trail()

    async def work():
        try:
            await gate.wait()
        finally:
            trail.mark("cleaned up")

    async with manager:
        task = await manager.using(retries=3).enqueue(work)
        await gate.entered.wait()
        assert await task.cancel("enough")
        record = await ended(manager, task.id)

    assert (record.status, record.reason, record.attempts) == (TaskStatus.CANCELLED, "enough", 1)
    assert trail == ["cleaned up"]


async def test_a_running_thread_is_asked_and_its_record_stays_running_until_its_body_ends(manager):
    entered, release = threading.Event(), threading.Event()

    def work():
        entered.set()
        while not cancelled():
            release.wait(0.005)
        release.wait(20)

    async with manager:
        task = await manager.enqueue(work)
        await until(entered.is_set)
        assert await task.cancel()
        await turns()
        record = await record_of(manager, task.id)
        assert (record.status, record.cancel_requested) == (TaskStatus.RUNNING, True)
        release.set()
        record = await ended(manager, task.id)

    assert record.status is TaskStatus.CANCELLED


async def test_a_thread_that_was_asked_too_late_and_did_its_work_has_succeeded(manager):
    entered, release = threading.Event(), threading.Event()

    def work():
        entered.set()
        release.wait(20)
        return "done"

    async with manager:
        task = await manager.enqueue(work)
        await until(entered.is_set)
        await task.cancel()
        release.set()
        assert await task.result(5) == "done"


async def test_cancelling_what_has_ended_says_no(manager):
    async with manager:
        task = await manager.enqueue(turns)
        await ended(manager, task.id)
        assert not await task.cancel()
        assert not await manager.cancel(task.id)
        assert (await record_of(manager, task.id)).status is TaskStatus.SUCCESS


async def test_cancelling_an_unknown_id_is_an_error(manager):
    async with manager:
        with pytest.raises(UnknownTaskError, match="no-such-id"):
            await manager.cancel("no-such-id")
        with pytest.raises(UnknownTaskError, match="no-such-id"):
            await manager.requeue("no-such-id")


@pytest.mark.parametrize("mode", ["after_route", "after_response"])
async def test_an_endpoint_can_cancel_what_it_has_scheduled_for_later(manager, mode):
    app, trail = FastAPI(), Trail()
    manager.init_app(app)

    @app.get("/")
    async def endpoint(tasks: Tasks):
        task = getattr(tasks, mode).schedule(trail.mark_async, "ran")
        assert await task.cancel("changed my mind")
        return task.id

    async with serving(app) as client:
        answer = await client.get("/")
        record = await ended(manager, answer.json())
        await turns()

    assert answer.status_code == 200
    assert (record.status, record.reason) == (TaskStatus.CANCELLED, "changed my mind")
    assert trail == []


async def test_a_cancel_that_crosses_a_retry_is_not_lost():
    """The body has failed, and its way back to pending is still being written."""
    database, attempts = FakeDatabase(), []
    manager = TaskManager(database)

    async def fails():
        attempts.append(1)
        database.gate.clear()
        raise OSError

    async with manager:
        task = await manager.using(retries=5, delay=0.05).enqueue(fails)
        await until(lambda: attempts)
        await turns()
        cancelling = asyncio.create_task(task.cancel("stop it"))
        await turns()
        database.gate.set()
        assert await cancelling
        record = await ended(manager, task.id)

    assert record.status is TaskStatus.CANCELLED
    assert attempts == [1]


async def test_a_cancel_that_crosses_the_end_says_no():
    database = FakeDatabase()
    manager = TaskManager(database)

    async def works():
        database.gate.clear()

    async with manager:
        task = await manager.enqueue(works)
        await until(lambda: not database.gate.is_set())
        await turns()
        cancelling = asyncio.create_task(task.cancel("too late"))
        await turns()
        database.gate.set()
        assert not await cancelling
        record = await ended(manager, task.id)

    assert record.status is TaskStatus.SUCCESS
    assert len(database.moves_of(Settle)) == 1


async def test_a_cancelled_task_frees_its_slot(backend_url):
    gate, trail = Gate(), Trail()
    manager = TaskManager(backend_url, max_concurrent_tasks=1)

    async with manager:
        task = await manager.enqueue(gate.wait)
        await gate.entered.wait()
        await task.cancel()
        await (await manager.enqueue(trail.mark_async, "next")).result(5)

    assert trail == ["next"]


async def test_a_body_in_another_instance_is_cancelled_there_with_the_reason_given_here(shared):
    trail, gate = Trail(), Gate()
    here, there = shared.instance(), shared.instance()
    work, _ = declare(here, trail, gate), declare(there, trail, gate)

    async with here, there:
        task = await here.enqueue(work, "began")
        await gate.entered.wait()
        assert await there.cancel(task.id, "not needed")
        assert (await record_of(there, task.id)).status is TaskStatus.RUNNING
        shared.clock.advance(1)
        record = await ended(there, task.id)

    assert (record.status, record.reason) == (TaskStatus.CANCELLED, "not needed")
    assert trail == ["began"]


async def test_a_retry_that_another_instance_has_cancelled_does_not_come(shared):
    entered, release, attempts = threading.Event(), threading.Event(), []
    here, there = shared.instance(), shared.instance()

    @here.task(retries=5, delay=60)
    def fails():
        attempts.append(1)
        entered.set()
        release.wait(20)
        raise OSError

    async with here, there:
        task = await here.enqueue(fails)
        await until(entered.is_set)
        assert await there.cancel(task.id, "not needed")
        release.set()
        await until(lambda: task.status is not TaskStatus.RUNNING)
        shared.clock.advance(1)
        record = await ended(there, task.id)

    assert (record.status, attempts) == (TaskStatus.CANCELLED, [1])


async def test_what_was_to_be_cancelled_when_its_process_died_is_not_run_again(shared):
    trail, gate = Trail(), Gate()
    here, there = shared.instance(), shared.instance()
    work, _ = [declare(one, trail, gate, requeue_on_interrupt=True) for one in (here, there)]

    async with here, there:
        task = await here.enqueue(work, "began")
        await gate.entered.wait()
        assert await there.cancel(task.id)
        await here.shutdown()
        shared.clock.advance(1)
        record = await ended(there, task.id)

    assert record.status is TaskStatus.CANCELLED
    assert trail == ["began"]
