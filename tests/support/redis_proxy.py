"""A TCP proxy that breaks connections at the worst instants."""

import asyncio
import ssl
from collections.abc import Callable
from contextlib import suppress
from typing import Self

#: Says of what is about to be passed on whether the connection breaks here.
Breaks = Callable[[bytes], bool]


def never(_: bytes) -> bool:
    return False


def on_scripts(count: int = 1) -> Breaks:
    """Break at the first `count` scripts that come by."""
    left = count

    def breaks(data: bytes) -> bool:
        nonlocal left
        if b"EVAL" not in data or left == 0:
            return False
        left -= 1
        return True

    return breaks


class Proxy:
    """Passes on what a client and a server say to each other.

    `breaks_before` sees what goes to the server: the connection breaks and the server never gets it. `breaks_after`
    sees it too, but the server gets it, does it, and its answer is lost. `is_open` False lets nobody in.
    """

    def __init__(self, host: str, port: int, tls: ssl.SSLContext | None = None) -> None:
        self.breaks_before: Breaks = never
        self.breaks_after: Breaks = never
        self.is_open = True
        self.broken = 0
        self._target = host, port
        self._tls = tls
        self._writers: set[asyncio.StreamWriter] = set()
        self._server: asyncio.Server | None = None
        self._talks: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0, ssl=self._tls)
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._server is not None
        self._server.close()
        self.cut()
        for talk in list(self._talks):
            talk.cancel()
        await asyncio.gather(*self._talks, return_exceptions=True)
        await self._server.wait_closed()

    @property
    def url(self) -> str:
        assert self._server is not None
        scheme = "redis" if self._tls is None else "rediss"
        return f"{scheme}://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"

    @property
    def talks(self) -> int:
        """How many connections there are."""
        return len(self._talks)

    def cut(self) -> None:
        """Break every connection at once."""
        for writer in list(self._writers):
            writer.transport.abort()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._talks.add(task)
        self._writers.add(writer)
        try:
            if self.is_open:
                await self._talk(reader, writer)
        except (OSError, asyncio.CancelledError):
            pass
        finally:
            self._talks.discard(task)
            self._writers.discard(writer)
            writer.transport.abort()

    async def _talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        theirs, to_server = await asyncio.open_connection(*self._target)
        self._writers.add(to_server)
        answers = asyncio.create_task(_pass_on(theirs, writer))
        try:
            while data := await reader.read(65536):
                if self.breaks_before(data):
                    self.broken += 1
                    return
                loses_answer = self.breaks_after(data)
                if loses_answer:
                    answers.cancel()
                    await asyncio.gather(answers, return_exceptions=True)
                to_server.write(data)
                await to_server.drain()
                if loses_answer:
                    self.broken += 1
                    await theirs.read(1)  # it has been done now
                    return
        finally:
            answers.cancel()
            await asyncio.gather(answers, return_exceptions=True)
            self._writers.discard(to_server)
            to_server.transport.abort()


async def _pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
