"""The loop of the background services."""

import asyncio
import os

import pytest
from support.waiting import turns, until

from outlive.core.events import ServiceFailed
from outlive.definitions.registry import TaskRegistry
from outlive.ports import Instance
from outlive.runtime.process import Limits, Process
from outlive.runtime.service import Service
from outlive.runtime.store import TaskStore


class Counting(Service):
    def __init__(self, process, interval=None):
        super().__init__(process, interval)
        self.steps = 0
        self.error = None

    async def step(self):
        self.steps += 1
        if self.error is not None:
            raise self.error


@pytest.fixture
def events():
    return []


@pytest.fixture
def process(clock, events):
    instance = Instance("me", "host", os.getpid(), clock.now())
    return Process(instance, TaskRegistry(), TaskStore(), clock, events.append, Limits(), persists=True)


async def test_a_service_steps_at_once_and_then_after_each_interval(process, clock):
    service = Counting(process, interval=10)
    service.start()
    await until(lambda: service.steps == 1)
    for number in range(2, 5):
        clock.advance(10)
        await until(lambda: service.steps == number)  # noqa: B023 - called at once
    await service.stop()


async def test_a_service_without_interval_steps_only_when_woken(process, clock):
    service = Counting(process)
    service.start()
    await until(lambda: service.steps == 1)
    clock.advance(3600)
    await turns()
    assert service.steps == 1
    service.wake()
    await until(lambda: service.steps == 2)
    await service.stop()


async def test_a_step_that_raises_is_reported_and_tried_again(process, clock, events):
    service = Counting(process)
    service.error = OSError("no connection")
    service.start()
    await until(lambda: service.steps == 1)
    await turns()
    clock.advance(1)
    await until(lambda: service.steps == 2)
    service.error = None
    await turns()
    clock.advance(1)
    await until(lambda: service.steps == 3)
    await service.stop()

    assert [type(event) for event in events] == [ServiceFailed] * 2
    assert events[0].service == "Counting"


async def test_a_wake_during_a_step_is_not_lost(process):
    inside, go_on = asyncio.Event(), asyncio.Event()

    class Slow(Counting):
        async def step(self):
            await super().step()
            inside.set()
            await go_on.wait()

    service = Slow(process)
    service.start()
    await inside.wait()
    service.wake()
    go_on.set()
    await until(lambda: service.steps == 2)
    await service.stop()


async def test_a_stopped_service_makes_no_more_steps(process, clock):
    service = Counting(process, interval=1)
    service.start()
    await until(lambda: service.steps == 1)
    await service.stop()
    clock.advance(100)
    await turns()
    assert service.steps == 1
    await service.stop()
