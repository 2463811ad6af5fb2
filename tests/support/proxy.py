"""A small proxy between a client and its server that cuts connections where a test wants it."""

import asyncio
from contextlib import suppress
from typing import Literal, Self
from urllib.parse import parse_qs, quote, urlsplit

Instant = Literal["before", "after"]


class Proxy:
    """Forwards a port of the loopback to the server of a URL.

    `cut("before", b"word")`: the connection on which the word is sent ends before the server gets it; `"after"`: the
    server does what it is told, and its answer is lost.
    """

    def __init__(self, url: str) -> None:
        self._target = url
        self._server: asyncio.Server | None = None
        self._open: set[tuple[asyncio.StreamWriter, asyncio.StreamWriter]] = set()
        self._pumps: set[asyncio.Task] = set()
        self._armed: tuple[Instant, bytes] | None = None
        self.is_up = True
        self.port = 0
        #: How many connections a cut has ended, and how many were refused.
        self.cuts = self.refused = 0

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *error: object) -> None:
        assert self._server is not None
        self._server.close()
        self.cut_all()
        for pump in list(self._pumps):
            pump.cancel()
        await asyncio.gather(*self._pumps, return_exceptions=True)

    @property
    def url(self) -> str:
        """The URL of the server, by way of the proxy."""
        parts = urlsplit(self._target)
        asked = {name: values[-1] for name, values in parse_qs(parts.query).items() if name not in ("host", "port")}
        text = "&".join(f"{name}={quote(value)}" for name, value in asked.items())
        return f"{parts.scheme}://{parts.username or 'postgres'}@127.0.0.1:{self.port}{parts.path}?{text}"

    def cut(self, instant: Instant, word: bytes) -> None:
        """Cut the connection on which the word is sent next."""
        self._armed = (instant, word)

    def cut_all(self) -> None:
        """Cut every connection now."""
        for pair in list(self._open):
            self._end(pair)

    def say_to_all(self, message: bytes) -> None:
        """Say something to every client that the server has not said."""
        for client, _ in self._open:
            client.write(message)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if not self.is_up:
            self.refused += 1
            writer.transport.abort()
            return
        try:
            up_reader, up_writer = await self._connect()
        except OSError:  # the server is away
            self.refused += 1
            writer.transport.abort()
            return
        pair = (writer, up_writer)
        self._open.add(pair)
        swallowing = asyncio.Event()
        for pump in (self._up(reader, pair, swallowing), self._down(up_reader, pair, swallowing)):
            task = asyncio.create_task(pump)
            self._pumps.add(task)
            task.add_done_callback(self._pumps.discard)

    async def _connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        parts = urlsplit(self._target)
        asked = parse_qs(parts.query)
        port = int(asked.get("port", [parts.port or 5432])[0])
        host = asked.get("host", [parts.hostname or "localhost"])[0]
        if host.startswith("/"):
            return await asyncio.open_unix_connection(f"{host}/.s.PGSQL.{port}")
        return await asyncio.open_connection(host, port)

    async def _up(self, reader: asyncio.StreamReader, pair: tuple, swallowing: asyncio.Event) -> None:
        with suppress(OSError):
            while data := await reader.read(65536):
                instant = self._is_hit(data)
                if instant == "before":
                    break
                if instant == "after":
                    swallowing.set()
                pair[1].write(data)
                await pair[1].drain()
        if not swallowing.is_set():
            self._end(pair)

    async def _down(self, reader: asyncio.StreamReader, pair: tuple, swallowing: asyncio.Event) -> None:
        with suppress(OSError):
            while data := await reader.read(65536):
                if swallowing.is_set():
                    # The server says that it is ready for the next: what came before is committed.
                    if data.endswith((b"I", b"T", b"E")) and b"Z\x00\x00\x00\x05" in data[-6:]:
                        break
                    continue
                pair[0].write(data)
                await pair[0].drain()
        self._end(pair)

    def _is_hit(self, data: bytes) -> Instant | None:
        if self._armed is None or self._armed[1] not in data:
            return None
        instant, self._armed = self._armed[0], None
        return instant

    def _end(self, pair: tuple[asyncio.StreamWriter, asyncio.StreamWriter]) -> None:
        if pair not in self._open:
            return
        self._open.discard(pair)
        self.cuts += 1
        for writer in pair:
            writer.transport.abort()
