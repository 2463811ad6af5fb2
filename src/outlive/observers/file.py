"""A file of what tasks log."""

import logging
from logging.handlers import RotatingFileHandler, WatchedFileHandler
from pathlib import Path

from outlive.core.events import LifecycleEvent, LogEvent
from outlive.errors import ConfigError
from outlive.observers.lines import lifecycle_line, log_line
from outlive.observers.observer import TaskObserver

MAX_BYTES = 10 * 1024 * 1024
BACKUP_COUNT = 5


class FileLogger(TaskObserver):
    """Writes a line for each `task_log` call to a file, and with `log_lifecycle` for what becomes of tasks.

    `mode`: "rotate" begins a new file at `max_bytes` and keeps `backup_count` old ones, for one process; "watched"
    leaves that to a tool such as logrotate and opens the file anew when it was moved, for any number of processes.
    """

    def __init__(
        self,
        path: str | Path,
        *,
        max_bytes: int = MAX_BYTES,
        backup_count: int = BACKUP_COUNT,
        mode: str = "rotate",
        log_lifecycle: bool = False,
        min_level: str = "info",
    ) -> None:
        super().__init__(min_level)
        if mode not in ("rotate", "watched"):
            raise ConfigError(f'mode={mode!r} of a log file is unknown; use "rotate" or "watched"')
        if max_bytes < 0 or backup_count < 0:
            raise ConfigError(f"max_bytes={max_bytes} and backup_count={backup_count} must be 0 or more")
        # Absolute now: where the file is must not depend on the working directory of a later moment.
        self.path = Path(path).absolute()
        if not self.path.parent.is_dir():
            raise ConfigError(f"the folder of the log file {self.path} does not exist; create it first")
        self.log_lifecycle = log_lifecycle
        self._mode, self._max_bytes, self._backup_count = mode, max_bytes, backup_count
        self._handler: logging.Handler | None = None

    def startup(self) -> None:
        """Open the file."""
        if self._mode == "rotate":
            self._handler = _Rotating(self.path, "a", self._max_bytes, self._backup_count, "utf-8")
        else:
            self._handler = _Watched(self.path, "a", "utf-8")

    def on_log(self, event: LogEvent) -> None:
        """Write what a task has said."""
        self._write(log_line(event))

    def on_lifecycle(self, event: LifecycleEvent) -> None:
        """Write how a task has got on, where that is wanted."""
        if self.log_lifecycle:
            self._write(lifecycle_line(event))

    def close(self) -> None:
        """Close the file."""
        if self._handler is not None:
            self._handler.close()

    def _write(self, line: str) -> None:
        if self._handler is not None:
            self._handler.emit(logging.makeLogRecord({"msg": line}))


class _Rotating(RotatingFileHandler):
    def handleError(self, record: logging.LogRecord) -> None:  # noqa: ARG002, N802 - the name is that of logging
        raise  # noqa: PLE0704 - called while it is handled; who hands over events logs it


class _Watched(WatchedFileHandler):
    def handleError(self, record: logging.LogRecord) -> None:  # noqa: ARG002, N802 - the name is that of logging
        raise  # noqa: PLE0704 - as above
