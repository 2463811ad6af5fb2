"""A lock for each instance of this machine: when its process dies, however it dies, others see it at once."""

import os
import socket
import stat
import sys
import tempfile
import time
from collections.abc import Iterable
from contextlib import closing, suppress
from pathlib import Path
from urllib.parse import quote
from uuid import uuid4

from outlive.backends.file_locks import FileLock

#: How long somebody who looks whether we are alive may have the lock.
_PATIENCE = 2.0


def _machine() -> str:
    """What only processes have in common that run under one kernel, and have since it began."""
    if sys.platform != "linux":
        return socket.gethostname()
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    except OSError:
        return uuid4().hex  # in common with nobody


_HERE = _machine()


class Presence:
    """The locks that this process holds in a folder, and the view on those of others.

    A free lock shows a death only where its file is the very one that was locked: a note in it names the machine, the
    file system and the file. A file that is not there, or not that one, says nothing; nor does any to who holds none.
    """

    def __init__(self, folder: Path, *, is_private: bool = False) -> None:
        self._folder = folder
        self._is_private = is_private
        self._held: dict[str, FileLock] = {}

    @property
    def instances(self) -> list[str]:
        """Ids of the instances that are held here."""
        return list(self._held)

    def hold(self, instance: str) -> None:
        """Show that an instance lives, until `drop` or the end of the process; `OSError` where it cannot be shown."""
        held = self._held.get(instance)
        if held is not None and held.is_file():
            return
        self.drop(instance)
        self._folder.mkdir(mode=0o700 if self._is_private else 0o777, exist_ok=True)
        if self._is_private:
            _check_private(self._folder)
        lock = self._held[instance] = self._taken(instance)
        lock.note(_mark(lock))

    def hold_if_possible(self, instance: str) -> None:
        """Do the same, or nothing where files cannot be locked: then others notice the end of its lease."""
        with suppress(OSError):
            self.hold(instance)

    def keep(self, instance: str) -> None:
        """See that the lock of an instance that is held here still has its file, which some systems tidy away."""
        if instance in self._held:
            self.hold_if_possible(instance)

    def drop(self, instance: str) -> None:
        """Let go of an instance that is held here."""
        lock = self._held.pop(instance, None)
        if lock is not None:
            lock.close()

    def drop_all(self) -> None:
        """Let go of all instances that are held here."""
        for instance in self.instances:
            self.drop(instance)

    def remove(self, *instances: str) -> None:
        """Let go of instances, wherever they were held, and of their files."""
        for instance in instances:
            self.drop(instance)
            with suppress(OSError):  # gone already, or still open on Windows: a file does no harm
                self._file(instance).unlink()

    def is_dead(self, instance: str) -> bool:
        """Say whether the process of an instance is known to have ended."""
        if not self._held:
            return False
        with suppress(OSError), closing(FileLock(self._file(instance), create=False)) as lock:
            return lock.take_now() and lock.noted() == _mark(lock)
        return False

    def lost(self, instances: Iterable[tuple[str, bool]]) -> list[str]:
        """Those whose lease has run out, as is said of each, or that are known to be dead."""
        return [instance for instance, is_expired in instances if is_expired or self.is_dead(instance)]

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


def of_this_user() -> Presence:
    """The presence of instances that share a server: of the processes of one user on one machine."""
    user = "" if sys.platform == "win32" else f"-{os.getuid()}"
    folder = Path(os.environ.get("XDG_RUNTIME_DIR") or tempfile.gettempdir())
    return Presence(folder / f"outlive{user}", is_private=True)


def _mark(lock: FileLock) -> str:
    status = lock.stat()
    return f"{_HERE} {status.st_dev} {status.st_ino}"


def _check_private(folder: Path) -> None:
    """Where anybody may make folders somebody else may have made this one, to tell us of deaths."""
    if sys.platform == "win32":
        return
    status = folder.lstat()
    if not stat.S_ISDIR(status.st_mode) or status.st_uid != os.getuid() or status.st_mode & 0o077:
        raise OSError(f"{folder} is not this user's alone")
