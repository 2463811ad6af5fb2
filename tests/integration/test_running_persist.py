"""Tasks that are not stored when they are accepted: `persist=False` and `requeue_pending=False`."""

import pytest
from fastapi import FastAPI
from support.recording import Gate, Trail
from support.serving import serving
from support.waiting import ended, until

from outlive import TaskManager, Tasks, TaskStatus


@pytest.fixture
def path(tmp_path):
    return str(tmp_path / "tasks.db")


async def stored(path, task_id):
    """What another process would find."""
    reader = TaskManager(path)
    await reader.backend.open()
    record = await reader.backend.get(task_id)
    await reader.backend.close()
    return record


async def test_a_task_that_is_not_persisted_is_seen_while_it_runs_and_stored_after_it_has_ended(path, clock):
    manager, gate = TaskManager(path, clock=clock, snapshot_interval=60), Gate()

    @manager.task(persist=False)
    async def work() -> None:
        await gate.wait()

    async with manager:
        task = await manager.enqueue(work)
        await gate.entered.wait()
        assert (await manager.get(task.id)).status is TaskStatus.RUNNING
        assert [record.id for record in await manager.merged_list()] == [task.id]
        assert await manager.backend.get(task.id) is None
        gate.open.set()
        await ended(manager, task.id)
        clock.advance(60)
        record = await until(lambda: manager.backend.get(task.id))
        assert record.status is TaskStatus.SUCCESS
        assert [listed.id for listed in await manager.merged_list()] == [task.id]


async def test_the_end_of_the_process_stores_what_has_ended_and_what_it_interrupts(path):
    manager, gate = TaskManager(path, shutdown_grace=0, max_concurrent_tasks=1, persist=False), Gate()

    async with manager:
        done = await manager.enqueue(_nothing)
        await ended(manager, done.id)
        running = await manager.enqueue(gate.wait)
        await gate.entered.wait()
        waiting = await manager.enqueue(_nothing)

    statuses = [(await stored(path, task.id)).status for task in (done, running, waiting)]
    assert statuses == [TaskStatus.SUCCESS, TaskStatus.INTERRUPTED, TaskStatus.INTERRUPTED]


async def test_without_requeue_pending_only_tasks_that_say_so_are_stored_when_they_are_accepted(path):
    manager, gate = TaskManager(path, requeue_pending=False, shutdown_grace=0), Gate()

    @manager.task(persist=True)
    async def important() -> None:
        await gate.wait()

    @manager.task()
    async def other() -> None:
        await gate.wait()

    async with manager:
        kept, not_kept = await manager.enqueue(important), await manager.enqueue(other)
        await gate.entered.wait()
        assert await manager.backend.get(kept.id) is not None
        assert await manager.backend.get(not_kept.id) is None
        gate.open.set()


async def test_both_kinds_in_one_request_run_in_their_order(path):
    manager, app, trail = TaskManager(path), FastAPI(), Trail()
    manager.init_app(app)

    @manager.task(persist=False)
    async def light(word: str) -> None:
        trail.mark(word)

    @manager.task()
    async def durable(word: str) -> None:
        trail.mark(word)

    @app.get("/")
    async def endpoint(tasks: Tasks):
        for number, func in enumerate([light, durable, light, durable]):
            tasks.add_task(func, str(number))

    async with serving(app) as client:
        assert (await client.get("/")).status_code == 200
        await until(lambda: len(trail) == 4)

    assert trail == ["0", "1", "2", "3"]


async def test_an_ended_task_that_was_not_persisted_can_be_requeued(path):
    manager, calls = TaskManager(path), []

    @manager.task(persist=False)
    async def fails(number: int) -> None:
        calls.append(number)
        if len(calls) == 1:
            raise OSError

    async with manager:
        task = await manager.enqueue(fails, 7)
        await ended(manager, task.id)
        await manager.requeue(task.id)
        await until(lambda: calls == [7, 7])
        record = await ended(manager, task.id)

    assert record.status is TaskStatus.SUCCESS


async def test_a_task_that_is_not_persisted_can_be_cancelled_and_retried(path):
    manager, gate, attempts = TaskManager(path), Gate(), []

    async def fails_once():
        attempts.append(1)
        if len(attempts) == 1:
            raise OSError

    async with manager:
        options = manager.using(persist=False, retries=1)
        assert await (await options.enqueue(fails_once)).result(5) is None
        task = await options.enqueue(gate.wait)
        await gate.entered.wait()
        assert await manager.cancel(task.id)
        assert (await ended(manager, task.id)).status is TaskStatus.CANCELLED


async def _nothing():
    pass
