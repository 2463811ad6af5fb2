"""Many ended records: a few made through the backend, and older copies of them that the database makes by itself.

Through a backend a million would take a minute and more.
"""

import asyncio
import sqlite3
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import asyncpg
import ormsgpack
from redis.asyncio import Redis
from uuid_utils import uuid7

from outlive import Backend, PostgresBackend, SqliteBackend, TaskStatus
from outlive.backends.redis import RedisBackend
from outlive.core.moves import Enqueue, Move, Settle
from outlive.core.states import Event

#: Records that are copied.
MODEL = 2000
#: Copies that one script of Redis makes.
TOGETHER = 5

SQLITE = """
insert into outlive_record (id, {names})
select printf('01900000-%04x-7000-8000-%012x', ?, rowid), {names} from temp.model
"""
POSTGRES = """
with copied as (
    insert into outlive_record (id, {names})
    select '01900000-' || lpad(to_hex(copy), 4, '0') || '-7000-8000-' || lpad(to_hex(number), 12, '0'), {names}
    from generate_series(0, $1::integer - 1) as copy, model
    returning final
)
insert into outlive_tally (writer, final, count) select 'copies', final, count(*) from copied group by final
"""
MODEL_TABLE = """
set synchronous_commit = off;
create temp table model as select row_number() over (order by id) as number, {names} from outlive_record
"""
COLUMNS = """
select column_name from information_schema.columns
where table_name = 'outlive_record' and is_generated = 'NEVER' and column_name <> 'id'
"""
#: Keys that are named after a record are copied, and a copy enters each index in which its model is.
REDIS = """
local asked = cmsgpack.unpack(ARGV[1])
for copy = asked.first, asked.last do
    local ids = {}
    for number, id in ipairs(asked.ids) do
        ids[number] = string.format('01900000-%04x-7000-8000-%012x', copy, number)
        for _, kind in ipairs(asked.kinds) do
            redis.call('copy', kind .. id, kind .. ids[number])
        end
    end
    for _, index in ipairs(asked.indexes) do
        local words = {}
        for place, number in ipairs(index.numbers) do
            words[#words + 1] = index.scores[place]
            words[#words + 1] = ids[number]
            if #words == 4000 or place == #index.numbers then
                redis.call('zadd', index.key, unpack(words))
                words = {}
            end
        end
    end
end
"""


def id_of(copy: int, number: int) -> str:
    """The id of a copy of a record of the model."""
    return f"01900000-{copy:04x}-7000-8000-{number:012x}"


def ended(count: int) -> list[Move]:
    """What leaves so many ended records of 20 functions, 1 % of them failed, evenly spread."""
    now = time.time()
    moves: list[Move] = []
    for at in range(count):
        task_id, kind = str(uuid7()), at % 20
        moves.append(
            Enqueue(
                task_id, f"app.tasks:task_{kind}", f"task_{kind}", now, now, "instance", now,
                arguments='{"address":"ann@example.org"}',
            )
        )  # fmt: skip
        failed = at % 100 == 99
        event, status = (Event.FAIL, TaskStatus.FAILED) if failed else (Event.SUCCEED, TaskStatus.SUCCESS)
        moves.append(Settle(task_id, 1, event, status, now, error="boom" if failed else None))
    return moves


@dataclass(frozen=True, slots=True)
class Store:
    """A backend that is empty, not yet open, and how its database copies the records of these ids so many times."""

    name: str
    backend: Backend
    copy: Callable[[Sequence[str], int], Awaitable[None]]

    async def fill(self, count: int) -> None:
        """So many ended records, when it is open."""
        moves = ended(min(MODEL, count))
        await self.backend.apply(moves)
        if count > MODEL:
            await self.copy([move.id for move in moves if isinstance(move, Enqueue)], count // MODEL - 1)


def sqlite(path: Path) -> Store:
    """A file."""
    return Store("SQLite", SqliteBackend(path, synchronous="NORMAL"), partial(_on_sqlite, path))


def postgres(url: str) -> Store:
    """A database."""
    return Store("PostgreSQL", PostgresBackend(url), partial(_on_postgres, url))


def redis(url: str) -> Store:
    """A server that holds nothing else."""
    return Store("Redis", RedisBackend(url), partial(_on_redis, url))


async def _on_sqlite(path: Path, _: Sequence[str], copies: int) -> None:
    await asyncio.to_thread(_copy_rows, path, copies)


def _copy_rows(path: Path, copies: int) -> None:
    with closing(sqlite3.connect(path)) as connection:
        columns = [row[1] for row in connection.execute("pragma table_info(outlive_record)") if row[1] != "id"]
        names = ", ".join(columns)
        connection.execute(f"create temp table model as select {names} from outlive_record")  # noqa: S608
        connection.executemany(SQLITE.format(names=names), [(copy,) for copy in range(copies)])
        connection.commit()


async def _on_postgres(url: str, _: Sequence[str], copies: int) -> None:
    connection = await asyncpg.connect(url)
    try:
        columns = await connection.fetch(COLUMNS)
        names = ", ".join(row[0] for row in columns)
        await connection.execute(MODEL_TABLE.format(names=names))
        await connection.execute(POSTGRES.format(names=names), copies)
        await connection.execute("vacuum analyze outlive_record")  # as the server does by itself, sooner or later
    finally:
        await connection.close()


async def _on_redis(url: str, ids: Sequence[str], copies: int) -> None:
    async with Redis.from_url(url, decode_responses=True) as client:
        keys = [key async for key in client.scan_iter(f"*{ids[0]}", count=10_000)]
        asked: dict[str, Any] = {"ids": ids, "kinds": [key.removesuffix(ids[0]) for key in keys], "indexes": []}
        numbers = {task_id: number for number, task_id in enumerate(ids, 1)}
        async for key in client.scan_iter(count=10_000, _type="zset"):
            scored: list[Any] = await client.zrange(key, 0, -1, withscores=True)
            found = [(numbers[member], score) for member, score in scored]
            entries = {"numbers": [number for number, _ in found], "scores": [repr(score) for _, score in found]}
            asked["indexes"].append({"key": key} | entries)
        copying = client.register_script(REDIS)
        for first in range(0, copies, TOGETHER):
            last = min(first + TOGETHER, copies) - 1
            await copying(args=[ormsgpack.packb(asked | {"first": first, "last": last})])
