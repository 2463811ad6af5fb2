"""An application whose task runs in a worker process: python workers_child.py DATABASE FILE.

The body writes the id of its process, and that of a program that it has started, into the file and goes on for ever.
When the application is told so on stdin, it forks a child that does nothing, and says on stdout which; told a second
time, it ends without shutting its manager down.
"""

import asyncio
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

from outlive import TaskManager

manager = TaskManager(f"sqlite:///{sys.argv[1]}")


@manager.task(executor="process")
def work(path: str) -> None:
    program = subprocess.Popen([sys.executable, "-c", "import threading; threading.Event().wait()"])
    Path(path).write_text(f"{os.getpid()} {program.pid}")
    threading.Event().wait()


def _obey() -> None:
    sys.stdin.readline()
    child = os.fork()
    if child == 0:
        signal.pause()
    sys.stdout.write(f"{child}\n")
    sys.stdout.flush()
    sys.stdin.readline()


async def main() -> None:
    await manager.startup()
    await manager.enqueue(work, sys.argv[2])
    await asyncio.to_thread(_obey)


if __name__ == "__main__":
    asyncio.run(main())
