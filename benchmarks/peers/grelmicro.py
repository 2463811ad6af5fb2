"""grelmicro's intervals, which begin when they are started."""

import time

from grelmicro.task import TaskManager

from benchmarks.peers.bursts import Starts

_running: list[Starts] = []


async def body() -> None:
    """What is due; it takes functions of a module alone."""
    await _running[-1].body()


async def burst(count: int) -> float:
    """Microseconds a fire."""
    _running.append(Starts(count))
    manager = TaskManager()
    for serial in range(count):
        manager.interval(seconds=30, name=f"burst {serial}")(body)
    due = time.time()
    async with manager:
        return await _running[-1].each(due)
