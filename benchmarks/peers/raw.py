"""The driver alone: the rows and batches of outlive on the backend that the URL names, with no library around them."""

import asyncio
import time
from collections.abc import Sequence
from typing import Any
from uuid import uuid4

import asyncpg
from redis.asyncio import Redis

from benchmarks import raw as sqlite
from benchmarks import raw_postgres as postgres
from benchmarks.peers.adapter import FOLDER, URL, Client, command, stamp

BATCH = 200
_FREE = "create index bare_free on bare (run_at, id) where owner is null"
_CLAIM = (
    "update outlive_record set owner = 'me', status = 'running', started_at = ? "
    "where id in (select id from outlive_record where owner is null limit ?) returning id, arguments"
)
_SETTLE = "update outlive_record set status = 'success', ended_at = ? where id = ?"
_STREAM, _GROUP = "bench", "bench"
_ENTRY = {"id": str(uuid4()), "func": "bench:stamp", "arguments": "0.0", "run_at": "1760000000.0", "owner": ""}


class Sqlite(Client):
    """Plain `sqlite3`, one transaction for each call."""

    worker = command("raw")

    async def open(self) -> None:
        """Make the table, and an index of what is free."""
        self._connection = sqlite.connect(FOLDER / "raw.db", "FULL")
        self._connection.execute("create index free on outlive_record (id) where owner is null")

    async def one(self, called: float) -> None:
        """One row."""
        self._insert([called])

    async def many(self, count: int) -> bool:
        """One `executemany`."""
        self._insert([0.0] * count)
        return True

    def _insert(self, called: Sequence[float]) -> None:
        at, owner = sqlite.COLUMNS.index("arguments"), sqlite.COLUMNS.index("owner")
        rows = [list(row) for row in sqlite.rows(len(called))]
        for row, moment in zip(rows, called, strict=True):
            row[at], row[owner] = repr(moment), None
        sqlite.insert(self._connection, [tuple(row) for row in rows])


def _work_sqlite() -> None:
    connection = sqlite.connect_existing(FOLDER / "raw.db", "FULL")
    connection.execute("pragma busy_timeout = 5000")
    while True:
        found = connection.execute(_CLAIM, (time.time(), BATCH)).fetchall()
        for _, called in found:
            stamp(float(called))
        connection.execute("begin immediate")
        connection.executemany(_SETTLE, [(time.time(), one) for one, _ in found])
        connection.execute("commit")
        time.sleep(0 if found else 0.001)


class Postgres(Client):
    """asyncpg, one statement for each call."""

    worker = command("raw")

    async def open(self) -> None:
        """Make the table, and an index of what is free."""
        self._connection = await asyncpg.connect(URL)
        await self._connection.execute(f"{postgres.BARE}; {_FREE}")

    async def one(self, called: float) -> None:
        """One row."""
        await self._connection.execute(postgres.INSERT, [str(uuid4())], [repr(called)])

    async def many(self, count: int) -> bool:
        """One statement over arrays."""
        await self._connection.execute(postgres.INSERT, [str(uuid4()) for _ in range(count)], ["0.0"] * count)
        return True


async def _work_postgres() -> None:
    connection = await asyncpg.connect(URL)
    while True:
        found = await connection.fetch(f"{postgres.CLAIM.rstrip()}, arguments", BATCH)
        ids = [one for one, _ in found]
        await connection.execute(postgres.START, ids)
        for _, called in found:
            stamp(float(called))
        await connection.execute(postgres.SETTLE, ids)
        await asyncio.sleep(0 if ids else 0.001)


class Stream(Client):
    """redis-py on a stream."""

    worker = command("raw")

    async def open(self) -> None:
        """Connect, and make the group."""
        self._client: Any = Redis.from_url(URL)
        await self._client.xgroup_create(_STREAM, _GROUP, "0", mkstream=True)

    async def one(self, called: float) -> None:
        """One entry."""
        await self._client.xadd(_STREAM, {**_ENTRY, "arguments": repr(called)})

    async def many(self, count: int) -> bool:
        """One pipeline."""
        async with self._client.pipeline(transaction=False) as pipeline:
            for _ in range(count):
                pipeline.xadd(_STREAM, _ENTRY)
            await pipeline.execute()
        return True


async def _work_redis() -> None:
    client: Any = Redis.from_url(URL)
    while True:
        found = await client.xreadgroup(_GROUP, "me", {_STREAM: ">"}, count=BATCH, block=1000)
        entries = [entry for _, entries in found or () for entry in entries]
        ids = [one for one, _ in entries]
        for _, fields in entries:
            stamp(float(fields[b"arguments"]))
        if ids:
            async with client.pipeline(transaction=False) as pipeline:
                await pipeline.xack(_STREAM, _GROUP, *ids)
                await pipeline.xdel(_STREAM, *ids)
                await pipeline.execute()


def client() -> Client:
    """The one for the URL."""
    if URL.startswith("sqlite"):
        return Sqlite()
    return Stream() if URL.startswith("redis") else Postgres()


def work() -> None:
    """Run tasks until the process is ended."""
    if URL.startswith("sqlite"):
        _work_sqlite()
    asyncio.run(_work_redis() if URL.startswith("redis") else _work_postgres())
