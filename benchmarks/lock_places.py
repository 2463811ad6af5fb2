"""Where locks are measured: on each backend of outlive, and beside it the same by hand."""

import asyncio
import sqlite3
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractAsyncContextManager, asynccontextmanager, closing
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any
from uuid import uuid4

import asyncpg
from redis.asyncio import Redis

from benchmarks import raw
from outlive import MemoryBackend, PostgresBackend, SqliteBackend
from outlive.backends.redis import RedisBackend
from outlive.ports import Backend

#: Something to acquire with `async with`, again and again.
ByHand = Callable[[Path], AbstractAsyncContextManager["HandMade"]]

SQLITE = (
    "create table lease (key text primary key, holder text, fence integer, until real)",
    "create table fence (last integer)",
    "insert into fence values (0)",
)
SQLITE_TAKE = "insert into lease select ?, ?, last, ? from fence where not exists (select 1 from lease where key = ?)"

POSTGRES = """
create table lease (key text primary key, holder text, fence bigint, until timestamptz);
create sequence fence
"""
POSTGRES_TAKE = """
insert into lease values ('bench', 'me', nextval('fence'), now() + interval '60 s')
on conflict (key) do update set holder = excluded.holder, fence = excluded.fence, until = excluded.until
where lease.until < now() returning fence
"""

REDIS_DROP = "if redis.call('get', KEYS[1]) == ARGV[1] then return redis.call('del', KEYS[1]) end return 0"


@dataclass(frozen=True, slots=True)
class HandMade:
    """A lock of two statements."""

    take: Callable[[], Awaitable[Any]]
    drop: Callable[[], Awaitable[Any]]

    async def __aenter__(self) -> None:
        await self.take()

    async def __aexit__(self, *_: object) -> None:
        await self.drop()


@dataclass(frozen=True, slots=True)
class Place:
    """A backend under its name; `backends` makes, for a folder, a maker of backends that share what they keep."""

    name: str
    backends: Callable[[Path], Callable[[], Backend]]
    by_hand: dict[str, ByHand] = field(default_factory=dict[str, ByHand])


def memory() -> Place:
    """This process."""

    def backends(_: Path) -> Callable[[], Backend]:
        backend = MemoryBackend()
        return lambda: backend

    return Place("memory", backends)


def sqlite(synchronous: raw.Synchronous) -> Place:
    """A file, beside transactions in the event loop's thread and in one of their own."""

    def backends(folder: Path) -> Callable[[], Backend]:
        return lambda: SqliteBackend(folder / "locks.db", synchronous=synchronous)

    name = f"SQLite {synchronous}"
    by_hand: dict[str, ByHand] = {
        f"raw {name}, in the loop's thread": partial(_sqlite_by_hand, synchronous, None),
        f"raw {name}, in another thread": partial(_sqlite_by_hand, synchronous, ThreadPoolExecutor(1)),
    }
    return Place(name, backends, by_hand)


@asynccontextmanager
async def _sqlite_by_hand(
    synchronous: raw.Synchronous, thread: ThreadPoolExecutor | None, folder: Path
) -> AsyncIterator[HandMade]:
    with closing(raw.connect_existing(folder / "raw.db", synchronous)) as connection:
        for statement in SQLITE:
            connection.execute(statement)
        yield HandMade(_in(thread, partial(_take, connection)), _in(thread, partial(_drop, connection)))


def _in(thread: ThreadPoolExecutor | None, work: Callable[[], None]) -> Callable[[], Awaitable[None]]:
    async def here() -> None:
        work()

    async def there() -> None:
        await asyncio.get_running_loop().run_in_executor(thread, work)

    return here if thread is None else there


def _take(connection: sqlite3.Connection) -> None:
    connection.execute("begin immediate")
    connection.execute("update fence set last = last + 1")
    connection.execute(SQLITE_TAKE, ("bench", "me", time.time() + 60, "bench"))
    connection.execute("commit")


def _drop(connection: sqlite3.Connection) -> None:
    connection.execute("delete from lease where key = 'bench' and holder = 'me'")


def postgres(url: str) -> Place:
    """A server, beside two statements on one connection of asyncpg."""

    def backends(_: Path) -> Callable[[], Backend]:
        schema = f"s{uuid4().hex}"
        return lambda: PostgresBackend(url, schema=schema)

    return Place("PostgreSQL", backends, {"raw PostgreSQL": partial(_postgres_by_hand, url)})


@asynccontextmanager
async def _postgres_by_hand(url: str, _folder: Path) -> AsyncIterator[HandMade]:
    connection = await asyncpg.connect(url)
    schema = f"raw{uuid4().hex}"
    await connection.execute(f"create schema {schema}; set search_path = {schema}; {POSTGRES}")
    try:
        yield HandMade(
            lambda: connection.fetchval(POSTGRES_TAKE),
            lambda: connection.execute("delete from lease where key = $1 and holder = $2", "bench", "me"),
        )
    finally:
        await connection.close()


def redis(url: str) -> Place:
    """A server, beside `SET NX PX` and a script that compares and deletes."""

    def backends(_: Path) -> Callable[[], Backend]:
        prefix = uuid4().hex
        return lambda: RedisBackend(url, prefix)

    return Place("Redis", backends, {"raw Redis": partial(_redis_by_hand, url)})


@asynccontextmanager
async def _redis_by_hand(url: str, _folder: Path) -> AsyncIterator[HandMade]:
    async with Redis.from_url(url) as client:
        key, drop = uuid4().hex, client.register_script(REDIS_DROP)
        yield HandMade(lambda: client.set(key, "me", nx=True, px=60_000), lambda: drop(keys=[key], args=["me"]))
