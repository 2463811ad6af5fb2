"""Nothing blocks the event loop: every wait for a file, a lock or a thread happens elsewhere."""

import asyncio
from collections.abc import Iterator

import pytest
from blockbuster import BlockBuster, BlockingError, blockbuster_ctx
from fastapi import FastAPI
from support.recording import Gate
from support.serving import Exchange
from support.waiting import ended, turns, until

from outlive import TaskManager, Tasks, TaskStatus, task_log


@pytest.fixture
def watched() -> Iterator[BlockBuster]:
    """Blocking calls on the event loop that come from the library raise `BlockingError`."""
    with blockbuster_ctx("outlive") as blockbuster:
        yield blockbuster


async def test_the_watch_would_notice(watched, tmp_path):
    manager = TaskManager()

    async def blocks():
        (tmp_path / "file").write_text("x")

    async with manager:
        record = await ended(manager, (await manager.enqueue(blocks)).id)

    assert BlockingError.__name__ in str(record.stacktrace)


async def test_a_whole_life_on_sqlite_never_blocks_the_event_loop(watched, tmp_path):
    manager = TaskManager(str(tmp_path / "tasks.db"), retention_days=30, shutdown_grace=0.05)
    app, gate, ids = FastAPI(), Gate(), []
    manager.init_app(app)

    @manager.task(retries=1)
    async def flaky(number: int) -> None:
        task_log("here", number=number)
        if number % 2:
            raise OSError(f"odd: {number}")

    @manager.task()
    def plain(number: int) -> None:
        task_log("in a thread", number=number)

    @app.get("/")
    async def endpoint(tasks: Tasks):
        for number in range(4):
            ids.append(tasks.schedule(flaky, number).id)
            ids.append(tasks.after_route.schedule(plain, number).id)
            ids.append(tasks.add_task(flaky, number))

    async with app.router.lifespan_context(app):
        for _ in range(3):
            assert (await Exchange(app).run()).status == 200
        records = [await ended(manager, task_id) for task_id in ids]
        listed = await manager.merged_list()
        counts = await manager.counts()
        await manager.requeue(ids[0])
        await until(lambda: len(manager.store) == 0)
        later = await manager.using(run_in=3600).enqueue(flaky, 2)
        assert await manager.cancel(later.id)
        await manager.enqueue(gate.wait)
        await gate.entered.wait()

    assert len(listed) == len(ids) == 36
    assert {record.status for record in records} == {TaskStatus.SUCCESS, TaskStatus.FAILED}
    assert sum(counts.values()) == len(ids)


async def test_a_second_start_on_records_of_the_first_never_blocks_either(watched, tmp_path):
    async def life():
        manager, ran = TaskManager(str(tmp_path / "tasks.db")), []

        @manager.task(name="work")
        async def work(number: int) -> None:
            ran.append(number)

        async with manager:
            await manager.using(run_in=0.01).enqueue(work, 1)
            await until(lambda: ran)
            await manager.enqueue_many(work, [[number] for number in range(50)])

    await life()
    await life()


async def test_many_calls_at_once_let_others_have_their_turns_between(manager):
    ran = []

    @manager.task()
    async def body(number: int) -> None:
        ran.append(number)

    async with manager:
        accepting = asyncio.create_task(manager.enqueue_many(body, [[number] for number in range(3000)]))
        others = 0
        while not accepting.done():
            await turns(1)
            others += 1
        await until(lambda: len(ran) == 3000)

    assert others > 6, "at most 500 calls are dealt with in one turn"
    assert all(task.is_durable for task in await accepting)
    assert sorted(ran) == list(range(3000))


async def test_many_calls_are_refused_together_though_the_last_is_wrong(manager):
    @manager.task()
    async def body(number: int) -> None:
        pass

    async with manager:
        with pytest.raises(TypeError, match="too many"):
            await manager.enqueue_many(body, [*([number] for number in range(1200)), [1, 2]])

        assert len(manager.store) == 0
        assert not any((await manager.counts()).values())
