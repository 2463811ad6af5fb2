"""An application with a task that kills it: python deadly_child.py URL FILE.

The task writes into the file that it has begun. The application ends by itself once it does not repeat the task.
"""

import asyncio
import os
import signal
import sys
from pathlib import Path
from typing import Any

from outlive import TaskManager
from outlive.core.events import NotRepeated


async def main(url: str, file: Path) -> None:
    over = asyncio.Event()

    async def hear(event: Any) -> None:
        if isinstance(event, NotRepeated):
            over.set()

    manager = TaskManager(url, lease=0.5, poll_interval=0.05, loggers=[hear])

    @manager.task(name="deadly")
    async def deadly() -> None:
        with file.open("a") as lines:
            lines.write("begun\n")
        os.kill(os.getpid(), signal.SIGKILL)

    async with manager:
        await over.wait()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], Path(sys.argv[2])))
