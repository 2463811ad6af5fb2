"""FastStream on Redis or Valkey: a message is accepted as a task, which is retried and recorded.

    faststream run faststream_app:app

A handler that returns has acknowledged its message. It does so as soon as the task is durable, and the work goes on
without it.
"""

import os
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Annotated

from fast_depends import Depends
from faststream import FastStream
from faststream.redis import RedisBroker

from outlive import TaskManager, task_log

manager = TaskManager("sqlite:///tasks.db")
broker = RedisBroker(os.environ.get("REDIS_URL", "redis://localhost:6379"))


@asynccontextmanager
async def lifespan() -> AsyncGenerator[None]:
    """The manager starts before the broker and stops after it."""
    async with manager:
        yield


app = FastStream(broker, lifespan=lifespan)


def prices() -> dict[str, int]:
    """A dependency of the handler and of the task alike."""
    return {"book": 12, "pen": 2}


@broker.subscriber("orders")
async def order(name: str, known: Annotated[dict[str, int], Depends(prices)]) -> None:
    """Refuse what nobody sells, accept the rest."""
    if name in known:
        await manager.enqueue(bill, name)


@manager.task(retries=3, delay=1.0)
async def bill(name: str, known: dict[str, int] = Depends(prices)) -> None:
    """Tell others of it, by the same broker."""
    task_log(f"billing {known[name]} for a {name}")
    await broker.publish(known[name], "bills")
