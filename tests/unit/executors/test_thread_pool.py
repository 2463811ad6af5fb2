"""How many threads there are for plain functions."""

import asyncio
import threading

from outlive import TaskManager


async def test_tasks_that_follow_each_other_share_one_thread():
    manager, threads = TaskManager(), []

    @manager.task()
    def body() -> None:
        threads.append(threading.get_ident())

    async with manager:
        for _ in range(200):
            await (await manager.enqueue(body)).result(5)

    assert len(threads) == 200
    assert len(set(threads)) == 1


async def test_tasks_at_the_same_time_have_a_thread_each():
    manager, together = TaskManager(), threading.Barrier(5, timeout=10)

    @manager.task()
    def body() -> int:
        together.wait()
        return threading.get_ident()

    async with manager:
        tasks = [await manager.enqueue(body) for _ in range(5)]
        idents = await asyncio.gather(*[task.result(10) for task in tasks])

    assert len(set(idents)) == 5
