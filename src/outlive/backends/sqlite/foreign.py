"""Who holds the write lock of a database, where the operating system tells."""

import os
from pathlib import Path

#: In WAL mode the write lock is one byte of the shared-memory file (SQLite file format, section 2.3.1 of the WAL).
_WRITE_LOCK_BYTE = "120"
_PROC_LOCKS = Path("/proc/locks")


def held_by_this_process(database: Path) -> bool:
    """Say whether a connection of this process has the write lock; False where that cannot be known.

    The file is looked at from outside only: opening and closing it would drop the locks that this process has on it.
    """
    try:
        inode = Path(f"{database}-shm").stat().st_ino
        locks = _PROC_LOCKS.read_text(encoding="ascii")
    except OSError:
        return False
    return any(_is_our_write_lock(line.split(), str(inode)) for line in locks.splitlines())


def _is_our_write_lock(words: list[str], inode: str) -> bool:
    # 1: POSIX  ADVISORY  WRITE 4711 fd:01:1835009 120 120; a waiter has "->" in its second place.
    if len(words) != 8 or words[1] != "POSIX" or words[3] != "WRITE":  # noqa: PLR2004 - the words of such a line
        return False
    where, first, last = words[5:]
    return words[4] == str(os.getpid()) and where.endswith(f":{inode}") and first == last == _WRITE_LOCK_BYTE
