"""Locks of other systems, one case per process: `python lock_peers.py CASE FOLDER`; a line in, a figure as JSON out.

It runs in an environment without outlive. Cases that end in `pair` give the microseconds of one uncontended acquire and
release, those in `contended` the 99th percentile of waits in milliseconds, those in `crowd` the time of many waiters
over as many times what each holds. The folder says where the servers are.
"""

import asyncio
import json
import os
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any

PAIRS, WAITERS, HOLD = 200, 12, 0.01
CONTENDERS, WAITS, SHORT_HOLD = 8, 20, 0.001

MakeLock = Callable[[], AbstractAsyncContextManager[Any]]


@asynccontextmanager
async def grelmicro_memory(_folder: Path) -> AsyncIterator[MakeLock]:
    """Its memory backend."""
    from grelmicro.sync import Lock
    from grelmicro.sync.memory import MemorySyncBackend

    async with MemorySyncBackend() as backend:
        yield lambda: Lock("bench", backend=backend)


@asynccontextmanager
async def grelmicro_sqlite(folder: Path) -> AsyncIterator[MakeLock]:
    """Its SQLite backend."""
    from grelmicro.sync import Lock
    from grelmicro.sync.sqlite import SQLiteSyncBackend

    async with SQLiteSyncBackend(str(folder / f"grelmicro-{os.getpid()}.db")) as backend:
        yield lambda: Lock("bench", backend=backend)


@asynccontextmanager
async def grelmicro_postgres(folder: Path) -> AsyncIterator[MakeLock]:
    """Its PostgreSQL backend."""
    from grelmicro.sync import Lock
    from grelmicro.sync.postgres import PostgresSyncBackend

    async with PostgresSyncBackend((folder / "postgres").read_text()) as backend:
        yield lambda: Lock("bench", backend=backend)


@asynccontextmanager
async def grelmicro_redis(folder: Path) -> AsyncIterator[MakeLock]:
    """Its Redis backend."""
    from grelmicro.sync import Lock
    from grelmicro.sync.redis import RedisSyncBackend

    async with RedisSyncBackend((folder / "redis").read_text(), prefix="grelmicro:") as backend:
        yield lambda: Lock("bench", backend=backend)


@asynccontextmanager
async def redis_py(folder: Path) -> AsyncIterator[MakeLock]:
    """redis-py's asyncio lock."""
    import redis.asyncio

    client = redis.asyncio.from_url((folder / "redis").read_text())
    yield lambda: client.lock("bench", timeout=60)
    await client.aclose()


@asynccontextmanager
async def advisory(folder: Path) -> AsyncIterator[MakeLock]:
    """PostgreSQL's session locks through asyncpg, each holder on a connection of a pool."""
    import asyncpg

    pool = await asyncpg.create_pool((folder / "postgres").read_text(), min_size=1, max_size=WAITERS)

    @asynccontextmanager
    async def lock() -> AsyncIterator[None]:
        async with pool.acquire() as connection:
            await connection.execute("select pg_advisory_lock(42)")
            try:
                yield
            finally:
                await connection.execute("select pg_advisory_unlock(42)")

    yield lock
    await pool.close()


SYSTEMS = {
    "grelmicro-memory": grelmicro_memory,
    "grelmicro-sqlite": grelmicro_sqlite,
    "grelmicro-postgres": grelmicro_postgres,
    "grelmicro-redis": grelmicro_redis,
    "redis-py": redis_py,
    "advisory": advisory,
}


async def pair(make: MakeLock) -> float:
    """Microseconds of one acquire and release."""
    lock = make()
    begun = time.perf_counter()
    for _ in range(PAIRS):
        async with lock if hasattr(lock, "acquire") else make():
            pass
    return (time.perf_counter() - begun) / PAIRS * 1e6


async def contended(make: MakeLock) -> float:
    """The 99th percentile of the waits of a few, in milliseconds."""
    found: list[float] = []

    async def one() -> None:
        lock = make()
        for _ in range(WAITS):
            asked = time.perf_counter()
            async with lock if hasattr(lock, "acquire") else make():
                found.append((time.perf_counter() - asked) * 1e3)
                await asyncio.sleep(SHORT_HOLD)

    await asyncio.gather(*[one() for _ in range(CONTENDERS)])
    return sorted(found)[int(len(found) * 0.99)]


async def crowd(make: MakeLock) -> float:
    """How many times the ideal it takes until all have had it."""

    async def one() -> None:
        async with make():
            await asyncio.sleep(HOLD)

    begun = time.perf_counter()
    await asyncio.gather(*[one() for _ in range(WAITERS)])
    return (time.perf_counter() - begun) / (WAITERS * HOLD)


async def main(case: str, folder: Path) -> None:
    """Answer each line with a sample."""
    system, _, kind = case.partition(" ")
    measure: Callable[[MakeLock], Awaitable[float]] = {"pair": pair, "contended": contended, "crowd": crowd}[kind]
    async with SYSTEMS[system](folder) as make:
        await pair(make)  # the first ones connect and prepare
        print(json.dumps({"ready": True}), flush=True)
        while await asyncio.to_thread(sys.stdin.readline):
            print(json.dumps({"value": await measure(make)}), flush=True)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], Path(sys.argv[2])))
