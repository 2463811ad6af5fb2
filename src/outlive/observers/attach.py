"""Brings what code logs with the standard `logging` into the record of the task that it runs in."""

import logging

from outlive.definitions.context import current


class TaskLogHandler(logging.Handler):
    """Add it to a logger, and its lines stand in the log of the task that they come from; others are left alone.

    `logging.getLogger("shop").addHandler(TaskLogHandler())`. `level`: what is less severe is not taken, default INFO.
    What outlive itself logs is not taken.
    """

    def __init__(self, level: int | str = logging.INFO) -> None:
        super().__init__(level)

    def emit(self, record: logging.LogRecord) -> None:
        """Write the line to the record of the current task, if there is one."""
        task = current.get()
        if task is None or record.name.partition(".")[0] == "outlive":
            return
        try:
            task.log(_level(record.levelno), self.format(record), {})
        except Exception:  # noqa: BLE001 - a line that cannot be formatted is no reason for a task to fail
            self.handleError(record)


def _level(number: int) -> str:
    if number >= logging.ERROR:
        return "error"
    if number >= logging.WARNING:
        return "warning"
    return "info" if number >= logging.INFO else "debug"
