"""One process of a fleet: python fleet_child.py URL FOLDER. It does what the lines on its stdin say, until they end.

`fill N` accepts tasks until all processes together have accepted N; `keys KEY` asks with one key from many threads;
`run NAME SECONDS` accepts one. What happens is written to files by the process that does it, before and after it does.
"""

import asyncio
import json
import os
import sys
from pathlib import Path
from typing import Any

from outlive import OutliveError, TaskManager
from outlive.definitions.context import get_task_context

THREADS = 8
WRITERS = 16

url, folder = sys.argv[1], Path(sys.argv[2])
manager = TaskManager(url, lease=3.0, poll_interval=0.3, max_concurrent_tasks=8, shutdown_grace=1.0)


def write(name: str, *words: object) -> None:
    """One line, whole, whoever else writes."""
    with (folder / name).open("ab", buffering=0) as file:
        file.write((" ".join(map(str, words)) + "\n").encode())


def said(name: str) -> int:
    path = folder / name
    return path.read_bytes().count(b"\n") if path.exists() else 0


async def body(seconds: float) -> None:
    context = get_task_context()
    assert context is not None
    write("begun", context.task_id, os.getpid())
    await asyncio.sleep(seconds)  # noqa: TID251 - long work
    write("ended", context.task_id, os.getpid())


@manager.task(name="once")
async def once(seconds: float) -> None:
    await body(seconds)


@manager.task(name="again", requeue_on_interrupt=True)
async def again(seconds: float) -> None:
    await body(seconds)


async def fill(count: int) -> None:
    async def writer() -> None:
        number = 0
        while said("accepted") < count:
            number += 1
            task, name = (once, "once") if number % 2 else (again, "again")
            try:
                accepted = await manager.enqueue(task, 0.02)
            except OutliveError:  # told so: nothing is promised
                await asyncio.sleep(0.05)  # noqa: TID251 - a client that comes back
                continue
            write("accepted", accepted.id, name)

    await asyncio.gather(*(writer() for _ in range(WRITERS)))


def ask_with(key: str) -> str:
    return manager.using(idempotency_key=key).enqueue_sync(once, 0.0).id


async def ask(key: str) -> list[str]:
    return list(await asyncio.gather(*(asyncio.to_thread(ask_with, key) for _ in range(THREADS))))


async def follow(words: list[str]) -> Any:
    match words:
        case ["fill", count]:
            return await fill(int(count))
        case ["keys", key]:
            return await ask(key)
        case ["run", name, seconds]:
            return (await manager.enqueue({"once": once, "again": again}[name], float(seconds))).id
    raise ValueError(words)


async def main() -> None:
    async with manager:
        sys.stdout.write("ready\n")
        sys.stdout.flush()
        while line := (await asyncio.to_thread(sys.stdin.readline)).split():
            sys.stdout.write(json.dumps(await follow(line)) + "\n")
            sys.stdout.flush()


asyncio.run(main())
