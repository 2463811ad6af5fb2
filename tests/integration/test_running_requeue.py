"""Asking for another run of what has ended."""

import pytest
from support.recording import Gate
from support.waiting import ended, turns, until

from outlive import TaskStateError, TaskStatus


def flaky(manager, failures):
    calls = []

    @manager.task(name="flaky", retries=1)
    async def body(number: int) -> int:
        calls.append(number)
        if len(calls) <= failures:
            raise OSError(f"call {len(calls)}")
        return number * 2

    return body, calls


async def test_a_failed_task_runs_again_under_its_id_with_its_arguments_and_its_history(manager):
    body, calls = flaky(manager, failures=2)

    async with manager:
        task = await manager.enqueue(body, 21)
        await ended(manager, task.id)
        await manager.requeue(task.id)
        await until(lambda: len(calls) == 3)
        record = await ended(manager, task.id)

    assert calls == [21] * 3
    assert (record.status, record.attempts) == (TaskStatus.SUCCESS, 1)
    assert [(attempt.number, attempt.outcome) for attempt in record.history] == [
        (1, TaskStatus.FAILED),
        (2, TaskStatus.FAILED),
        (3, TaskStatus.SUCCESS),
    ]
    assert record.error is None


async def test_the_retries_count_anew_after_a_requeue(manager):
    body, calls = flaky(manager, failures=3)

    async with manager:
        task = await manager.enqueue(body, 1)
        await ended(manager, task.id)
        await manager.requeue(task.id)
        await until(lambda: len(calls) == 4)
        record = await ended(manager, task.id)

    assert (record.status, record.attempts) == (TaskStatus.SUCCESS, 2)


async def test_a_cancelled_task_and_a_successful_one_can_be_requeued_too(manager):
    body, calls = flaky(manager, failures=0)

    async with manager:
        done = await manager.enqueue(body, 1)
        await ended(manager, done.id)
        never = await manager.using(run_in=3600).enqueue(body, 2)
        await never.cancel()
        for task in (done, never):
            await manager.requeue(task.id)
        await until(lambda: sorted(calls) == [1, 1, 2])


async def test_what_has_not_ended_cannot_be_requeued(manager):
    gate = Gate()

    @manager.task()
    async def waits() -> None:
        await gate.wait()

    async with manager:
        task = await manager.enqueue(waits)
        await gate.entered.wait()
        with pytest.raises(TaskStateError, match="running"):
            await manager.requeue(task.id)
        gate.open.set()


async def test_a_function_that_was_never_declared_cannot_be_requeued_and_the_error_says_why(manager):
    async with manager:
        task = await manager.enqueue(turns)
        await ended(manager, task.id)
        with pytest.raises(TaskStateError, match="not declared"):
            await manager.requeue(task.id)


async def test_two_functions_of_one_name_do_not_run_each_other(manager):
    """A record knows its function by identity, not by `__name__`."""
    ran = []

    def declare(where):
        async def job() -> None:
            ran.append(where)
            raise OSError

        job.__qualname__ = f"{where}.job"
        return manager.task()(job)

    first, second = declare("first"), declare("second")

    async with manager:
        task = await manager.enqueue(first)
        await ended(manager, task.id)
        await (await manager.enqueue(second)).finished.wait()
        await manager.requeue(task.id)
        await until(lambda: len(ran) == 3)

    assert ran == ["first", "second", "first"]
