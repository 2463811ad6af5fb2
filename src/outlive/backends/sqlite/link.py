"""A connection that is opened when it is needed, and anew after a fault that may have spoilt it."""

import sqlite3
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TypeVar

from outlive.backends.sqlite.faults import translate
from outlive.backends.sqlite.statements import sql, synchronous
from outlive.errors import BackendLockedError, BackendUnavailableError

T = TypeVar("T")

#: Enough for every statement in every size, so that none is compiled twice.
CACHED_STATEMENTS = 512


class Link:
    """The connection of one thread.

    `timeout`: seconds to wait for locks, while it is opened and, where it only reads, later.
    """

    def __init__(self, path: Path, synchronous: str, timeout: float, *, reads_only: bool) -> None:
        self.path = path
        self._synchronous = synchronous
        self._timeout = timeout
        self._reads_only = reads_only
        self._connection: sqlite3.Connection | None = None

    def use(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """Do `work` with the connection."""
        try:
            return work(self._opened())
        except sqlite3.Error as error:
            meaning = translate(error, self.path)
            if meaning is None:
                raise  # the fault is in what was asked
            if not isinstance(meaning, BackendLockedError):
                self.close()
            raise meaning from error

    def close(self) -> None:
        """Let go of the connection."""
        connection, self._connection = self._connection, None
        if connection is not None:
            with suppress(sqlite3.Error):
                connection.close()

    def _opened(self) -> sqlite3.Connection:
        if self._connection is None:
            self._connection = self._open()
        return self._connection

    def _open(self) -> sqlite3.Connection:
        folder = self.path.absolute().parent
        if not folder.is_dir():
            raise BackendUnavailableError(f"the folder {folder} of the database does not exist; create it")
        connection = sqlite3.connect(
            self.path,
            timeout=self._timeout,
            isolation_level=None,
            check_same_thread=False,
            cached_statements=CACHED_STATEMENTS,
        )
        try:
            self._prepare(connection)
        except BaseException:
            connection.close()
            raise
        return connection

    def _prepare(self, connection: sqlite3.Connection) -> None:
        connection.executescript(f"{sql('connect')};{synchronous(self._synchronous)}")
        connection.execute(sql("query_only" if self._reads_only else "no_wait"))
