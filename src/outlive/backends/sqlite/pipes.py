"""Hints between the processes of one host: each has a named pipe beside the database and writes into the others."""

import asyncio
import errno
import os
import select
import stat
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from uuid import uuid4
from weakref import WeakSet

from outlive.backends.hints import Hints

#: What the system writes in one piece, so that the hints of several processes do not mix.
_PIECE: int = getattr(select, "PIPE_BUF", 512)

#: A pipe that holds so much may have been full, and a hint that finds no room is lost.
_MAYBE_FULL = 8 * _PIECE

#: What a pipe holds at most.
_ALL = 1 << 16

_SUFFIX, _END = ".hints", b"\0"


class Pipes:
    """Carries hints while it is open, where the system has named pipes and lets us make one in `folder`.

    Nobody waits: a pipe that is full gets no more, and whoever reads it sees that. What the dead leave is removed by
    the next one who opens or sends.
    """

    def __init__(self, folder: Path) -> None:
        #: What is listened to, and signalled by.
        self.hints = Hints(self._send)
        self._folder = folder
        self._path = folder / f"{uuid4().hex}{_SUFFIX}"
        #: The end to read from, and one to write to: without that a pipe to which nobody writes is at its end.
        self._ends: list[int] = []
        self._rest = b""

    @property
    def is_open(self) -> bool:
        """Whether hints of others would be heard."""
        return bool(self._ends)

    async def open(self) -> None:
        """Begin to listen; who cannot have a pipe finds out later, by looking."""
        if hasattr(os, "mkfifo") and await asyncio.to_thread(self._make):
            asyncio.get_running_loop().add_reader(self._ends[0], self._read)
            await asyncio.to_thread(self._tell_others, b"")

    def _make(self) -> bool:
        unready = self._path.with_suffix(".new")
        try:
            self._folder.mkdir(exist_ok=True)
            os.mkfifo(unready, 0o666)
            self._ends += [os.open(unready, end | os.O_NONBLOCK) for end in (os.O_RDONLY, os.O_WRONLY)]
            # Under its name only now: one that nobody reads is taken for that of a dead process.
            unready.rename(self._path)
        except OSError:
            self.forget()
            return False
        _opened.add(self)
        return True

    async def close(self) -> None:
        """Send what waits, and listen no longer."""
        await self.hints.close()
        if self._ends:
            asyncio.get_running_loop().remove_reader(self._ends[0])
            self.forget()
            with suppress(OSError):
                await asyncio.to_thread(self._path.unlink)

    def forget(self) -> None:
        """Close the ends and nothing else, as a forked child has to: the pipe is its parent's."""
        ends, self._ends = self._ends, []
        for end in ends:
            os.close(end)

    async def _send(self, texts: Sequence[str]) -> None:
        for piece in _pieces(texts):
            await asyncio.to_thread(self._tell_others, piece)

    def _tell_others(self, piece: bytes) -> None:
        with suppress(OSError), os.scandir(self._folder) as entries:
            for entry in entries:
                if entry.name.endswith(_SUFFIX) and entry.name != self._path.name:
                    _tell(entry.path, piece)

    def _read(self) -> None:
        try:
            said = os.read(self._ends[0], _ALL) if self._ends else b""
        except BlockingIOError:
            return
        *texts, self._rest = (self._rest + said).split(_END)
        for text in texts:
            self.hints.received(text.decode(errors="replace"))
        if len(said) > _MAYBE_FULL:
            self.hints.missed()


def _pieces(texts: Sequence[str]) -> Iterator[bytes]:
    piece = b""
    for text in texts:
        said = text.encode(errors="replace") + _END
        if piece and len(piece) + len(said) > _PIECE:
            yield piece
            piece = b""
        piece += said
    yield piece


def _tell(path: str, piece: bytes) -> None:
    try:
        end = os.open(path, os.O_WRONLY | os.O_NONBLOCK)
    except OSError as error:
        if error.errno == errno.ENXIO:  # nobody reads: its process has died
            with suppress(OSError):
                Path(path).unlink()
        return
    try:
        if stat.S_ISFIFO(os.fstat(end).st_mode):
            with suppress(OSError):  # full, or its reader has just died
                os.write(end, piece)
    finally:
        os.close(end)


_opened: WeakSet[Pipes] = WeakSet()


def _forget_all() -> None:
    for pipes in list(_opened):
        pipes.forget()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_all)
