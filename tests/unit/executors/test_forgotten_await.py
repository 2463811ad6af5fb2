from functools import wraps

import pytest

from outlive import TaskFailed, TaskManager


async def send(to: str): ...


@wraps(send)
def decorated_without_await(to: str):
    return send(to)


@pytest.mark.parametrize("func", [lambda to: send(to.strip()), decorated_without_await], ids=["lambda", "decorated"])
async def test_a_plain_function_that_gives_back_a_coroutine_has_not_done_its_work(manager: TaskManager, func):
    async with manager:
        task = await manager.enqueue(func, "ada@example.com")
        with pytest.raises(TaskFailed, match=r"gave back the coroutine send\(\) instead of running it"):
            await task.result()

    assert task.status == "failed"
