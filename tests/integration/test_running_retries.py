"""Retries, their waits, and the limit on the time of one attempt."""

import asyncio
import threading

import pytest
from support.recording import Trail, captured_log
from support.waiting import ended, record_of, turns, until

from outlive import TaskManager, TaskStatus, cancelled


class Flaky:
    """Fails the first `times` times."""

    def __init__(self, times, clock=None, error=OSError):
        self.times = times
        self.error = error
        self.clock = clock
        self.began = []

    async def __call__(self):
        self.began.append(self.clock.now() if self.clock else 0)
        if len(self.began) <= self.times:
            raise self.error(f"attempt {len(self.began)}")
        return "worked"


async def waits_for_retry(manager):
    await until(lambda: manager.store.count(TaskStatus.PENDING) == 1)


async def advance_through(manager, clock, flaky, waits):
    for number, seconds in enumerate(waits, 1):
        await until(lambda: len(flaky.began) == number)  # noqa: B023 - called at once
        await waits_for_retry(manager)
        clock.advance(seconds)


async def test_a_task_is_tried_again_until_it_works(manager):
    flaky = Flaky(2)

    async with manager:
        task = await manager.using(retries=3).enqueue(flaky)
        assert await task.result(5) == "worked"
        record = await ended(manager, task.id)

    assert (record.status, record.attempts, record.retries_used) == (TaskStatus.SUCCESS, 3, 2)
    assert [attempt.outcome for attempt in record.history] == [
        TaskStatus.FAILED,
        TaskStatus.FAILED,
        TaskStatus.SUCCESS,
    ]
    assert [attempt.error for attempt in record.history] == ["attempt 1", "attempt 2", None]


async def test_the_last_failure_is_what_the_record_shows(manager):
    async with manager:
        task = await manager.using(retries=1).enqueue(Flaky(9))
        record = await ended(manager, task.id)

    assert (record.status, record.attempts, record.error) == (TaskStatus.FAILED, 2, "attempt 2")
    assert "OSError: attempt 2" in str(record.stacktrace)


@pytest.mark.parametrize(
    ("options", "waits"),
    [
        ({"delay": 10}, [10, 10, 10]),
        ({"delay": 10, "backoff": 3}, [10, 30, 90]),
        ({"delay": 10, "backoff": 3, "max_delay": 25}, [10, 25, 25]),
        ({"delay": 1, "backoff": 0.5}, [1, 0.5, 0.25]),
    ],
)
async def test_each_retry_waits_as_long_as_its_options_say(timed, clock, options, waits):
    flaky = Flaky(3, clock)

    async with timed:
        task = await timed.using(retries=3, **options).enqueue(flaky)
        await advance_through(timed, clock, flaky, waits)
        assert await task.result(5) == "worked"

    gaps = [later - earlier for earlier, later in zip(flaky.began, flaky.began[1:], strict=False)]
    assert gaps == pytest.approx(waits)


async def test_a_retry_does_not_begin_before_its_time(timed, clock):
    flaky = Flaky(1)

    async with timed:
        task = await timed.using(retries=1, delay=10).enqueue(flaky)
        await waits_for_retry(timed)
        clock.advance(9.9)
        await turns(50)
        assert len(flaky.began) == 1
        record = await record_of(timed, task.id)
        assert (record.status, record.attempts) == (TaskStatus.PENDING, 1)
        assert record.run_at.timestamp() == pytest.approx(clock.now() + 0.1, abs=0.01)
        clock.advance(0.2)
        await task.result(5)


async def test_jitter_spreads_the_waits_around_the_delay(timed, clock):
    async with timed:
        tasks = [await timed.using(retries=1, delay=100, retry_jitter=0.2).enqueue(Flaky(9)) for _ in range(20)]
        await until(lambda: timed.store.count(TaskStatus.PENDING) == 20)
        waits = [(await record_of(timed, task.id)).run_at.timestamp() - clock.now() for task in tasks]

    assert all(79.9 <= wait <= 120.1 for wait in waits)
    assert len({round(wait, 3) for wait in waits}) > 10


@pytest.mark.parametrize(
    "retry_on", [OSError, (OSError, ValueError), lambda error: isinstance(error, OSError)], ids=["type", "types", "ask"]
)
async def test_only_the_errors_that_retry_on_covers_are_retried(manager, retry_on):
    async with manager:
        options = manager.using(retries=1, retry_on=retry_on)
        covered = await options.enqueue(Flaky(1, error=ConnectionError))
        not_covered = await options.enqueue(Flaky(1, error=KeyError))
        records = [await ended(manager, task.id) for task in (covered, not_covered)]

    assert [(record.status, record.attempts) for record in records] == [
        (TaskStatus.SUCCESS, 2),
        (TaskStatus.FAILED, 1),
    ]


async def test_a_retry_on_that_raises_itself_ends_the_task_as_failed(manager):
    def ask(error):
        raise LookupError("a bug in the question")

    async with manager:
        task = await manager.using(retries=5, retry_on=ask).enqueue(Flaky(1))
        record = await ended(manager, task.id)
        assert await (await manager.enqueue(Flaky(0))).result(5) == "worked", "others are not touched"

    assert (record.status, record.error) == (TaskStatus.FAILED, "attempt 1")


async def test_a_task_that_waits_for_its_retry_gives_its_slot_back(clock):
    manager = TaskManager(clock=clock, max_concurrent_tasks=1)
    trail = Trail()

    async with manager:
        flaky = await manager.using(retries=1, delay=3600).enqueue(Flaky(1))
        await waits_for_retry(manager)
        await (await manager.enqueue(trail.mark_async, "other")).result(5)
        clock.advance(3600)
        assert await flaky.result(5) == "worked"

    assert trail == ["other"]


async def test_a_coroutine_is_ended_at_its_timeout(manager):
    trail = Trail()

    async def slow():
        try:
            await asyncio.Event().wait()
        finally:
            trail.mark("cleaned up")

    async with manager:
        task = await manager.using(timeout=0.05).enqueue(slow)
        record = await ended(manager, task.id)

    assert trail == ["cleaned up"]
    assert record.status is TaskStatus.FAILED
    assert "timeout of 0.05 s" in str(record.error)


async def test_the_timeout_holds_for_each_attempt_and_is_retried_as_a_failure(manager):
    attempts = []

    async def slow_once():
        attempts.append(1)
        if len(attempts) == 1:
            await asyncio.Event().wait()

    async with manager:
        task = await manager.using(timeout=0.05, retries=1).enqueue(slow_once)
        record = await ended(manager, task.id)

    assert (record.status, record.attempts) == (TaskStatus.SUCCESS, 2)


async def test_a_timeout_error_of_the_body_itself_is_an_ordinary_failure(manager):
    async def raises():
        raise TimeoutError("the mail server did not answer")

    async with manager:
        record = await ended(manager, (await manager.using(timeout=5).enqueue(raises)).id)

    assert record.error == "the mail server did not answer"


async def test_a_thread_over_its_timeout_is_reported_and_fails_when_its_body_ends(manager):
    release, asked = threading.Event(), []

    def slow():
        release.wait(20)
        asked.append(cancelled())

    async with manager:
        with captured_log("outlive.task") as lines:
            task = await manager.using(timeout=0.05).enqueue(slow)
            await until(lambda: any("over its timeout" in line.getMessage() for line in lines))
        assert (await record_of(manager, task.id)).status is TaskStatus.RUNNING
        release.set()
        record = await ended(manager, task.id)

    assert asked == [True], "cancelled() told the body"
    assert (record.status, record.attempts) == (TaskStatus.FAILED, 1)
    assert "timeout of 0.05 s" in str(record.error)


async def test_a_thread_over_its_timeout_is_not_retried_while_it_still_runs(manager):
    release, at_once = threading.Event(), []
    running = []

    def slow():
        running.append(1)
        at_once.append(len(running))
        release.wait(20)
        running.pop()

    async with manager:
        with captured_log("outlive.task") as lines:
            task = await manager.using(timeout=0.02, retries=1).enqueue(slow)
            await until(lambda: any("over its timeout" in line.getMessage() for line in lines))
        release.set()
        record = await ended(manager, task.id)

    assert record.attempts == 2
    assert at_once == [1, 1]
