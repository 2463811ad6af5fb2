"""Tasks in worker processes: what they may be, and what becomes of them when their worker ends before they do."""

import asyncio
import logging
import os
import signal
from functools import partial
from pathlib import Path

import pytest
from support import process_bodies as bodies
from support.recording import captured_log
from support.waiting import ended, record_of, until

from outlive import DefinitionError, TaskArgumentError, TaskFailed, TaskManager, TaskStatus


@pytest.fixture
def manager(backend_url):
    return TaskManager(backend_url, max_process_workers=2, shutdown_grace=0.2, process_shutdown_timeout=0.2)


def in_process(manager, **options):
    return manager.using(executor="process", **options)


async def started_in(path):
    """The process that has written its id into this file."""
    return int(await until(lambda: path.exists() and path.read_text()))


def is_alive(pid):
    """Whether a process exists; one that has ended and was not waited for counts."""
    return Path(f"/proc/{pid}").exists()


async def test_a_function_runs_in_another_process_and_gives_back_its_value(manager):
    async with manager:
        for func in (bodies.add, bodies.add_async):
            task = await in_process(manager).enqueue(func, 1, b=2)
            assert await task.result(20) == 3
            assert (await record_of(manager, task.id)).executor == "process"
        pids = [await (await in_process(manager).enqueue(bodies.pid)).result(20) for _ in range(3)]

    assert len({*pids, os.getpid()}) == 2


async def test_a_declared_task_is_recovered_and_runs_in_a_process_again(tmp_path):
    url = f"sqlite:///{tmp_path}/tasks.db"
    before, after = TaskManager(url), TaskManager(url)
    for manager in (before, after):
        manager.task(name="add", executor="process")(bodies.add)

    async with before:
        task = await before.using(run_in=0.05).enqueue(bodies.add, 1, 2)
        await before.shutdown()
    async with after:
        record = await ended(after, task.id)

    assert (record.status, record.executor) == (TaskStatus.SUCCESS, "process")


def test_what_a_worker_could_not_find_is_refused_where_it_is_declared(manager):
    def inside():
        pass

    for func in (inside, lambda: None, partial(bodies.add, 1), bodies.CustomError):
        with pytest.raises(DefinitionError, match="executor='process' needs a function of a module") as caught:
            manager.task(executor="process")(func)
        assert isinstance(caught.value, ValueError)


async def test_an_argument_that_cannot_travel_is_refused_before_there_is_a_record(manager):
    async with manager:
        with pytest.raises(TaskArgumentError, match=r"add: argument 'b' \(function\) cannot travel"):
            await in_process(manager).enqueue(bodies.add, 1, lambda: None)
        assert await manager.merged_list() == []


async def test_an_exception_comes_back_as_it_was_with_its_trace(manager):
    async with manager:
        task = await in_process(manager, retries=1, retry_on=ZeroDivisionError).enqueue(bodies.fails, "word")
        with captured_log("outlive.task") as lines, pytest.raises(TaskFailed) as caught:
            await task.result(20)
        unreadable = await in_process(manager).enqueue(bodies.fails_unreadably)
        records = [await ended(manager, one.id) for one in (task, unreadable)]

    assert isinstance(caught.value.__cause__, KeyError)
    assert [record.error for record in records] == ["'word'", "not readable"]
    assert "process_bodies.py" in records[0].stacktrace
    assert records[0].attempts == 1
    assert [line.levelno for line in lines] == [logging.ERROR]


async def test_a_value_that_cannot_leave_its_process_is_lost_and_the_record_says_so(manager):
    async with manager:
        task = await in_process(manager).enqueue(bodies.gives_a_function)
        assert await task.result(20) is None
        record = await record_of(manager, task.id)

    assert "cannot leave its process (function)" in record.log_lines()[0]


async def test_what_it_says_can_be_read_while_it_runs(manager, tmp_path):
    async with manager:
        task = await in_process(manager, tags={"shop": "north"}).enqueue(bodies.says, str(tmp_path / "go"))

        async def look():
            return (await record_of(manager, task.id)).log_lines()

        lines = await until(look, 20)
        assert (await record_of(manager, task.id)).status is TaskStatus.RUNNING
        (tmp_path / "go").touch()
        assert await task.result(20) == task.id

    assert lines[0].endswith("half way attempt=0 shop='north'")


@pytest.mark.parametrize(
    ("func", "arg", "reason"),
    [
        pytest.param(bodies.exits, 3, "3", id="sys.exit"),
        pytest.param(bodies.vanishes, 4, "ended by itself with exit code 4", id="os._exit"),
        pytest.param(bodies.dies, signal.SIGKILL, "was killed by SIGKILL; perhaps", id="kill -9"),
        pytest.param(bodies.dies, signal.SIGSEGV, "was killed by SIGSEGV", id="crash"),
    ],
)
async def test_a_worker_that_ends_is_a_failed_attempt_of_its_own_task_alone(manager, tmp_path, func, arg, reason):
    async with manager:
        other = await in_process(manager).enqueue(bodies.waits, str(tmp_path / "other"))
        await started_in(tmp_path / "other")
        task = await in_process(manager).enqueue(func, int(arg))
        record = await ended(manager, task.id)
        (tmp_path / "other.go").touch()
        assert await other.result(20) != os.getpid()
        assert await (await in_process(manager).enqueue(bodies.add, 1, 2)).result(20) == 3

    assert record.status is TaskStatus.FAILED
    assert reason in record.error


async def test_a_task_that_kills_three_workers_in_a_row_is_not_given_another(manager):
    async with manager:
        task = await in_process(manager, retries=10).enqueue(bodies.vanishes, 1)
        record = await until(lambda: _ended_or_none(manager, task.id), 30)

    assert (record.status, record.attempts) == (TaskStatus.FAILED, 3)
    assert record.reason == "not retried, because 3 worker processes in a row have died of it"


async def _ended_or_none(manager, task_id):
    record = await record_of(manager, task_id)
    return record if record.is_final else None


async def test_a_worker_over_its_timeout_is_killed_and_no_other(manager, tmp_path):
    async with manager:
        other = await in_process(manager).enqueue(bodies.waits, str(tmp_path / "other"))
        slow = await in_process(manager, timeout=0.3).enqueue(bodies.waits_async, str(tmp_path / "slow"))
        others_pid, slow_pid = [await started_in(tmp_path / name) for name in ("other", "slow")]
        record = await ended(manager, slow.id)
        assert not is_alive(slow_pid)
        (tmp_path / "other.go").touch()
        assert await other.result(20) == others_pid

    assert record.error == "the attempt took longer than its timeout of 0.3 s"


async def test_a_cancelled_worker_is_killed_before_its_record_says_so_and_no_other(manager, tmp_path):
    async with manager:
        tasks = [await in_process(manager).enqueue(bodies.waits, str(tmp_path / name)) for name in ("a", "b")]
        pids = [await started_in(tmp_path / name) for name in ("a", "b")]
        assert await manager.cancel(tasks[0].id, "enough")
        record = await ended(manager, tasks[0].id)
        assert not is_alive(pids[0])
        (tmp_path / "b.go").touch()
        assert await tasks[1].result(20) == pids[1]
        assert await (await in_process(manager).enqueue(bodies.add, 1, 2)).result(20) == 3

    assert (record.status, record.reason) == (TaskStatus.CANCELLED, "enough")


async def test_shutdown_waits_for_a_process_then_kills_it_and_leaves_none_behind(backend_url, tmp_path):
    manager = TaskManager(backend_url, max_process_workers=2, shutdown_grace=0, process_shutdown_timeout=1.0)
    async with manager:
        tasks = [await in_process(manager).enqueue(bodies.waits, str(tmp_path / name)) for name in ("a", "b")]
        pids = [await started_in(tmp_path / name) for name in ("a", "b")]
        asyncio.get_running_loop().call_later(0.1, (tmp_path / "a.go").touch)

    assert [task.status for task in tasks] == [TaskStatus.SUCCESS, TaskStatus.INTERRUPTED]
    assert not any(map(is_alive, pids))


async def test_idle_workers_that_die_are_replaced(manager):
    async with manager:
        pid = await (await in_process(manager).enqueue(bodies.pid)).result(20)
        os.kill(pid, signal.SIGKILL)
        task = await in_process(manager).enqueue(bodies.pid)
        assert await task.result(20) != pid
        assert (await record_of(manager, task.id)).attempts == 1
