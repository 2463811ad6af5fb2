"""A small proxy between a client and its server, PostgreSQL or Redis, that breaks connections at the worst instants."""

import asyncio
import ssl
from collections.abc import Callable
from contextlib import suppress
from typing import Self
from urllib.parse import parse_qs, quote, urlsplit

#: Says of what goes to the server whether the connection breaks here.
Breaks = Callable[[bytes], bool]
Pair = tuple[asyncio.StreamWriter, asyncio.StreamWriter]


def never(_: bytes) -> bool:
    return False


def on(word: bytes, count: int = 1) -> Breaks:
    """Break at the first `count` messages that have the word."""
    left = count

    def breaks(data: bytes) -> bool:
        nonlocal left
        if word not in data or left == 0:
            return False
        left -= 1
        return True

    return breaks


class Proxy:
    """Forwards a port of the loopback to the server of a URL.

    `breaks_before` sees what goes to the server: the connection breaks and the server never gets it. `breaks_after`
    sees it too, but the server gets it, does it, and its answer is lost. `is_open` False lets nobody in.
    """

    def __init__(self, url: str, tls: ssl.SSLContext | None = None) -> None:
        self.breaks_before: Breaks = never
        self.breaks_after: Breaks = never
        self.is_open = True
        #: How many connections were broken here, and how many were refused.
        self.broken = self.refused = 0
        self._target = url
        self._tls = tls
        self._has_answered = _is_ready if url.startswith("postgres") else bool
        self._server: asyncio.Server | None = None
        self._open: set[Pair] = set()
        self._pumps: set[asyncio.Task] = set()

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0, ssl=self._tls)
        return self

    async def __aexit__(self, *error: object) -> None:
        assert self._server is not None
        self._server.close()
        self.cut()
        for pump in list(self._pumps):
            pump.cancel()
        await asyncio.gather(*self._pumps, return_exceptions=True)

    @property
    def url(self) -> str:
        """The URL of the server, by way of the proxy."""
        assert self._server is not None
        parts = urlsplit(self._target)
        user = f"{parts.username}@" if parts.username else ""
        asked = {name: values[-1] for name, values in parse_qs(parts.query).items() if name not in ("host", "port")}
        text = "?" + "&".join(f"{name}={quote(value)}" for name, value in asked.items()) if asked else ""
        scheme = parts.scheme if self._tls is None else f"{parts.scheme}s"
        return f"{scheme}://{user}127.0.0.1:{self._server.sockets[0].getsockname()[1]}{parts.path}{text}"

    @property
    def talks(self) -> int:
        """How many sides of connections are still heard."""
        return len(self._pumps)

    def cut(self) -> None:
        """Break every connection now."""
        for pair in list(self._open):
            self._break(pair)

    def say_to_all(self, message: bytes) -> None:
        """Say something to every client that the server has not said."""
        for client, _ in self._open:
            client.write(message)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            if not self.is_open:
                raise ConnectionRefusedError
            up_reader, up_writer = await self._connect()
        except OSError:
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
        usual = 5432 if parts.scheme.startswith("postgres") else 6379
        port = int(asked.get("port", [parts.port or usual])[0])
        host = asked.get("host", [parts.hostname or "localhost"])[0]
        if host.startswith("/"):
            return await asyncio.open_unix_connection(f"{host}/.s.PGSQL.{port}")
        return await asyncio.open_connection(host, port)

    async def _up(self, reader: asyncio.StreamReader, pair: Pair, swallowing: asyncio.Event) -> None:
        with suppress(OSError):
            while data := await reader.read(65536):
                if self.breaks_before(data):
                    self._break(pair)
                elif self.breaks_after(data):
                    swallowing.set()
                pair[1].write(data)
                await pair[1].drain()
        if not swallowing.is_set():
            self._end(pair)

    async def _down(self, reader: asyncio.StreamReader, pair: Pair, swallowing: asyncio.Event) -> None:
        with suppress(OSError):
            while data := await reader.read(65536):
                if not swallowing.is_set():
                    pair[0].write(data)
                    await pair[0].drain()
                elif self._has_answered(data):
                    self._break(pair)
        self._end(pair)

    def _break(self, pair: Pair) -> None:
        if pair in self._open:
            self.broken += 1
            self._end(pair)

    def _end(self, pair: Pair) -> None:
        self._open.discard(pair)
        for writer in pair:
            writer.transport.abort()


def _is_ready(data: bytes) -> bool:
    """Whether PostgreSQL says that it is ready for the next: what came before is committed."""
    return data.endswith((b"I", b"T", b"E")) and b"Z\x00\x00\x00\x05" in data[-6:]
