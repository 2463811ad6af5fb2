"""Failures: whom they reach, what is said about them, and that they stay where they are."""

import asyncio
import logging
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from support.recording import Gate, Trail, captured_log
from support.waiting import ended, turns, until

from outlive import TaskManager, TaskStatus
from outlive.core.events import AttemptFailed, RuntimeEvent


class OddError(BaseException):
    """Not an Exception."""


class UnprintableError(Exception):
    def __str__(self):
        raise RuntimeError("cannot be shown")


@pytest.mark.parametrize("error", [SystemExit(3), OddError("odd"), asyncio.CancelledError(), GeneratorExit()], ids=repr)
@pytest.mark.parametrize("is_async", [True, False])
async def test_even_a_base_exception_fails_its_task_only(manager, error, is_async):
    trail = Trail()

    def fails():
        raise error

    async def fails_async():
        raise error

    async with manager:
        task = await manager.enqueue(fails_async if is_async else fails)
        record = await ended(manager, task.id)
        await (await manager.enqueue(trail.mark, "the process lives")).result(5)

    assert record.status is TaskStatus.FAILED
    assert type(error).__name__ in str(record.stacktrace)
    assert trail == ["the process lives"]


async def test_an_error_that_cannot_be_shown_still_fails_its_task(manager):
    async def fails():
        raise UnprintableError

    def fails_sync():
        raise UnprintableError

    async with manager:
        for func in (fails, fails_sync):
            record = await ended(manager, (await manager.enqueue(func)).id)
            assert record.status is TaskStatus.FAILED
            assert "UnprintableError" in str(record.stacktrace)


async def test_a_failure_is_logged_once_with_its_traceback_and_without_arguments(manager):
    async def send(address, password):
        raise OSError("connection refused")

    with captured_log("outlive.task") as lines:
        async with manager:
            await ended(manager, (await manager.enqueue(send, "ada@example.com", password="hunter2")).id)

    (line,) = lines
    text = logging.Formatter().format(line)
    assert line.levelno == logging.ERROR
    assert "send" in text
    assert "Traceback" in text
    assert "OSError: connection refused" in text
    assert "hunter2" not in text
    assert "ada@example.com" not in text


async def test_a_failure_that_is_retried_is_logged_as_a_warning_and_the_last_one_as_an_error(manager):
    with captured_log("outlive.task") as lines:
        async with manager:
            task = await manager.using(retries=2, name="nightly").enqueue(_fails)
            await ended(manager, task.id)

    assert [line.levelno for line in lines] == [logging.WARNING, logging.WARNING, logging.ERROR]
    assert all(task.id in line.getMessage() and "nightly" in line.getMessage() for line in lines)


async def test_observers_are_told_what_happened():
    events: list[RuntimeEvent] = []
    manager = TaskManager(loggers=[events.append])

    async with manager:
        task = await manager.using(retries=1).enqueue(_fails)
        await ended(manager, task.id)

    failures = [event for event in events if isinstance(event, AttemptFailed)]
    assert [(failure.attempt, failure.will_retry_in) for failure in failures] == [(1, 0), (2, None)]


async def test_an_observer_that_raises_harms_nobody(backend_url):
    def broken(event):
        raise LookupError("a bug in the observer")

    handled = []
    manager = TaskManager(backend_url, loggers=[broken])

    async with manager:
        failing = manager.using(retries=1, on_error=lambda task, error: handled.append(task.id))
        task = await failing.enqueue(_fails)
        record = await ended(manager, task.id)
        await until(lambda: handled)
        await (await manager.enqueue(turns)).result(5)

    assert (record.status, record.attempts) == (TaskStatus.FAILED, 2)
    assert handled == [task.id]


@pytest.mark.parametrize("kind", ["async", "plain", "callable object", "returns an awaitable"])
async def test_on_error_is_called_once_after_the_last_attempt(manager, kind):
    calls = []

    def handle(task, error):
        calls.append((task.id, task.args, str(error), task.attempts))

    async def handle_async(task, error):
        handle(task, error)

    class Handler:
        async def __call__(self, task, error):
            handle(task, error)

    handlers = {
        "async": handle_async,
        "plain": handle,
        "callable object": Handler(),
        "returns an awaitable": lambda *call: handle_async(*call),  # noqa: PLW0108 - not a coroutine function itself
    }

    async with manager:
        task = await manager.using(retries=2, on_error=handlers[kind]).enqueue(_fails, 1)
        await ended(manager, task.id)
        await until(lambda: calls)
        await turns()

    assert calls == [(task.id, (1,), "on purpose", 3)]


async def test_on_error_is_not_called_where_a_retry_worked(manager):
    calls, attempts = [], []

    async def once():
        attempts.append(1)
        if len(attempts) == 1:
            raise OSError

    async with manager:
        options = manager.using(retries=1, on_error=lambda *call: calls.append(call))
        await (await options.enqueue(once)).result(5)

    assert calls == []


async def test_on_error_of_a_plain_function_is_called_for_threads_too(manager):
    calls = []

    def fails():
        raise OSError("in a thread")

    async with manager:
        await manager.using(on_error=lambda task, error: calls.append(str(error))).enqueue(fails)
        await until(lambda: calls == ["in a thread"])


@pytest.mark.parametrize("error", [LookupError("a bug"), SystemExit(3), OddError("odd")], ids=repr)
@pytest.mark.parametrize("is_async", [True, False])
async def test_a_handler_that_raises_is_logged_and_contained(manager, error, is_async):
    def broken(task, failure):
        raise error

    async def broken_async(task, failure):
        raise error

    with captured_log("outlive.task") as lines:
        async with manager:
            handler = broken_async if is_async else broken
            task = await manager.using(on_error=handler).enqueue(_fails)
            record = await ended(manager, task.id)
            await until(lambda: len(lines) == 2)
            await (await manager.enqueue(turns)).result(5)

    assert (record.status, record.error) == (TaskStatus.FAILED, "on purpose")
    assert "on_error handler" in lines[1].getMessage()


async def test_a_plain_handler_does_not_hold_the_event_loop(manager):
    entered, release = threading.Event(), threading.Event()

    def slow(task, error):
        entered.set()
        release.wait(10)

    async with manager:
        await manager.using(on_error=slow).enqueue(_fails)
        await until(entered.is_set)
        await (await manager.enqueue(turns)).result(5)
        release.set()


async def test_plain_handlers_do_not_take_the_threads_of_the_application(manager):
    go_on, handling = threading.Event(), threading.Semaphore(0)

    def handler(task, error):
        handling.release()
        go_on.wait()

    async def fails():
        raise ValueError("no")

    with ThreadPoolExecutor(1) as threads:
        asyncio.get_running_loop().set_default_executor(threads)
        async with manager:
            tasks = [await manager.using(on_error=handler).enqueue(fails) for _ in range(3)]
            await until(lambda: handling.acquire(blocking=False))
            assert await asyncio.wait_for(asyncio.to_thread(lambda: "free"), 5) == "free"
            go_on.set()
            for task in tasks:
                await ended(manager, task.id)


async def test_a_task_that_raises_its_own_cancelled_error_does_not_stop_others(manager):
    gate = Gate()

    async def fails():
        raise asyncio.CancelledError

    async with manager:
        other = await manager.enqueue(gate.wait)
        await ended(manager, (await manager.enqueue(fails)).id)
        gate.open.set()
        assert (await ended(manager, other.id)).status is TaskStatus.SUCCESS


async def _fails(*args):
    raise OSError("on purpose")


async def test_a_handler_that_a_restart_would_lose_is_named_in_the_log_of_the_record(manager):
    async with manager:
        kept = await manager.using(on_error=print).enqueue(turns)
        lost = await manager.using(on_error=lambda task, error: None).enqueue(turns)
        kept_record, lost_record = await ended(manager, kept.id), await ended(manager, lost.id)

    assert kept_record.logs == ()
    assert ["on_error" in line.message and "restart" in line.message for line in lost_record.logs] == [True]
