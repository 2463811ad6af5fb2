"""The driver alone: the same rows in the same batches through plain `sqlite3`, with nothing of outlive around it."""

import asyncio
import sqlite3
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from itertools import count
from pathlib import Path
from queue import SimpleQueue
from types import TracebackType
from typing import Any, Literal, Self
from uuid import UUID

#: The columns that an accepted run has in outlive's own table.
COLUMNS = (
    "id", "func", "func_name", "created_at", "run_at", "owner", "started_at", "source", "timing", "queue", "priority",
    "executor", "label", "tags", "idempotency_key", "arguments", "summary", "options", "recoverable",
    "requeue_on_interrupt", "status", "fence", "attempts",
)  # fmt: skip
LATER = ("ended_at", "error", "stacktrace", "reason", "cancel_requested")

CREATE = f"create table outlive_record ({COLUMNS[0]} text primary key, {', '.join((*COLUMNS[1:], *LATER))})"
INSERT = f"insert into outlive_record ({', '.join(COLUMNS)}) values ({', '.join('?' * len(COLUMNS))})"  # noqa: S608
START = (
    "update outlive_record set status = 'running', fence = fence + 1, attempts = attempts + 1, started_at = ? "
    "where id = ? and status = 'pending' and fence = ? and owner = ?"
)
SETTLE = "update outlive_record set status = 'success', ended_at = ? where id = ? and status = 'running' and fence = ?"

Values = tuple[Any, ...]
Synchronous = Literal["NORMAL", "FULL"]
SETTINGS: tuple[Synchronous, ...] = ("NORMAL", "FULL")

_serial = count(1)


def rows(number: int) -> list[Values]:
    """Rows such as an accepted run of a task with one argument leaves; ids grow with time."""
    now = time.time()
    owner = str(UUID(int=7))
    return [
        (
            str(UUID(int=next(_serial))), "benchmarks.request:noop", "noop", now, now, owner, None, "manual", "enqueue",
            "default", None, "async", None, None, None, '{"address":"a@b.c"}', None, None, 1, 0, "pending", 0, 0,
        )
        for _ in range(number)
    ]  # fmt: skip


def connect(path: Path, synchronous: Synchronous) -> sqlite3.Connection:
    """A table with the same columns and a primary key, and no other index."""
    connection = connect_existing(path, synchronous)
    connection.execute(CREATE)
    return connection


def connect_existing(path: Path, synchronous: Synchronous) -> sqlite3.Connection:
    """A connection set up as outlive sets up its own."""
    connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    connection.execute("pragma journal_mode = wal")
    connection.execute(f"pragma synchronous = {synchronous}")
    connection.execute("pragma cache_size = -16000")
    connection.execute("pragma wal_autocheckpoint = 4000")
    return connection


def insert(connection: sqlite3.Connection, values: Iterable[Values]) -> None:
    """One transaction with these rows."""
    connection.execute("begin immediate")
    connection.executemany(INSERT, values)
    connection.execute("commit")


def step(connection: sqlite3.Connection, starts: Sequence[Values], settles: Sequence[Values]) -> None:
    """One transaction of a drain: end one batch and begin the next."""
    now = time.time()
    connection.execute("begin immediate")
    if settles:
        connection.executemany(SETTLE, [(now, row[0], 1) for row in settles])
    if starts:
        connection.executemany(START, [(now, row[0], 0, row[5]) for row in starts])
    connection.execute("commit")


def batches(values: Sequence[Values], size: int) -> list[Sequence[Values]]:
    """Cut into batches."""
    return [values[at : at + size] for at in range(0, len(values), size)]


class Committer:
    """Group commit by hand: coroutines wait, a thread takes all that wait and commits them as one transaction."""

    def __init__(self, path: Path, synchronous: Synchronous) -> None:
        self._connection = connect(path, synchronous)
        self._queue: SimpleQueue[tuple[list[Values], Callable[[], None]] | None] = SimpleQueue()
        self._waiting: list[asyncio.Future[None]] = []
        self._values: list[Values] = []
        self._busy = False
        self._thread = threading.Thread(target=self._serve, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._queue.put(None)
        self._thread.join()
        self._connection.close()

    async def commit(self) -> None:
        """Return when one row is committed."""
        loop = asyncio.get_running_loop()
        future: asyncio.Future[None] = loop.create_future()
        self._waiting.append(future)
        self._values += rows(1)
        if not self._busy:
            self._busy = True
            loop.call_soon(self._hand_over, loop)
        await future

    def _hand_over(self, loop: asyncio.AbstractEventLoop) -> None:
        waiting, values = self._waiting, self._values
        self._waiting, self._values = [], []

        def done() -> None:
            loop.call_soon_threadsafe(self._resolve, waiting, loop)

        self._queue.put((values, done))

    def _resolve(self, waiting: list[asyncio.Future[None]], loop: asyncio.AbstractEventLoop) -> None:
        for future in waiting:
            future.set_result(None)
        if self._waiting:
            self._hand_over(loop)
        else:
            self._busy = False

    def _serve(self) -> None:
        while (job := self._queue.get()) is not None:
            values, done = job
            insert(self._connection, values)
            done()
