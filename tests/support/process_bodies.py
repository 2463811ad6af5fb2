"""Bodies of tasks that run in worker processes, which import them from here."""

import asyncio
import os
import sys
import time
from pathlib import Path

from outlive import get_task_context, task_log


class CustomError(Exception):
    """One that can be pickled, but not read again."""

    def __init__(self, first: str, second: str) -> None:
        super().__init__(f"{first} {second}")


def add(a: int, b: int) -> int:
    return a + b


async def add_async(a: int, b: int) -> int:
    await asyncio.sleep(0)  # noqa: TID251 - a coroutine function that awaits something
    return a + b


def pid() -> int:
    return os.getpid()


def fails(word: str) -> None:
    raise KeyError(word)


def fails_unreadably() -> None:
    raise CustomError("not", "readable")


def gives_a_function() -> object:
    return lambda: None


def exits(code: int) -> None:
    sys.exit(code)


def dies(number: int) -> None:
    os.kill(os.getpid(), number)


def vanishes(code: int) -> None:
    os._exit(code)


def says(path: str) -> str:
    context = get_task_context()
    assert context is not None
    task_log("half way", attempt=context.attempt, **context.tags)
    _wait_for(path)
    return context.task_id


def works(seconds: float) -> None:
    time.sleep(seconds)  # noqa: TID251 - long work


def waits(path: str) -> int:
    Path(path).write_text(str(os.getpid()))
    _wait_for(f"{path}.go")
    return os.getpid()


async def waits_async(path: str) -> int:
    return waits(path)


def _wait_for(path: str) -> None:
    while not Path(path).exists():
        time.sleep(0.002)  # noqa: TID251 - long work
