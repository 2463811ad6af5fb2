"""A run that is accepted inside the caller's own transaction exists if and only if that is committed."""

import re
import sqlite3
from contextlib import asynccontextmanager, contextmanager

import aiosqlite
import asyncpg
import psycopg
import pytest
from sqlalchemy import create_engine, text
from sqlalchemy.ext.asyncio import AsyncSession, create_async_engine
from sqlalchemy.orm import Session
from support import postgres
from support.waiting import turns, until

from outlive import ConfigError, TaskArgumentError, TaskFilter, TaskManager, TaskStatus


class Place:
    """A database of the application's, and a manager that keeps its records there."""

    def __init__(self, kind, folder):
        self.is_sqlite = kind == "sqlite"
        self.path = folder / "app.db"
        self.url = f"sqlite:///{self.path}?synchronous=NORMAL" if self.is_sqlite else postgres.url_for(folder)
        #: What the application connects to, which knows nothing of the schema that outlive has for itself.
        self.own_url = re.sub(r"[?&]schema=[^&]*", "", self.url)
        self.done = []

    def manager(self, **options):
        manager = TaskManager(self.url, poll_interval=30, **options)

        @manager.task(name="ship")
        async def ship(order: int) -> None:
            self.done.append(order)

        self.ship = ship
        return manager


# -- the ways to connect: each begins a transaction and gives (connection, commit, rollback) ------


@contextmanager
def by_sqlite3(place):
    connection = sqlite3.connect(place.path)
    connection.execute("begin")
    yield connection, connection.commit, connection.rollback
    connection.close()


@contextmanager
def by_psycopg(place):
    with psycopg.connect(place.own_url) as connection:
        yield connection, connection.commit, connection.rollback


@contextmanager
def by_sqlalchemy(place):
    engine = create_engine(_sqlalchemy_url(place, "psycopg", None))
    with engine.connect() as connection:
        yield connection, connection.commit, connection.rollback
    engine.dispose()


@contextmanager
def by_sqlalchemy_session(place):
    engine = create_engine(_sqlalchemy_url(place, "psycopg", None))
    with Session(engine) as session:
        yield session, session.commit, session.rollback
    engine.dispose()


@asynccontextmanager
async def by_aiosqlite(place):
    async with aiosqlite.connect(place.path) as connection:
        await connection.execute("begin")
        yield connection, connection.commit, connection.rollback


@asynccontextmanager
async def by_async_psycopg(place):
    async with await psycopg.AsyncConnection.connect(place.own_url) as connection:
        yield connection, connection.commit, connection.rollback


@asynccontextmanager
async def by_asyncpg(place):
    connection = await asyncpg.connect(place.own_url)
    transaction = connection.transaction()
    await transaction.start()
    try:
        yield connection, transaction.commit, transaction.rollback
    finally:
        await connection.close()


@asynccontextmanager
async def by_async_sqlalchemy(place):
    engine = create_async_engine(_sqlalchemy_url(place, "asyncpg", "aiosqlite"))
    async with engine.connect() as connection:
        yield connection, connection.commit, connection.rollback
    await engine.dispose()


@asynccontextmanager
async def by_async_session(place):
    engine = create_async_engine(_sqlalchemy_url(place, "psycopg", "aiosqlite"))
    async with AsyncSession(engine) as session:
        yield session, session.commit, session.rollback
    await engine.dispose()


def _sqlalchemy_url(place, driver, sqlite_driver):
    if place.is_sqlite:
        return f"sqlite{'+' + sqlite_driver if sqlite_driver else ''}:///{place.path}"
    return place.own_url.replace("postgresql://", f"postgresql+{driver}://")


WAYS = [
    *[("sqlite", way) for way in (by_sqlite3, by_aiosqlite)],
    *[("postgres", way) for way in (by_psycopg, by_async_psycopg, by_asyncpg)],
    *[
        (kind, way)
        for kind in ("sqlite", "postgres")
        for way in (by_sqlalchemy, by_sqlalchemy_session, by_async_sqlalchemy, by_async_session)
    ],
]


@pytest.fixture(params=WAYS, ids=lambda way: f"{way[0]}-{way[1].__name__}")
def way(request, tmp_path):
    kind, connect = request.param
    return Place(kind, tmp_path), connect


async def in_transaction(manager, place, connect, order, *, commit, **options):
    """Accept a run in a transaction of one's own, and end that."""
    manager_call = connect(place)
    if hasattr(manager_call, "__aenter__"):
        async with manager_call as (connection, keep, undo):
            task = await manager.using(connection=connection, **options).enqueue(place.ship, order)
            await turns(50)
            assert await manager.get(task.id) is None
            await (keep() if commit else undo())
    else:
        with manager_call as (connection, keep, undo):
            task = manager.using(connection=connection, **options).enqueue_sync(place.ship, order)
            await turns(50)
            assert await manager.get(task.id) is None
            (keep if commit else undo)()
    return task


async def test_what_is_committed_runs_at_once_and_what_is_undone_never_was(way):
    place, connect = way
    async with place.manager() as manager:
        undone = await in_transaction(manager, place, connect, 1, commit=False)
        kept = await in_transaction(manager, place, connect, 2, commit=True, tags={"a": "b"}, priority=3)

        await kept.result(10)  # long before the next poll

        record = await manager.get(kept.id)
        assert (record.status, record.tags, record.priority) == (TaskStatus.SUCCESS, {"a": "b"}, 3)
        assert await manager.get(undone.id) is None
        assert len(await manager.find(TaskFilter())) == 1
    assert place.done == [2]


async def test_a_held_key_gives_the_record_that_holds_it(way):
    place, connect = way
    async with place.manager() as manager:
        first = await in_transaction(manager, place, connect, 1, commit=True, idempotency_key="k")
        await first.result(10)
        again = manager_call_of(connect, place)
        second = await again(manager, "k")

        record = await until(lambda: manager.get(second.id))
        assert record.id == first.id
    assert place.done == [1]


def manager_call_of(connect, place):
    async def call(manager, key):
        made = connect(place)
        if hasattr(made, "__aenter__"):
            async with made as (connection, keep, _):
                task = await manager.using(connection=connection, idempotency_key=key).enqueue(place.ship, 2)
                await keep()
        else:
            with made as (connection, keep, _):
                task = manager.using(connection=connection, idempotency_key=key).enqueue_sync(place.ship, 2)
                keep()
        return task

    return call


@pytest.mark.parametrize("kind", ["sqlite", "postgres"])
async def test_the_callers_own_rows_and_the_run_are_one(kind, tmp_path):
    place = Place(kind, tmp_path)
    async with place.manager() as manager:
        engine = create_engine(_sqlalchemy_url(place, "psycopg", None))
        with engine.begin() as connection:
            connection.execute(text("drop table if exists orders"))
            connection.execute(text("create table orders (id integer primary key)"))
        with engine.connect() as connection:
            connection.execute(text("insert into orders (id) values (1)"))
            manager.using(connection=connection).enqueue_sync(place.ship, 1)
            connection.rollback()
        with engine.begin() as connection:
            connection.execute(text("insert into orders (id) values (2)"))
            manager.using(connection=connection).enqueue_sync(place.ship, 2)
        await until(lambda: place.done == [2])
        with engine.connect() as connection:
            assert connection.execute(text("select id from orders")).all() == [(2,)]
        engine.dispose()


async def test_an_instance_that_runs_nothing_hands_over_to_one_that_does(tmp_path):
    place = Place("postgres", tmp_path)
    worker, web = place.manager(), place.manager(run_tasks=False)
    async with web, worker:
        task = await in_transaction(web, place, by_asyncpg, 5, commit=True)
        await until(lambda: place.done == [5])
        assert (await until(lambda: web.get(task.id))).func_name == "ship"


async def test_misuse_says_what_to_do(tmp_path):
    place = Place("sqlite", tmp_path)

    async def unknown() -> None: ...

    async with place.manager() as manager:
        with by_sqlite3(place) as (blocking, _, _):
            with pytest.raises(ConfigError, match=r"call enqueue_sync\(\.\.\.\) with it"):
                await manager.using(connection=blocking).enqueue(place.ship, 1)
            with pytest.raises(TaskArgumentError, match="declare the function"):
                manager.using(connection=blocking).enqueue_sync(unknown)
        async with by_aiosqlite(place) as (connection, _, _):
            with pytest.raises(ConfigError, match=r"`await enqueue\(\.\.\.\)` with it"):
                manager.using(connection=connection).enqueue_sync(place.ship, 1)
        with pytest.raises(ConfigError, match="is not known; give one of sqlite3"):
            manager.using(connection=object())
    async with TaskManager() as memory:
        ship = memory.task(name="ship")(place.ship)
        with pytest.raises(ConfigError, match="this one is MemoryBackend"), by_sqlite3(place) as (blocking, _, _):
            memory.using(connection=blocking).enqueue_sync(ship, 1)
