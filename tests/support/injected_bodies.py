"""Bodies with dependencies that run in worker processes, which import them from here."""
# ruff: noqa: B008 - the marker is the default

import os
from collections.abc import AsyncGenerator, Generator
from typing import Annotated

from fastapi import Depends

from outlive import task_log

PARENT = os.getppid()


def plain_resource() -> Generator[list[str]]:
    try:
        yield ["opened"]
    except BaseException as error:
        task_log(f"saw {error!r}")
        raise
    finally:
        task_log("closed")


async def async_resource() -> AsyncGenerator[list[str]]:
    try:
        yield ["opened"]
    except BaseException as error:
        task_log(f"saw {error!r}")
        raise
    finally:
        task_log("closed")


def place() -> int:
    return os.getpid()


def another_place() -> int:
    return 0


def with_plain(number: int, steps=Depends(plain_resource), pid=Depends(place)):
    return _work(number, steps, pid)


def with_async(number: int, steps: Annotated[list[str], Depends(async_resource)], pid=Depends(place)):
    return _work(number, steps, pid)


async def coroutine(number: int, pid=Depends(place), *, steps=Depends(async_resource)):
    return _work(number, steps, pid)


def _work(number, steps, pid):
    if number < 0:
        raise ValueError("negative")
    steps.append(f"body {number}")
    return pid != os.getpid(), steps


def which_place(pid: Annotated[int, Depends(place)]):
    return pid
