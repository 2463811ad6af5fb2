"""grelmicro's intervals, which begin when they are started."""

from contextlib import AsyncExitStack

from grelmicro.task import TaskManager

from benchmarks.peers.bursts import Starts


async def burst(count: int) -> float:
    """Microseconds a fire."""
    starts, manager = Starts(count), TaskManager()
    for serial in range(count):
        manager.interval(seconds=30, name=f"burst {serial}")(starts.body)
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(manager)
        return await starts.each()
