"""Whose turn it is to write: a lock on a side file that the processes of a host take before SQLite's own.

SQLite lets waiting writers poll, so that a busy process keeps the others out for seconds; the kernel serves the
waiters of a file lock in order. It is about fairness alone: what protects the data is SQLite's lock, so a turn that
does not come (its holder was stopped) is done without.
"""

import threading
from pathlib import Path
from queue import SimpleQueue

from outlive.backends.file_locks import FileLock


class _Ticket:
    """One wait for the turn. It may come after the waiter has gone, and then goes on at once."""

    def __init__(self) -> None:
        self._guard = threading.Lock()
        self._came = threading.Event()
        self._abandoned = False

    def wait(self, timeout: float) -> bool:
        """Say whether the turn has come in time."""
        if self._came.wait(timeout):
            return True
        with self._guard:
            self._abandoned = not self._came.is_set()
            return not self._abandoned

    def come(self, lock: FileLock) -> bool:
        """Hand the turn to the waiter; False, and the lock let go, where it has gone."""
        with self._guard:
            if self._abandoned:
                lock.give()
                return False
            self._came.set()
            return True


class Turn:
    """This process's place in the row of writers: one writes, one is next, who is neither waits to be next.

    A lock alone would be had by whoever has just let it go, before the waiter is awake.
    """

    def __init__(self, path: Path) -> None:
        self._lock = FileLock(path)
        self._next = FileLock(path.with_name(f"{path.name}-next"))
        self._tickets: SimpleQueue[_Ticket | None] = SimpleQueue()
        self._waiter: threading.Thread | None = None
        self._waiting_in_vain = False

    def take(self, timeout: float) -> bool:
        """Wait for the turn; False where it did not come in time, and the writer has to do without."""
        if self._waiting_in_vain:
            return False
        return self._take_now() or self._wait(timeout)

    def give(self) -> None:
        """Let the next one write."""
        self._lock.give()

    def close(self) -> None:
        """Leave the row; a wait that is still under way ends by itself."""
        self._tickets.put(None)
        self._lock.close()
        self._next.close()

    def _take_now(self) -> bool:
        if not (self._next.take_now() and self._lock.take_now()):
            return False  # and may be next from now on
        self._next.give()
        return True

    def _wait(self, timeout: float) -> bool:
        # The kernel keeps the order only among those that block, and it knows no timeout: a thread of its own blocks.
        if self._waiter is None:
            self._waiter = threading.Thread(target=self._serve, name="outlive-sqlite-turn", daemon=True)
            self._waiter.start()
        ticket = _Ticket()
        self._tickets.put(ticket)
        came = ticket.wait(timeout)
        self._waiting_in_vain = not came
        return came

    def _serve(self) -> None:
        while (ticket := self._tickets.get()) is not None:
            try:
                self._next.take()
                self._lock.take()
                self._next.give()
            except OSError:
                return  # closed
            if not ticket.come(self._lock):
                self._waiting_in_vain = False
