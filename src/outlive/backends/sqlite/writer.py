"""The one connection that writes: turn, transaction, and what stands in the way of one."""

import sqlite3
import time
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TypeVar

from outlive.backends.file_locks import HAS_QUEUE, is_of_parent
from outlive.backends.sqlite.faults import is_busy
from outlive.backends.sqlite.foreign import held_by_this_process
from outlive.backends.sqlite.link import Link
from outlive.backends.sqlite.schema import check_library, is_current, migrate
from outlive.backends.sqlite.statements import sql, synchronous
from outlive.backends.sqlite.turn import Turn
from outlive.errors import BackendError, BackendLockedError

#: How long a transaction of this very process may keep us out: who holds it may be waiting for us.
OWN_PATIENCE = 0.2

#: Between two tries for SQLite's lock: short at first, since transactions are, then kinder to the machine.
_PAUSES = (0.0005, 0.001, 0.002, 0.005)

T = TypeVar("T")


class Writer:
    """Runs work in write transactions; belongs to one thread. `patience` is in seconds."""

    def __init__(self, path: Path, synchronous: str, patience: float) -> None:
        self.path = path
        self._synchronous = synchronous
        self._link = Link(path, synchronous, patience, reads_only=False)
        self._patience = patience
        self._turn: Turn | None = None

    def prepare(self) -> None:
        """Create the file if there is none, and bring its schema up to date.

        Raises `BackendError` in a child that was forked while the file was open, and for a SQLite that is too old.
        """
        if is_of_parent(_side_file(self.path)):
            raise forked(self.path)
        check_library()
        self._link.use(self._prepare)

    def write(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """Do `work` in a transaction that holds the write lock from its beginning."""
        return self._link.use(lambda connection: self._transact(connection, work))

    def write_unsynced(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """Do the same without waiting for the disk: a power cut may undo it, unless something was written after it."""
        return self._link.use(lambda connection: self._unsynced(connection, work))

    def read(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """Do `work` without a transaction, seeing what was written so far."""
        return self._link.use(work)

    def close(self) -> None:
        """Let go of the file."""
        self._link.close()
        if self._turn is not None:
            self._turn.close()

    def _prepare(self, connection: sqlite3.Connection) -> None:
        with self._in_turn() as deadline:
            # Neither a change to WAL nor the first look at a new file waits for locks of others by itself.
            self._persist(lambda: connection.execute(sql("wal")), deadline)
            if self._persist(lambda: is_current(connection, self.path), deadline):
                return
            with self._transaction(connection, deadline):
                migrate(connection)

    def _transact(self, connection: sqlite3.Connection, work: Callable[[sqlite3.Connection], T]) -> T:
        with self._in_turn() as deadline, self._transaction(connection, deadline):
            return work(connection)

    def _unsynced(self, connection: sqlite3.Connection, work: Callable[[sqlite3.Connection], T]) -> T:
        # As scripts, since this pragma acts when it is compiled, and other statements are compiled once.
        connection.executescript(synchronous("NORMAL"))
        try:
            return self._transact(connection, work)
        finally:
            if connection.in_transaction:  # could not be rolled back, and a script would commit it
                self._link.close()
            else:
                connection.executescript(synchronous(self._synchronous))

    @contextmanager
    def _in_turn(self) -> Generator[float]:
        deadline = time.monotonic() + self._patience
        turn = self._row_of_writers()
        ours = turn is not None and turn.take(self._patience)
        try:
            yield deadline
        finally:
            if turn is not None and ours:
                turn.give()

    def _row_of_writers(self) -> Turn | None:
        if self._turn is None and HAS_QUEUE:
            with suppress(OSError):  # fairness is all that is lost without the side file
                self._turn = Turn(_side_file(self.path))
        return self._turn

    @contextmanager
    def _transaction(self, connection: sqlite3.Connection, deadline: float) -> Generator[None]:
        self._persist(lambda: connection.execute(sql("begin")), deadline)
        try:
            yield
            connection.commit()
        except BaseException:
            with suppress(sqlite3.Error):  # some faults have rolled back already
                connection.rollback()
            raise

    def _persist(self, step: Callable[[], T], deadline: float) -> T:
        ours_since: float | None = None
        for pause in _pauses():
            try:
                return step()
            except sqlite3.OperationalError as error:
                if not is_busy(error):
                    raise
                ours_since = self._since_when_ours(ours_since)
                self._give_up_in_time(ours_since, deadline, error)
            time.sleep(pause)
        raise AssertionError("the pauses have no end")

    def _since_when_ours(self, before: float | None) -> float | None:
        if not held_by_this_process(self.path):
            return None
        return time.monotonic() if before is None else before

    def _give_up_in_time(self, ours_since: float | None, deadline: float, error: sqlite3.OperationalError) -> None:
        now = time.monotonic()
        if ours_since is not None and now - ours_since >= OWN_PATIENCE:
            raise BackendLockedError(
                f"another connection of this process holds a write transaction on {self.path}; commit it before the "
                'response, e.g. declare the session dependency with Depends(..., scope="function"), or give outlive '
                "a file of its own"
            ) from error
        if now >= deadline:
            raise BackendLockedError(
                f"another process has held a write transaction on {self.path} for {self._patience:g} s; let it commit "
                "or end it, make its transactions shorter, or raise busy_timeout"
            ) from error


def forked(path: Path) -> BackendError:
    """Why a file that was open when this process was forked is of no use here.

    SQLite remembers the locks of the process and would count on those that the parent alone has: when the parent
    closes the file, it would remove the log into which the child writes.
    """
    return BackendError(
        f"{path} was open when this process was forked, and SQLite cannot use a file on both sides of a fork; "
        "start the manager in the child alone, start the child by 'spawn', or keep the tasks in a database server"
    )


def _side_file(path: Path) -> Path:
    return Path(f"{path}-outlive-writer")


def _pauses() -> Iterator[float]:
    yield from _PAUSES
    while True:
        yield _PAUSES[-1]
