"""The connections of a client. One stays here between commands: to ask the pool for it costs as much as a command.

One that was taken has no `socket_timeout`, for which the client makes a task with each command and a timer with each
answer: whoever takes one gives both `patience` seconds.
"""

from typing import Any

from outlive.backends.redis.faults import TROUBLE


class Connections:
    """Hands out connections, each to one command at a time."""

    def __init__(self, pool: Any) -> None:
        self._pool = pool
        self._kept: Any = None
        #: The `socket_timeout` of the client.
        self.patience: float | None = None
        #: How many wait for the pool, which hears only of what is given back to it.
        self._asking = 0

    async def take(self) -> Any:
        """A connection that nobody else uses, as far as can be told one that works."""
        connection, self._kept = self._kept, None
        if connection is not None and await self._is_usable(connection):
            return connection
        self._asking += 1
        try:
            connection = await self._pool.get_connection()
        finally:
            self._asking -= 1
        self.patience, connection.socket_timeout = connection.socket_timeout, None
        return connection

    async def give(self, connection: Any) -> None:
        """Take back a connection whose answer has been read, or that is closed."""
        if self._kept is None and not self._asking and connection.is_connected:
            self._kept = connection
        else:
            await self._release(connection)

    async def close(self) -> None:
        """Keep none any longer."""
        connection, self._kept = self._kept, None
        if connection is not None:
            await self._release(connection)

    async def _release(self, connection: Any) -> None:
        connection.socket_timeout = self.patience
        await self._pool.release(connection)

    async def _is_usable(self, connection: Any) -> bool:
        is_usable = False
        try:
            is_usable = not (connection.should_reconnect() or await connection.can_read())
        except TROUBLE:
            pass
        finally:
            if not is_usable:
                await self._release(connection)  # which connects it anew
        return is_usable
