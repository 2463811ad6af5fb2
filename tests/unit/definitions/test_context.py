import asyncio
import logging
import threading
from typing import Any

import pytest
from support.recording import captured_log
from support.waiting import record_of, until

from outlive import TaskManager, cancelled, get_task_context, task_log

LEVELS = {"debug": logging.DEBUG, "info": logging.INFO, "warning": logging.WARNING, "error": logging.ERROR}


@pytest.mark.parametrize("level", LEVELS)
def test_outside_a_task_a_line_goes_to_the_logger_of_tasks(level, caplog):
    caplog.set_level(logging.DEBUG, "outlive.task")

    task_log("sent %s", level=level, to="Ada", tries=2)

    (record,) = caplog.records
    assert (record.name, record.levelno) == ("outlive.task", LEVELS[level])
    assert record.getMessage() == "sent %s to='Ada' tries=2"


def test_a_line_is_info_unless_it_says_otherwise(caplog):
    caplog.set_level(logging.DEBUG, "outlive.task")
    task_log("hello")
    assert [record.levelname for record in caplog.records] == ["INFO"]


def test_an_unknown_level_is_refused_with_those_that_exist():
    with pytest.raises(ValueError, match="level='loud' is unknown; choose one of debug, info, warning, error"):
        task_log("hello", level="loud")


def test_outside_a_task_there_is_no_context_and_nothing_is_cancelled():
    assert get_task_context() is None
    assert cancelled() is False


async def test_inside_a_task_a_line_goes_to_its_record_and_nowhere_else(manager: TaskManager):
    async def work():
        task_log("one")
        task_log("two\0", level="error", size=3)

    with captured_log("outlive.task") as lines:
        async with manager:
            task = await manager.enqueue(work)
            await task.result()
            record = await record_of(manager, task.id)

    assert [(line.level, line.message) for line in record.logs] == [("info", "one"), ("error", "two\ufffd size=3")]
    assert not lines


async def test_a_thread_that_carries_the_context_logs_to_the_record(manager: TaskManager):
    def work():
        task_log("from the thread of the task")

    async def hop():
        await asyncio.to_thread(task_log, "from another thread")

    async with manager:
        for func in (work, hop):
            task = await manager.enqueue(func)
            await task.result()
            assert len((await record_of(manager, task.id)).logs) == 1


async def test_the_context_tells_which_run_it_is(manager: TaskManager):
    seen: list[Any] = []

    @manager.task(retries=1, name="work")
    async def work():
        seen.append(get_task_context())
        if len(seen) == 1:
            raise ValueError

    async with manager:
        task = await manager.using(tags={"user": "7"}).enqueue(work)
        await task.result()

    assert [(one.task_id, one.func_name, one.attempt, one.tags) for one in seen] == [
        (task.id, "work", 0, {"user": "7"}),
        (task.id, "work", 1, {"user": "7"}),
    ]


async def test_a_task_that_another_task_enqueues_has_a_context_of_its_own(manager: TaskManager):
    contexts: list[Any] = []

    async def inner():
        contexts.append(get_task_context())

    async def outer():
        task = await manager.enqueue(inner)
        await task.result()
        contexts.append(get_task_context())

    async with manager:
        await (await manager.enqueue(outer)).result()

    assert [context.func_name for context in contexts] == ["inner", "outer"]


async def test_a_plain_function_learns_that_it_was_cancelled(manager: TaskManager):
    begun, told = threading.Event(), []

    def work():
        told.append(cancelled())
        begun.set()
        while not cancelled():
            pass
        told.append(cancelled())

    async with manager:
        task = await manager.enqueue(work)
        await until(begun.is_set)
        await task.cancel()
        await task.finished.wait()

    assert told == [False, True]
    assert task.status == "cancelled"
