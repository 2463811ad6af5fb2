"""A plain script: the same tasks, without any server.

What one run could not finish, the next one does.
"""

import asyncio
import sys
from collections.abc import Generator
from pathlib import Path
from typing import TextIO

from fastapi import Depends

from outlive import TaskManager, task_log

manager = TaskManager("sqlite:///tasks.db")


def report() -> Generator[TextIO]:
    """What the task writes into; it is closed when the attempt is over."""
    with Path("report.txt").open("a", encoding="utf-8") as file:
        yield file


@manager.task(retries=3, delay=1.0)
def count_words(text: str, file: TextIO = Depends(report)) -> int:
    """Count, log and report."""
    count = len(text.split())
    task_log(f"{count} words")
    file.write(f"{text!r} has {count} words\n")
    return count


async def main(text: str) -> None:
    """Accept a run, which is durable then, and wait for its result."""
    async with manager:
        task = await manager.enqueue(count_words, text)
        print(await task.result(timeout=10))


if __name__ == "__main__":
    asyncio.run(main(" ".join(sys.argv[1:]) or "nothing was said"))
