"""An application of which several processes share one file and one schedule: `python ticking.py FILE`."""

import asyncio
import sys

from outlive import TaskManager

manager = TaskManager(sys.argv[1])


@manager.schedule(every=0.5, name="tick", misfire="all")
async def tick() -> None:
    """Nothing: what counts is its record."""


async def main() -> None:
    async with manager:
        sys.stdout.write("up\n")
        sys.stdout.flush()
        await asyncio.Event().wait()


asyncio.run(main())
