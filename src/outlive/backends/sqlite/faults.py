"""What SQLite says, as errors of outlive that carry the remedy."""

import sqlite3
from pathlib import Path

from outlive.errors import BackendCorruptError, BackendError, BackendLockedError, BackendUnavailableError

_LOCKED = frozenset({sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED})
_UNAVAILABLE = {
    sqlite3.SQLITE_FULL: "make room on the disk",
    sqlite3.SQLITE_READONLY: "let this process write the file and its folder",
    sqlite3.SQLITE_IOERR: "look at the disk and the system log",
    sqlite3.SQLITE_CANTOPEN: "let this process open the file and create files beside it",
    sqlite3.SQLITE_PERM: "let this process write the file and its folder",
    sqlite3.SQLITE_AUTH: "let this process write the file and its folder",
    sqlite3.SQLITE_PROTOCOL: "too many processes open the file at once; try again",
    sqlite3.SQLITE_NOLFS: "the file has outgrown its file system",
}
_CORRUPT = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB})


def translate(error: sqlite3.Error, path: Path) -> BackendError | None:
    """Say what an error of SQLite means; None where it is the fault of what was asked, not of the file."""
    code = _primary(error)
    if code in _LOCKED:
        return BackendLockedError(f"{path} is locked by another transaction ({error}); try again")
    if code in _UNAVAILABLE:
        return BackendUnavailableError(f"{path} cannot be used: {error}; {_UNAVAILABLE[code]}")
    if code in _CORRUPT or str(error).startswith("no such "):
        return BackendCorruptError(
            f"{path} is damaged or is no database of outlive: {error}; "
            "restore it from a backup, or move it away to begin with an empty one"
        )
    return None


def is_busy(error: sqlite3.Error) -> bool:
    """Say whether somebody else's lock is all that was in the way."""
    return _primary(error) in _LOCKED


def _primary(error: sqlite3.Error) -> int:
    # The low byte is the class of the error, the rest its details. Errors of the module itself have no code.
    return getattr(error, "sqlite_errorcode", 0) & 0xFF
