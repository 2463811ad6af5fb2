"""One process of several that are asked with the same idempotency keys; reads a key per line, prints its ids."""

import asyncio
import json
import sys

import httpx
from fastapi import FastAPI

from outlive import TaskManager, Tasks

THREADS = 8

manager = TaskManager(sys.argv[1])
app = FastAPI()
manager.init_app(app)


@manager.task(name="order")
async def order(key: str) -> None:
    pass


@app.get("/{key}")
def endpoint(key: str, tasks: Tasks) -> str:
    return tasks.add_task(order, key, idempotency_key=key)


async def main() -> None:
    transport = httpx.ASGITransport(app)
    async with app.router.lifespan_context(app), httpx.AsyncClient(transport=transport, base_url="http://x") as client:
        while key := (await asyncio.to_thread(sys.stdin.readline)).strip():
            answers = await asyncio.gather(*(client.get(f"/{key}") for _ in range(THREADS)))
            sys.stdout.write(json.dumps([answer.json() for answer in answers]) + "\n")
            sys.stdout.flush()


asyncio.run(main())
