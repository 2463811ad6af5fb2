"""The samples of grelmicro's page on tasks that need no lock, with another import line."""

import pytest
from support.samples import Page
from support.waiting import until

from outlive import TaskManager
from outlive.testing import ManualClock

INTERVAL = """
from outlive import TaskManager

task = TaskManager()


@task.interval(seconds=5)
async def my_task():
    print("Hello, World!")
"""
ON_A_ROUTER = """
from outlive import TaskRouter

task = TaskRouter()


@task.interval(seconds=5)
async def my_task():
    print("Hello, World!")
"""
INCLUDED = """
from outlive import TaskManager

task = TaskManager()
task.include_router(router)
"""


def with_a_router() -> Page:
    page = Page().run(ON_A_ROUTER)
    page.names["router"] = page.names["task"]
    return page.run(INCLUDED)


@pytest.mark.parametrize("page", [lambda: Page().run(INTERVAL), with_a_router], ids=["manager", "router"])
async def test_an_interval_says_hello_at_its_start_and_again_while_time_goes_on(page):
    ready, clock = page(), ManualClock()
    manager: TaskManager = ready.names["task"]
    manager._clock = clock

    async with manager:
        await until(lambda: ready.said == ["Hello, World!"])

        def has_said_it_again() -> bool:
            clock.advance(1)
            return len(ready.said) >= 3

        await until(has_said_it_again)

    assert set(ready.said) == {"Hello, World!"}
