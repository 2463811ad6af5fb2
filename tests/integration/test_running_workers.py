"""What ends with a worker process, and what a worker has to bear."""

import os
import signal
from pathlib import Path

import pytest
from support import process_bodies as bodies
from support import process_hangs
from support.waiting import ended, record_of, until

from outlive import TaskManager, TaskStatus
from outlive.executors.process import ProcessExecutor


@pytest.fixture
def manager():
    return TaskManager(max_process_workers=2, process_shutdown_timeout=0.2)


def in_process(manager, **options):
    return manager.using(executor="process", **options)


async def started_in(path):
    """The process that has written its id into this file."""
    return int(await until(lambda: path.exists() and path.read_text(), 20))


async def test_memory_that_is_refused_is_a_failed_attempt_and_its_worker_goes_on(manager):
    async with manager:
        pid = await (await in_process(manager).enqueue(bodies.pid)).result(20)
        task = await in_process(manager).enqueue(bodies.asks_for_more_than_its_limit, 500)
        record = await ended(manager, task.id)
        assert await (await in_process(manager).enqueue(bodies.pid)).result(20) == pid

    assert (record.status, record.error) == (TaskStatus.FAILED, "MemoryError")


async def test_a_body_that_fills_memory_until_it_is_killed_says_so_and_the_others_go_on(manager, tmp_path):
    async with manager:
        other = await in_process(manager).enqueue(bodies.waits, str(tmp_path / "other"))
        greedy = await in_process(manager).enqueue(bodies.fills_memory, str(tmp_path / "greedy"))
        pid = await started_in(tmp_path / "greedy")
        await until(lambda: resident(pid) > 100_000_000, 20)  # the system does so when there is no more
        os.kill(pid, signal.SIGKILL)
        record = await ended(manager, greedy.id)
        (tmp_path / "other.go").touch()
        assert await other.result(20) == await started_in(tmp_path / "other")

    assert record.status is TaskStatus.FAILED
    assert record.error == "the worker process of this task was killed by SIGKILL; perhaps the system was out of memory"


def resident(pid):
    """Bytes of memory that a process has filled."""
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


async def test_a_module_whose_import_hangs_in_the_worker_is_under_the_timeout_too():
    manager = TaskManager()
    manager._make_executors = lambda make=manager._make_executors: make() | {"process": ProcessExecutor(1, 0.5)}
    async with manager:
        task = await in_process(manager, timeout=0.1).enqueue(process_hangs.never_begins)
        record = await ended(manager, task.id)
        assert await (await in_process(manager).enqueue(bodies.add, 1, 2)).result(20) == 3

    assert record.status is TaskStatus.FAILED
    assert record.error.startswith("the worker process has not found the function within 0.5 s: importing its module")


async def test_a_worker_whose_import_hangs_can_be_cancelled(manager):
    async with manager:
        task = await in_process(manager).enqueue(process_hangs.never_begins)
        await task.started.wait()
        await manager.cancel(task.id)
        assert (await ended(manager, task.id)).status is TaskStatus.CANCELLED


@pytest.mark.parametrize("ending", ["timeout", "cancel", "shutdown"])
async def test_the_programs_that_a_killed_body_has_started_end_with_it(manager, tmp_path, ending):
    path = tmp_path / "program"
    async with manager:
        options = {"timeout": 0.5} if ending == "timeout" else {}
        task = await in_process(manager, **options).enqueue(bodies.starts_a_program, str(path), ends=False)
        program = await started_in(path)
        if ending == "cancel":
            await manager.cancel(task.id)
        if ending != "shutdown":
            await ended(manager, task.id)
            await until(lambda: not runs(program))

    await until(lambda: not runs(program))


async def test_the_programs_that_a_body_leaves_behind_end_with_its_worker(manager, tmp_path):
    path = tmp_path / "program"
    async with manager:
        await (await in_process(manager).enqueue(bodies.starts_a_program, str(path), ends=True)).result(20)
        program = await started_in(path)
        assert runs(program)

    await until(lambda: not runs(program))


def runs(pid):
    """Whether a process does something; one whose parent is gone may be waited for by nobody."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2][0] != "Z"
    except FileNotFoundError:
        return False


async def test_a_restart_does_not_forget_how_many_workers_a_task_has_killed(tmp_path, clock):
    url, options = f"sqlite:///{tmp_path}/tasks.db", {"executor": "process", "retries": 10, "delay": 5.0}
    before, after = (TaskManager(url, max_process_workers=1, clock=clock) for _ in range(2))
    for manager in (before, after):
        manager.task(name="vanishes", **options)(bodies.vanishes)

    async with before:
        task = await before.enqueue(bodies.vanishes, 1)
        for attempts in (1, 2):
            await until(lambda attempts=attempts: waits_after(before, task.id, attempts), 20)
            clock.advance(5 if attempts == 1 else 0)
    async with after:
        clock.advance(10)
        record = await ended(after, task.id)

    assert (record.status, record.attempts) == (TaskStatus.FAILED, 3)
    assert record.reason == "not retried, because 3 worker processes in a row have died of it"


async def waits_after(manager, task_id, attempts):
    record = await record_of(manager, task_id)
    return record.status is TaskStatus.PENDING and record.attempts == attempts
