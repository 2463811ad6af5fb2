"""An application whose task runs in a worker process: python workers_child.py DATABASE FILE.

The body writes the id of its process into the file and goes on for ever. When the application is told so on stdin, it
ends without shutting its manager down.
"""

import asyncio
import os
import sys
import threading
from pathlib import Path

from outlive import TaskManager

manager = TaskManager(f"sqlite:///{sys.argv[1]}")


@manager.task(executor="process")
def work(path: str) -> None:
    Path(path).write_text(str(os.getpid()))
    threading.Event().wait()


async def main() -> None:
    await manager.startup()
    await manager.enqueue(work, sys.argv[2])
    await asyncio.to_thread(sys.stdin.readline)


if __name__ == "__main__":
    asyncio.run(main())
