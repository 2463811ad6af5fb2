"""Bodies of tasks that run in worker processes, which import them from here."""

import asyncio
import os
import resource
import subprocess
import sys
import time
from pathlib import Path

from outlive import get_task_context, progress, task_log


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


def starts_a_program(path: str, *, ends: bool) -> None:
    program = subprocess.Popen([sys.executable, "-c", "import threading; threading.Event().wait()"])
    Path(path).write_text(str(program.pid))
    if not ends:
        program.wait()


def asks_for_more_than_its_limit(megabytes: int) -> None:
    _, hard = resource.getrlimit(resource.RLIMIT_AS)
    used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (used + megabytes * 500_000, hard))
    try:
        bytearray(megabytes * 1_000_000)
    finally:
        resource.setrlimit(resource.RLIMIT_AS, (hard, hard))


def fills_memory(path: str) -> None:
    Path(path).write_text(str(os.getpid()))
    held = []
    while True:
        held.append(os.urandom(1_000_000))
        time.sleep(0.001)  # noqa: TID251 - as fast as a machine that others use can bear


async def waits_async(path: str) -> int:
    return waits(path)


def _wait_for(path: str) -> None:
    while not Path(path).exists():
        time.sleep(0.002)  # noqa: TID251 - long work


def says_more() -> None:
    task_log("said", n=1, thing={1})


def say_token() -> None:
    context = get_task_context()
    assert context is not None
    task_log(str(context.fencing_token))


def count_to(end: int) -> int:
    for number in range(1, end + 1):
        progress(number, end, f"number {number}")
    return end
