"""The connection to the server: sends scripts and knows what became of them."""

import asyncio
from collections.abc import Sequence
from typing import Any

import ormsgpack
from redis.asyncio import Redis
from redis.exceptions import NoScriptError, ResponseError

from outlive.backends.redis import faults
from outlive.backends.redis.connections import Connections
from outlive.backends.redis.scripts import Script, script
from outlive.errors import BackendUnavailableError

#: How often what may be repeated is sent again after its connection broke, at once: the next connection is a new one.
REPEATS = 2


class NotHeardError(BackendUnavailableError):
    """The connection broke after something was sent: the server may have done it or not."""


class Link:
    """Runs scripts on one server, under one prefix.

    It works below the client's own methods: those may send a command twice when the connection breaks, and do not
    tell whether the first one left the house.
    """

    def __init__(self, client: "Redis", prefix: str) -> None:
        self._client: Any = client
        self._connections = Connections(client.connection_pool)
        self._left: set[asyncio.Task[None]] = set()
        #: The newest answer that is still read though who asked was cancelled.
        self.last_left: asyncio.Task[None] | None = None
        self.prefix = f"{{{prefix}}}"
        self.channel = f"{self.prefix}:hints"
        self.where = where(client)

    async def run(self, name: str, asked: dict[str, Any], *, repeats: int = 0) -> Any:
        """Run the script of a verb; raise `NotHeardError` where it is not known whether it has run.

        `repeats`: how often to send it again where the answer was not heard, because it may run twice.
        """
        packed = ormsgpack.packb(asked)
        while True:
            try:
                return await self.send(script(name), packed)
            except NotHeardError:
                if repeats == 0:
                    raise
                repeats -= 1

    async def ask(self, name: str, asked: dict[str, Any]) -> Any:
        """Run a script that may run twice and unpack its answer."""
        reply = await self.run(name, asked, repeats=REPEATS)
        return None if reply is None else ormsgpack.unpackb(reply)

    async def send(self, sent: Script, packed: bytes) -> Any:
        """Run a script, teaching it to the server where it has forgotten it."""
        try:
            return await self.command("EVALSHA", sent.sha, 1, self.prefix, packed)
        except NoScriptError:
            return await self.command("EVAL", sent.text, 1, self.prefix, packed)

    async def command(self, *words: Any) -> Any:
        """One command, sent once."""
        task = asyncio.current_task()
        cancelled = 0 if task is None else task.cancelling()
        try:
            return await self._command(words)
        finally:
            # The client swallows a cancellation that comes at certain moments while it connects.
            if task is not None and task.cancelling() > cancelled:
                raise asyncio.CancelledError

    async def _command(self, words: Sequence[Any]) -> Any:
        connection = await self._connection()
        is_sent = is_left = False
        try:
            async with asyncio.timeout(self._connections.patience):
                await connection.send_command(*words)
                is_sent = True
                return await self._answer(connection)
        except asyncio.CancelledError as error:
            is_left = is_sent
            if is_left:
                self._leave(connection)
            else:
                await self._give_up(connection, error)
            raise
        except NoScriptError:
            raise
        except BaseException as error:
            await self._give_up(connection, error)
            raise
        finally:
            if not is_left:
                await self._connections.give(connection)

    def _leave(self, connection: Any) -> None:
        """Have the answer read for which nobody waits any more."""
        task = self.last_left = asyncio.create_task(self._read_out(connection), name="outlive answer of Redis")
        self._left.add(task)
        task.add_done_callback(self._forget)

    def _forget(self, read: asyncio.Task[None]) -> None:
        self._left.discard(read)
        if self.last_left is read:
            self.last_left = None

    async def _read_out(self, connection: Any) -> None:
        try:
            async with asyncio.timeout(self._connections.patience):
                await self._answer(connection)
        except ResponseError:
            pass  # an answer like another
        except faults.TROUBLE:
            await connection.disconnect(nowait=True)
        except asyncio.CancelledError:
            await connection.disconnect(nowait=True)
            raise
        finally:
            await self._connections.give(connection)

    async def _answer(self, connection: Any) -> Any:
        # Kept where the reading is cancelled: it can be gone on with.
        return await connection.read_response(disable_decoding=True, disconnect_on_error=False)

    def pubsub(self) -> Any:
        """A subscription of its own: a `PubSub` of the client."""
        return self._client.pubsub()

    async def close(self) -> None:
        """Let go of what the pool of the client has lent."""
        if left := [task for task in self._left if task.get_loop() is asyncio.get_running_loop()]:
            for task in left:
                task.cancel()
            await asyncio.wait(left)
        await self._connections.close()

    async def _connection(self) -> Any:
        try:
            return await self._connections.take()
        except faults.TROUBLE as error:
            raise faults.translate(error, self.where) or error from error

    async def _give_up(self, connection: Any, error: BaseException) -> None:
        if isinstance(error, faults.TROUBLE) and faults.was_answered(error):
            told = faults.translate(error, self.where)
            if told is not None:
                raise told from error
            return
        # Whatever the connection still brings would be taken for the answer to somebody else's question.
        await connection.disconnect(nowait=True)
        if isinstance(error, faults.CUT):
            raise NotHeardError(
                f"Redis at {self.where} was lost while it was asked ({error}); it is not known whether it did it"
            ) from error


def where(client: "Redis") -> str:
    """What to call the server in messages; never with its password."""
    told: dict[str, Any] = client.connection_pool.connection_kwargs
    if "path" in told:
        return str(told["path"])
    service = getattr(client.connection_pool, "service_name", None)
    if service is not None:
        return f"the primary {service!r} that Sentinel knows"
    return f"{told.get('host', 'localhost')}:{told.get('port', 6379)}"
