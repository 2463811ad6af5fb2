"""The connection on which hints come and go."""

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from hashlib import blake2b
from typing import Any

import asyncpg

from outlive.backends.hints import Hints
from outlive.backends.postgres.connections import Connection, Connections, drop, is_gone, told
from outlive.backends.postgres.statements import query
from outlive.errors import BackendError, BackendUnavailableError

#: Seconds between looks at whether a silent connection is still there, and how long that may take.
LOOK = 30.0
_PATIENCE = 5.0

_FIRST_PAUSE, _LONGEST_PAUSE = 0.05, 2.0


class Listener:
    """Listens as long as it is open, and connects again whenever the connection is lost."""

    def __init__(self, connections: Connections) -> None:
        #: What is listened to, and signalled by.
        self.hints = Hints(self._send)
        self._connections = connections
        self._channel = ""
        self._connection: Connection | None = None
        self._turn = asyncio.Lock()
        self._listening: asyncio.Task[None] | None = None

    async def open(self, schema: str) -> None:
        """Begin to listen to the processes on this schema."""
        # A channel belongs to the whole database, and its name is short.
        self._channel = f"outlive_{blake2b(schema.encode(), digest_size=8).hexdigest()}"
        await self._connect()
        self._listening = asyncio.create_task(self._listen(), name="outlive hints from PostgreSQL")

    async def close(self) -> None:
        """Send what waits, and listen no longer."""
        listening, self._listening = self._listening, None
        if listening is None:
            return
        await self.hints.close()
        listening.cancel()
        await asyncio.wait([listening])
        await self._let_go()

    async def _listen(self) -> None:
        pause = _FIRST_PAUSE
        while True:
            try:
                if self._connection is None:
                    await self._connect()
                    self.hints.missed()
                pause = _FIRST_PAUSE
                await self._until_lost()
            except BackendError:  # others wait for the server too, and say so
                await asyncio.sleep(pause)
                pause = min(pause * 2, _LONGEST_PAUSE)
            await self._let_go()

    async def _connect(self) -> None:
        connection = await self._connections.take()
        try:
            await connection.add_listener(self._channel, self._hear)
        except Exception as error:
            await self._connections.give(connection)
            raise told(error) from error
        self._connection = connection

    async def _until_lost(self) -> None:
        connection = self._connection
        assert connection is not None
        lost = asyncio.Event()

        def tell(_connection: Any) -> None:
            lost.set()

        connection.add_termination_listener(tell)
        try:
            while not is_gone(connection) and not await _within(LOOK, lost):
                await self._use("select 1")
        finally:
            with suppress(asyncpg.InterfaceError):  # it is gone
                connection.remove_termination_listener(tell)

    async def _let_go(self) -> None:
        connection, self._connection = self._connection, None
        if connection is None:
            return
        try:
            async with asyncio.timeout(_PATIENCE):
                await connection.remove_listener(self._channel, self._hear)
        except Exception:  # noqa: BLE001 - it is lost, in whatever way
            drop(connection)
        await self._connections.give(connection)

    async def _send(self, texts: Sequence[str]) -> None:
        notify = query("notify")
        await self._use(notify.text, *notify.values({"channel": self._channel, "texts": texts}))

    async def _use(self, text: str, *values: object) -> None:
        async with self._turn:
            if self._connection is None:
                raise BackendUnavailableError("PostgreSQL cannot be used: the connection for hints is lost")
            try:
                await self._connection.execute(text, *values, timeout=_PATIENCE)
            except Exception as error:
                raise told(error) from error

    def _hear(self, _connection: Any, _process: int, _channel: str, text: object) -> None:
        self.hints.received(str(text))


async def _within(seconds: float, event: asyncio.Event) -> bool:
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await event.wait()
    return event.is_set()
