"""A lock for each instance of this host: when its process dies, however it dies, others can take it at once."""

import os
import time
from contextlib import suppress
from pathlib import Path
from urllib.parse import quote

from outlive.backends.sqlite.locks import FileLock
from outlive.errors import BackendUnavailableError

#: How long somebody who looks whether we are alive may have the lock.
_PATIENCE = 2.0


class Presence:
    """The locks that this process holds, and the view on those of others."""

    def __init__(self, database: Path) -> None:
        self._folder = Path(f"{database}.instances")
        self._held: dict[str, FileLock] = {}

    @property
    def instances(self) -> list[str]:
        """Ids of the instances that are held here."""
        return list(self._held)

    def hold(self, instance: str) -> None:
        """Show that an instance lives, until `drop` or the end of the process."""
        held = self._held.get(instance)
        if held is not None and held.is_file():
            return
        self.drop(instance)
        try:
            self._folder.mkdir(exist_ok=True)
            self._held[instance] = self._taken(instance)
        except OSError as error:
            raise BackendUnavailableError(
                f"cannot lock {self._file(instance)}: {error}; let this process write that folder"
            ) from error

    def drop(self, instance: str) -> None:
        """Let go of an instance that is held here."""
        lock = self._held.pop(instance, None)
        if lock is not None:
            lock.close()

    def remove(self, instance: str) -> None:
        """Let go of an instance, wherever it was held, and of its file."""
        self.drop(instance)
        with suppress(OSError):  # gone already, or still open on Windows: an empty file does no harm
            self._file(instance).unlink()

    def is_dead(self, instance: str) -> bool:
        """Say whether an instance of this host is known to have died; a missing file says nothing."""
        try:
            lock = FileLock(self._file(instance), create=False)
        except OSError:
            return False
        try:
            return lock.take_now()
        finally:
            lock.close()

    def _taken(self, instance: str) -> FileLock:
        deadline = time.monotonic() + _PATIENCE
        while True:
            lock = FileLock(self._file(instance))
            # Somebody may have removed the file between our opening and our locking it.
            if lock.take_now() and lock.is_file():
                return lock
            lock.close()
            if time.monotonic() > deadline:
                raise OSError(f"it is held by another process than {os.getpid()}, which has the same instance id")
            time.sleep(0.001)

    def _file(self, instance: str) -> Path:
        return self._folder / f"{quote(instance, safe='')}.lock"
