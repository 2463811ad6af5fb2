"""The least that schedules can cost: a heap, one timer, a task for each that is due."""

import asyncio
import heapq
import time
from collections.abc import Callable

from benchmarks.peers.bursts import Starts


async def burst(count: int) -> float:
    """Microseconds a fire."""
    starts, at = Starts(count), time.time() + 0.2
    due: list[tuple[float, int, Callable]] = [(at, serial, starts.body) for serial in range(count)]
    heapq.heapify(due)
    await asyncio.sleep(at - time.time())
    running = []
    while due and due[0][0] <= time.time():
        running.append(asyncio.create_task(heapq.heappop(due)[2]()))
    await asyncio.gather(*running)
    return await starts.each(at)
