"""fastapi-taskflow's schedules, in memory."""

from fastapi_taskflow import TaskManager

from benchmarks.peers.bursts import Starts


async def burst(count: int) -> float:
    """Microseconds a fire."""
    starts, manager = Starts(count), TaskManager()
    for serial in range(count):

        async def body() -> None:
            await starts.body()

        body.__name__ = f"body_{serial}"
        manager.schedule(every=2.0, name=f"burst {serial}")(body)
    await manager.startup()
    try:
        return await starts.each()
    finally:
        await manager.shutdown()
