"""What becomes of work when its process is asked to end."""

import asyncio
import os
import threading
import time
from pathlib import Path

import pytest
from support import process_bodies
from support.databases import FakeDatabase
from support.recording import Gate, Trail, captured_log
from support.waiting import ended, record_of, turns, until

from outlive import TaskManager, TaskStatus, cancelled, task_log


async def look(manager, task_id):
    """The record as the next process finds it: read without starting anything."""
    await manager.backend.open()
    record = await manager.backend.get(task_id)
    await manager.backend.close()
    return record


async def test_a_running_task_may_finish_within_the_grace(backend_url):
    manager, gate = TaskManager(backend_url, shutdown_grace=5), Gate()

    async with manager:
        task = await manager.enqueue(gate.wait)
        await gate.entered.wait()
        asyncio.get_running_loop().call_later(0.02, gate.open.set)

    assert (await look(manager, task.id)).status is TaskStatus.SUCCESS


async def test_a_task_over_the_grace_is_interrupted_recorded_and_cleans_up(backend_url):
    manager, gate, trail = TaskManager(backend_url, shutdown_grace=0.05), Gate(), Trail()

    async def work():
        try:
            await gate.wait()
        finally:
            trail.mark(f"cleaned up, cancelled() is {cancelled()}")

    async with manager:
        task = await manager.using(retries=3).enqueue(work)
        await gate.entered.wait()

    record = await look(manager, task.id)
    assert trail == ["cleaned up, cancelled() is True"]
    assert record.status is TaskStatus.INTERRUPTED
    assert "shut down" in record.reason
    assert task.status is TaskStatus.INTERRUPTED


async def test_a_shielded_task_gets_the_longer_timeout_and_its_handler_too(backend_url):
    manager, trail, gate = TaskManager(backend_url, shutdown_grace=0, shutdown_timeout=5), Trail(), Gate()

    async def fails():
        await gate.wait()
        raise OSError

    async def handle(task, error):
        await turns(50)
        trail.mark("handled")

    async with manager:
        task = await manager.using(shield=True, on_error=handle).enqueue(fails)
        await gate.entered.wait()
        asyncio.get_running_loop().call_later(0.05, gate.open.set)

    assert trail == ["handled"]
    assert (await look(manager, task.id)).status is TaskStatus.FAILED


async def test_even_a_shielded_task_is_interrupted_at_the_end_of_its_time(backend_url):
    manager, gate = TaskManager(backend_url, shutdown_grace=0, shutdown_timeout=0.05), Gate()

    async with manager:
        task = await manager.using(shield=True).enqueue(gate.wait)
        await gate.entered.wait()

    assert (await look(manager, task.id)).status is TaskStatus.INTERRUPTED


async def test_pending_tasks_are_given_back_at_once_and_run_in_the_next_process(backend_url):
    ran: list[int] = []
    gates = [Gate(), Gate()]

    def process(gate):
        manager = TaskManager(backend_url if "sqlite" in backend_url else memory, max_concurrent_tasks=1)

        @manager.task(name="work")
        async def work(number: int) -> None:
            await gate.wait()
            ran.append(number)

        return manager, work

    memory = TaskManager().backend
    manager, work = process(gates[0])
    async with manager:
        tasks = await manager.enqueue_many(work, [[number] for number in range(3)])
        await gates[0].entered.wait()
        asyncio.get_running_loop().call_later(0.02, gates[0].open.set)
    if "memory" in backend_url:
        assert ran == [0, 1, 2], "what would end with the process still runs, in the time that running tasks have"
        return
    assert ran == [0], "what ran may finish, what waited does not start any more"
    records = [await look(manager, task.id) for task in tasks[1:]]
    assert [(record.status, record.owner, record.attempts) for record in records] == [(TaskStatus.PENDING, None, 0)] * 2

    gates[1].open.set()
    following, _ = process(gates[1])
    async with following:
        await until(lambda: sorted(ran) == [0, 1, 2])


async def test_an_interrupted_task_that_may_be_repeated_goes_back_with_its_attempts_uncounted(backend_url):
    gate, ran = Gate(), []
    memory = TaskManager().backend

    def process():
        manager = TaskManager(backend_url if "sqlite" in backend_url else memory, shutdown_grace=0.02)

        @manager.task(name="work", requeue_on_interrupt=True)
        async def work() -> None:
            ran.append(1)
            if len(ran) == 1:
                await gate.wait()

        return manager, work

    manager, work = process()
    async with manager:
        task = await manager.enqueue(work)
        await gate.entered.wait()
    record = await look(manager, task.id)
    assert (record.status, record.attempts, record.fence) == (TaskStatus.PENDING, 0, 1)

    following, _ = process()
    async with following:
        record = await ended(following, task.id)
    assert (record.status, record.attempts) == (TaskStatus.SUCCESS, 1)
    assert [attempt.outcome for attempt in record.history] == [TaskStatus.INTERRUPTED, TaskStatus.SUCCESS]


async def test_a_pending_task_of_an_undeclared_function_ends_with_its_process_and_says_why(backend_url):
    manager, gate = TaskManager(backend_url, max_concurrent_tasks=1, shutdown_grace=0), Gate()

    async with manager:
        await manager.enqueue(gate.wait)
        await gate.entered.wait()
        waiting = await manager.enqueue(turns)

    record = await look(manager, waiting.id)
    assert record.status is TaskStatus.INTERRUPTED
    assert "@manager.task()" in record.reason


async def test_a_task_that_waits_for_its_retry_is_given_back(timed, clock):
    @timed.task(retries=1, delay=60)
    async def fails() -> None:
        raise OSError

    async with timed:
        task = await timed.enqueue(fails)
        await until(lambda: timed.store.count(TaskStatus.PENDING) == 1)

    record = await look(timed, task.id)
    assert (record.status, record.owner, record.attempts) == (TaskStatus.PENDING, None, 1)
    assert record.run_at.timestamp() == pytest.approx(clock.now() + 60)


async def test_a_thread_that_never_ends_does_not_hold_the_shutdown(backend_url):
    manager = TaskManager(backend_url, shutdown_grace=0.05)
    entered, release, said = threading.Event(), threading.Event(), []

    def deaf():
        entered.set()
        release.wait(30)
        try:
            task_log("said after the end")
        finally:
            said.append(True)

    begun = time.monotonic()
    async with manager:
        task = await manager.enqueue(deaf)
        await until(entered.is_set)
    assert time.monotonic() - begun < 5
    assert task.status is TaskStatus.RUNNING, "nobody can know how its body ends"

    release.set()
    await until(lambda: said)


def test_a_thread_that_ends_after_its_event_loop_harms_nobody():
    entered, release, threads = threading.Event(), threading.Event(), []

    def deaf():
        threads.append(threading.current_thread())
        entered.set()
        release.wait(30)
        task_log("said after the end")

    async def process():
        async with TaskManager(shutdown_grace=0.05) as manager:
            await manager.enqueue(deaf)
            await until(entered.is_set)

    asyncio.run(process())
    release.set()
    threads[0].join(5)
    assert not threads[0].is_alive()


async def test_a_thread_that_asks_whether_it_should_stop_ends_at_shutdown(backend_url):
    manager, entered = TaskManager(backend_url, shutdown_grace=0.05), threading.Event()

    def polite():
        entered.set()
        while not cancelled():
            threading.Event().wait(0.005)

    async with manager:
        task = await manager.enqueue(polite)
        await until(entered.is_set)
        await manager.shutdown()
        await until(lambda: task.status is not TaskStatus.RUNNING)

    assert (await look(manager, task.id)).status is TaskStatus.INTERRUPTED


async def test_writes_that_the_backend_refuses_until_the_end_are_reported_not_awaited_forever():
    database, gate = FakeDatabase(), Gate()
    manager = TaskManager(database, shutdown_grace=0.1)

    with captured_log("outlive") as lines:
        async with manager:
            await manager.enqueue(gate.wait)
            await gate.entered.wait()
            database.is_up = False

    assert any("writes could not be applied" in str(line.exc_info) for line in lines)


async def test_a_manager_that_is_told_to_stop_twice_stops_once(manager):
    await manager.startup()
    task = await manager.enqueue(turns)
    await asyncio.gather(manager.shutdown(), manager.shutdown())
    async with manager:
        record = await record_of(manager, task.id)
    assert record.status is TaskStatus.SUCCESS


async def test_a_manager_that_has_stopped_leaves_no_thread_no_process_and_no_open_file(tmp_path):
    manager = TaskManager(f"sqlite:///{tmp_path}/tasks.db", max_process_workers=1)

    def threads():
        return {thread for thread in threading.enumerate() if thread.name.startswith("outlive")}

    def files():
        links = (os.path.realpath(link) for link in Path("/proc/self/fd").iterdir())
        return [link for link in links if link.startswith(str(tmp_path))]

    def is_there(pid):
        return Path(f"/proc/{pid}").exists()

    before = threads()
    async with manager:
        await (await manager.enqueue(turns)).result(20)
        await (await manager.enqueue(process_bodies.pid)).result(20)
        worker = await (await manager.using(executor="process").enqueue(process_bodies.pid)).result(20)
        assert files()
        assert threads() - before

    await until(lambda: threads() <= before)  # of the tests before it some may be ending still
    assert files() == []
    assert not is_there(worker)
