"""What dependencies have opened is closed when the attempt is over, however it ended, and they see how."""
# ruff: noqa: B008 - the marker is the default

import asyncio
import threading
from contextlib import suppress

import anyio
import pytest
from fastapi import Depends
from support.recording import Gate, Trail
from support.waiting import ended, turns, until

from outlive import TaskManager, TaskStatus, cancelled


@pytest.fixture
def trail():
    return Trail()


@pytest.fixture(params=["generator", "async generator"])
def resource(request, trail):
    """A dependency that leaves a trail of what it sees."""

    def plain():
        trail.mark("opened")
        try:
            yield "resource"
        except BaseException as error:
            trail.mark(f"saw {type(error).__name__}")
            raise
        finally:
            trail.mark("closed")

    async def coroutine():
        trail.mark("opened")
        try:
            yield "resource"
        except BaseException as error:
            trail.mark(f"saw {type(error).__name__}")
            raise
        finally:
            trail.mark("closed")

    return plain if request.param == "generator" else coroutine


@pytest.fixture(params=["coroutine", "plain"])
def fails(request, resource, trail):
    """A task whose body raises."""

    async def coroutine(error: type[BaseException], given=Depends(resource)):
        trail.mark("body")
        raise error

    def plain(error: type[BaseException], given=Depends(resource)):
        trail.mark("body")
        raise error

    return coroutine if request.param == "coroutine" else plain


@pytest.mark.parametrize("error", [ValueError, SystemExit, asyncio.CancelledError])
async def test_when_the_body_fails(manager, trail, fails, error):
    async with manager:
        record = await ended(manager, (await manager.enqueue(fails, error)).id)

    assert record.status is TaskStatus.FAILED
    assert trail == ["opened", "body", f"saw {error.__name__}", "closed"]
    *_, raised, kind = record.stacktrace.splitlines()
    assert raised.strip() == "raise error"
    assert error.__name__ in kind


async def test_when_a_coroutine_is_cancelled(manager, trail, resource):
    gate = Gate()

    async def body(given=Depends(resource)):
        await gate.wait()

    async with manager:
        task = await manager.enqueue(body)
        await gate.entered.wait()
        assert await task.cancel()
        record = await ended(manager, task.id)

    assert record.status is TaskStatus.CANCELLED
    assert trail == ["opened", "saw CancelledError", "closed"]


async def test_when_a_coroutine_is_over_its_timeout(manager, trail, resource):
    async def body(given=Depends(resource)):
        await asyncio.Event().wait()

    async with manager:
        task = await manager.using(timeout=0.05).enqueue(body)
        record = await ended(manager, task.id)

    assert record.error == "the attempt took longer than its timeout of 0.05 s"
    assert trail == ["opened", "saw CancelledError", "closed"]


@pytest.mark.parametrize("end", ["cancel", "timeout"])
async def test_when_a_thread_is_asked_to_end(manager, trail, resource, end):
    begun = threading.Event()

    def body(given=Depends(resource)):
        begun.set()
        asked = threading.Event()
        while not cancelled():
            asked.wait(0.005)
        raise InterruptedError

    async with manager:
        task = await manager.using(timeout=0.05 if end == "timeout" else None).enqueue(body)
        await until(begun.is_set)
        if end == "cancel":
            await task.cancel()
        record = await ended(manager, task.id)

    assert record.status is (TaskStatus.CANCELLED if end == "cancel" else TaskStatus.FAILED)
    assert trail == ["opened", "saw InterruptedError", "closed"]


async def test_when_the_manager_shuts_down(trail, resource):
    manager, gate = TaskManager(shutdown_grace=0.01), Gate()

    async def body(given=Depends(resource)):
        await gate.wait()

    async with manager:
        await manager.enqueue(body)
        await gate.entered.wait()

    assert trail == ["opened", "saw CancelledError", "closed"]


async def test_when_a_later_dependency_fails(manager, trail, resource):
    def broken(given=Depends(resource)):
        raise LookupError("nothing there")

    async def coroutine(given=Depends(resource), other=Depends(broken)):
        trail.mark("body")

    def plain(given=Depends(resource), other=Depends(broken)):
        trail.mark("body")

    async with manager:
        for body in (coroutine, plain):
            record = await ended(manager, (await manager.enqueue(body)).id)
            assert (record.status, record.error) == (TaskStatus.FAILED, "nothing there")

    assert trail == ["opened", "saw LookupError", "closed"] * 2


async def test_closing_belongs_to_the_attempt(manager):
    async def commits():
        yield
        raise OSError("could not commit")

    def commits_too():
        yield
        raise OSError("could not commit")

    async def coroutine(session=Depends(commits)): ...

    def plain(session=Depends(commits_too)): ...

    def mixed(session=Depends(commits)): ...

    async with manager:
        for body in (coroutine, plain, mixed):
            record = await ended(manager, (await manager.enqueue(body)).id)
            assert (record.status, record.error) == (TaskStatus.FAILED, "could not commit")


async def test_the_opposite_order_of_opening(manager, trail):
    async def first():
        trail.mark("first")
        yield
        trail.mark("first closed")

    def second(given=Depends(first)):
        trail.mark("second")
        yield
        trail.mark("second closed")

    async def coroutine(b=Depends(second), a=Depends(first)):
        trail.mark("body")

    def plain(b=Depends(second), a=Depends(first)):
        trail.mark("body")

    async with manager:
        for body in (coroutine, plain):
            await (await manager.enqueue(body)).result(10)

    assert trail == ["first", "second", "body", "second closed", "first closed"] * 2


async def test_a_dependency_that_keeps_an_error_to_itself_does_not_make_a_success_of_it(manager, trail):
    def outer():
        try:
            yield
        except ValueError:
            trail.mark("outer saw it")

    async def inner(given=Depends(outer)):
        with suppress(ValueError):
            yield

    def plain_inner(given=Depends(outer)):
        with suppress(ValueError):
            yield

    async def coroutine(given=Depends(inner)):
        raise ValueError("broken")

    def plain(given=Depends(plain_inner)):
        raise ValueError("broken")

    def mixed(given=Depends(inner)):
        raise ValueError("broken")

    async with manager:
        for body in (coroutine, plain, mixed):
            record = await ended(manager, (await manager.enqueue(body)).id)
            assert (record.status, record.error) == (TaskStatus.FAILED, "broken")
    assert trail == ["outer saw it"] * 3


async def test_a_cancel_while_a_thread_opens_waits_for_it_and_closes(manager, trail):
    opening, go_on = threading.Event(), threading.Event()

    def slow():
        opening.set()
        go_on.wait(10)
        trail.mark("opened")
        try:
            yield
        except BaseException as error:
            trail.mark(f"saw {type(error).__name__}")
            raise
        finally:
            trail.mark("closed")

    async def body(given=Depends(slow)):
        trail.mark("body")

    async with manager:
        task = await manager.enqueue(body)
        await until(opening.is_set)
        await task.cancel()
        await task.cancel()
        await turns()
        assert task.status is TaskStatus.RUNNING
        go_on.set()
        record = await ended(manager, task.id)

    assert record.status is TaskStatus.CANCELLED
    assert trail == ["opened", "saw CancelledError", "closed"]


async def test_a_cancel_while_a_thread_computes_waits_for_it(manager, trail):
    computing, go_on = threading.Event(), threading.Event()

    def slow():
        computing.set()
        go_on.wait(10)
        trail.mark("computed")

    async def body(given=Depends(slow)):
        trail.mark("body")

    async with manager:
        task = await manager.enqueue(body)
        await until(computing.is_set)
        await task.cancel()
        await turns()
        assert task.status is TaskStatus.RUNNING
        go_on.set()
        record = await ended(manager, task.id)

    assert (record.status, trail) == (TaskStatus.CANCELLED, ["computed"])


@pytest.mark.parametrize("is_async", [True, False], ids=["coroutine", "plain"])
async def test_a_dependency_may_hold_what_belongs_to_one_asyncio_task(manager, trail, is_async):
    async def group():
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(trail.mark_async, "in the group")
            yield tasks

    async def coroutine(given=Depends(group)):
        return "done"

    def plain(given=Depends(group)):
        return "done"

    async with manager:
        assert await (await manager.enqueue(coroutine if is_async else plain)).result(10) == "done"
    assert trail == ["in the group"]


async def test_as_many_tasks_as_there_are_threads_for_dependencies_can_still_close(manager):
    """The threads may all wait for what only closing sets free."""
    room = threading.Semaphore(1)

    def from_a_pool():
        room.acquire()
        try:
            yield
        finally:
            room.release()

    async def body(given=Depends(from_a_pool)):
        await turns(2)

    async with manager:
        tasks = await manager.enqueue_many(body, [[]] * 60)
        for task in tasks:
            await task.result(20)


async def test_system_exit_in_a_dependency_is_the_failure_of_its_attempt(manager):
    def leaves():
        raise SystemExit(3)

    async def leaves_async():
        raise SystemExit(3)

    async def coroutine(given=Depends(leaves)): ...

    def plain(given=Depends(leaves)): ...

    def mixed(given=Depends(leaves_async)): ...

    async with manager:
        for body in (coroutine, plain, mixed):
            record = await ended(manager, (await manager.enqueue(body)).id)
            assert (record.status, record.error) == (TaskStatus.FAILED, "3")
