"""Connections: a pool for what may go side by side, and lanes for what has an order."""

import asyncio
import os
from collections.abc import AsyncGenerator, Awaitable, Callable, Coroutine, Mapping
from contextlib import asynccontextmanager, suppress
from typing import Any, TypeVar

import asyncpg

from outlive.backends.postgres.faults import translate
from outlive.errors import BackendError, BackendUnavailableError, ConfigError

#: Seconds until somebody who wants a connection, or an answer, is told that there is none.
PATIENCE = 30.0
_CONNECT_PATIENCE = 10.0

#: Those of the journal, of claims, of leases and of hints, which are kept.
LANES = 4

#: One plan for all values of the parameters, by the indexes and in their order: the server would guess on empty tables
#: that a scan, or all that an index finds and a sort, is best, and not think again until it is told of more rows.
_SETTINGS = {
    "application_name": "outlive",
    "plan_cache_mode": "force_generic_plan",
    "enable_seqscan": "off",
    "enable_bitmapscan": "off",
    "jit": "off",
}

Connection = asyncpg.pool.PoolConnectionProxy
Row = asyncpg.Record

T = TypeVar("T")
Work = Callable[[Connection], Awaitable[T]]


class Connections:
    """The pool, its own or the application's. `settings` are given to each connection of its own."""

    def __init__(self, source: "str | asyncpg.Pool", most: int, settings: Mapping[str, str]) -> None:
        if most <= LANES:
            raise ConfigError(f"max_connections={most} is too few; {LANES} are kept, so use {LANES + 1} or more")
        self._source = source
        self._most = most
        self._settings = {**_SETTINGS, **settings}
        self._pool: asyncpg.Pool | None = None
        self._pid = os.getpid()
        #: Connections that are made or given back though nobody waits for that any more.
        self._unwanted: set[asyncio.Future[Any]] = set()

    @property
    def is_of_parent(self) -> bool:
        """Whether they were made before this process was forked."""
        return self._pid != os.getpid()

    def check(self) -> None:
        """Raise `BackendError` where they cannot be used."""
        if self.is_of_parent:
            raise BackendError(
                "the backend on PostgreSQL was opened before this process was forked, and its connections belong to "
                "the parent; await its open() here first"
            )

    async def open(self) -> None:
        """Connect."""
        if not isinstance(self._source, str):
            if self._source.get_max_size() <= LANES:
                raise ConfigError(
                    f"the pool has max_size={self._source.get_max_size()}; outlive keeps {LANES} connections, so make "
                    f"it larger than that, or give outlive the URL of the database"
                )
            self._pool = self._source
            return
        try:
            self._pool = await asyncpg.create_pool(
                self._source,
                min_size=1,
                max_size=self._most,
                reset=_keep,
                max_cached_statement_lifetime=0,
                statement_cache_size=256,
                timeout=_CONNECT_PATIENCE,
                command_timeout=PATIENCE,
                server_settings=self._settings,
            )
        except Exception as error:
            raise told(error) from error

    async def close(self) -> None:
        """Let go of the pool; the application's own stays open."""
        while self._unwanted:
            await asyncio.wait(self._unwanted)
        pool, self._pool = self._pool, None
        if pool is None or not isinstance(self._source, str):
            return
        try:
            async with asyncio.timeout(_CONNECT_PATIENCE):
                await pool.close()
        except (TimeoutError, OSError, asyncpg.PostgresError, asyncpg.InterfaceError):
            pool.terminate()

    @asynccontextmanager
    async def borrowed(self) -> AsyncGenerator[Connection]:
        """A connection for a moment."""
        connection = await self.take()
        try:
            yield connection
        except Exception as error:
            drop_if_useless(connection, error)
            raise told(error) from error
        finally:
            await self.give(connection)

    async def take(self) -> Connection:
        """A connection to keep."""
        self.check()
        if self._pool is None:
            raise BackendError("the backend on PostgreSQL is not open; await its open() first")
        try:
            return await self._acquire(self._pool)
        except TimeoutError as error:
            if self._pool.get_idle_size() or self._pool.get_size() < self._pool.get_max_size():
                raise told(error) from error
            raise BackendUnavailableError(
                f"all {self._pool.get_max_size()} connections of the pool are in use since {PATIENCE:g} s; let the "
                "pool have more, or give outlive a URL so that it has a pool of its own"
            ) from error
        except Exception as error:
            raise told(error) from error

    async def _acquire(self, pool: asyncpg.Pool) -> Connection:
        if pool.get_idle_size():
            return await pool.acquire(timeout=PATIENCE)
        # Somebody who is cancelled while a connection is made would leave it open.
        making = asyncio.ensure_future(pool.acquire(timeout=PATIENCE))
        try:
            return await asyncio.shield(making)
        except asyncio.CancelledError:
            self._unwanted.add(making)
            making.add_done_callback(self._take_back)
            raise

    def _take_back(self, made: "asyncio.Future[Connection]") -> None:
        self._unwanted.discard(made)
        if not made.cancelled() and made.exception() is None:
            giving = asyncio.ensure_future(self.give(made.result()))
            self._unwanted.add(giving)
            giving.add_done_callback(self._unwanted.discard)

    async def give(self, connection: Connection) -> None:
        """Give a connection back, whatever state it is in."""
        if self._pool is not None:
            with suppress(asyncpg.PostgresError, asyncpg.InterfaceError, OSError, TimeoutError):
                await self._pool.release(connection)


class Lane:
    """One connection that is kept, used by one after the other in the order of asking.

    What was begun goes on to its end, also where its caller is cancelled.
    """

    def __init__(self, connections: Connections) -> None:
        self._connections = connections
        self._turn = asyncio.Lock()
        self._connection: Connection | None = None
        self._going: set[asyncio.Task[Any]] = set()

    async def run(self, work: Work[T], once_more: Callable[[], bool] = lambda: False) -> T:
        """Do `work` with the connection when its turn has come; see `in_turn`."""
        return await asyncio.shield(self.begin(lambda: self.in_turn(work, once_more)))

    def begin(self, work: Callable[[], Coroutine[Any, Any, T]]) -> "asyncio.Task[T]":
        """Do something that goes on until its end; nobody may cancel what is returned."""
        self._connections.check()
        going = asyncio.ensure_future(work())
        self._going.add(going)
        going.add_done_callback(self._over)
        return going

    def _over(self, going: "asyncio.Task[Any]") -> None:
        self._going.discard(going)
        if not going.cancelled():
            going.exception()  # whoever asked may have gone

    async def in_turn(self, work: Work[T], once_more: Callable[[], bool]) -> T:
        """Do `work` with the connection; raises errors of outlive where the server is the reason.

        Where it was refused and `once_more()` says so, it is tried again at once, by another connection.
        """
        async with self._turn:
            try:
                return await self._run(work)
            except BackendUnavailableError:
                if not once_more():
                    raise
            return await self._run(work)

    async def _run(self, work: Work[T]) -> T:
        connection = await self._connected()
        try:
            return await work(connection)
        except Exception as error:
            drop_if_useless(connection, error)
            if is_gone(connection):
                await self._let_go()
            raise told(error) from error

    async def close(self) -> None:
        """Finish what was begun and let go of the connection."""
        if self._going:
            await asyncio.wait(self._going)
        await self._let_go()

    async def _connected(self) -> Connection:
        self._connections.check()
        if self._connection is not None and is_gone(self._connection):
            await self._let_go()
        if self._connection is None:
            self._connection = await self._connections.take()
        return self._connection

    async def _let_go(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            await self._connections.give(connection)


def is_gone(connection: Connection) -> bool:
    """Whether a connection is closed; the pool takes back what was, and then it says nothing any more."""
    try:
        return bool(connection.is_closed())
    except asyncpg.InterfaceError:
        return True


def drop_if_useless(connection: Connection, error: Exception) -> None:
    """Close a connection that does not answer, or that the server has taken leave of."""
    if isinstance(error, TimeoutError | asyncpg.InternalClientError):
        drop(connection)


def drop(connection: Connection) -> None:
    """Close a connection that may not answer."""
    with suppress(asyncpg.InterfaceError):
        connection.terminate()


async def _keep(_connection: asyncpg.Connection) -> None:
    """Nobody changes settings of our own connections, so there is nothing to reset, and a round trip to save."""


def told(error: Exception) -> Exception:
    """An error as users of the backend see it."""
    if isinstance(error, BackendError):
        return error
    return translate(error) or error
