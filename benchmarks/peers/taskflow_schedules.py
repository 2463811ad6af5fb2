"""fastapi-taskflow's schedules, in memory."""

import time

from fastapi_taskflow import TaskManager

from benchmarks.peers.bursts import Starts

EVERY = 2.0


async def burst(count: int) -> float:
    """Microseconds a fire."""
    starts, manager = Starts(count), TaskManager()
    for serial in range(count):

        async def body() -> None:
            await starts.body()

        body.__name__ = f"body_{serial}"
        manager.schedule(every=EVERY, name=f"burst {serial}")(body)
    due = time.time() + EVERY
    await manager.startup()
    try:
        return await starts.each(due)
    finally:
        await manager.shutdown()
