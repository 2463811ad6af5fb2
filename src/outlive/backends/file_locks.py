"""Locks of the operating system on files of their own; they end with the process that holds them, however it ends."""

import os
import sys
import threading
from contextlib import suppress
from pathlib import Path
from weakref import WeakSet

if sys.platform == "win32":
    import msvcrt

    def _try_lock(descriptor: int) -> None:
        msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)

    def _wait_lock(descriptor: int) -> None:
        msvcrt.locking(descriptor, msvcrt.LK_LOCK, 1)

    def _unlock(descriptor: int) -> None:
        os.lseek(descriptor, 0, os.SEEK_SET)
        msvcrt.locking(descriptor, msvcrt.LK_UNLCK, 1)
else:
    import fcntl

    def _try_lock(descriptor: int) -> None:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)

    def _wait_lock(descriptor: int) -> None:
        fcntl.flock(descriptor, fcntl.LOCK_EX)

    def _unlock(descriptor: int) -> None:
        fcntl.flock(descriptor, fcntl.LOCK_UN)


#: Whether waiters are served in the order of their coming.
HAS_QUEUE = sys.platform != "win32"


class FileLock:
    """An exclusive lock on a file, which other holders of this class in this or any process respect."""

    def __init__(self, path: Path, *, create: bool = True) -> None:
        self.path = path
        flags = os.O_RDWR | (os.O_CREAT if create else 0)
        with _opening:
            self._descriptor: int | None = os.open(path, flags, 0o666)
            _open_locks.add(self)

    def take_now(self) -> bool:
        """Take the lock if nobody holds it."""
        try:
            _try_lock(self._open())
        except OSError:
            return False
        return True

    def take(self) -> None:
        """Wait until the lock is ours; others are served in the order of their coming."""
        _wait_lock(self._open())

    def give(self) -> None:
        """Let the lock go; harmless on a closed one."""
        if self._descriptor is not None:
            _unlock(self._descriptor)

    def close(self) -> None:
        """Let the lock and the file go."""
        with _opening:
            descriptor, self._descriptor = self._descriptor, None
            _open_locks.discard(self)
        if descriptor is not None:
            os.close(descriptor)

    def note(self, text: str) -> None:
        """Write what whoever takes the lock after us can read; while it is ours."""
        os.ftruncate(self._open(), 0)
        os.write(self._open(), text.encode())

    def noted(self) -> str:
        """What the last holder has noted; while the lock is ours."""
        return os.read(self._open(), 1024).decode(errors="replace")

    def stat(self) -> os.stat_result:
        """What the system says of the locked file, wherever it is now."""
        return os.fstat(self._open())

    def is_file(self) -> bool:
        """Say whether the locked file still is the one at its path."""
        try:
            return os.path.samestat(self.stat(), self.path.stat())
        except OSError:
            return False

    def forget(self) -> None:
        """Close the file without a word to the lock, as a forked child has to.

        It shares the descriptor: unlocking would unlock the parent, keeping it would hold the lock beyond the
        parent's death.
        """
        if self._descriptor is not None:
            with suppress(OSError):
                os.close(self._descriptor)
            self._descriptor = None

    def _open(self) -> int:
        if self._descriptor is None:
            raise OSError(f"the lock on {self.path} is closed")
        return self._descriptor


_opening = threading.Lock()
_open_locks: WeakSet[FileLock] = WeakSet()
_of_parent: set[Path] = set()


def is_of_parent(path: Path) -> bool:
    """Whether the lock on this file was open where this process was forked from, when it was."""
    return path in _of_parent


def _forget_all() -> None:
    for lock in list(_open_locks):
        _of_parent.add(lock.path)
        lock.forget()
    _open_locks.clear()
    _opening.release()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_opening.acquire, after_in_parent=_opening.release, after_in_child=_forget_all)
