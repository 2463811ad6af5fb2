"""Writes how far attempts say they have come: at once, and then at most every `EVERY` seconds for each."""

import asyncio
import threading
from contextlib import suppress
from functools import partial
from typing import Any

from outlive.core.moves import Advance
from outlive.core.progress import Progress
from outlive.definitions.task import Task
from outlive.runtime.process import Process

#: Seconds between two writes for one attempt; what was said between them is never written.
EVERY = 0.5

#: The attempt, by its fence, and what it has said.
_Said = tuple[int, Progress]


class Advances:
    """Keeps the newest word of each attempt until it is written."""

    def __init__(self, process: Process) -> None:
        self._clock = process.clock
        self._loop = asyncio.get_running_loop()
        self._loop_thread = threading.get_ident()
        self._lock = threading.Lock()
        # Said in threads, and not yet heard on the event loop.
        self._said: dict[Task[Any], _Said] = {}
        # Written not long ago; what was said since then waits here.
        self._waiting: dict[Task[Any], _Said | None] = {}

    def say(self, task: Task[Any], done: float, total: float | None, message: str | None) -> None:
        """Take it down; from any thread."""
        said = task.fence, Progress(done, total, message, self._clock.now())
        if threading.get_ident() == self._loop_thread:
            self._take(task, said)
            return
        with self._lock:
            is_first = task not in self._said
            self._said[task] = said
        if is_first:
            with suppress(RuntimeError):  # a thread that outlived the event loop has nobody to write for it
                self._loop.call_soon_threadsafe(self._hear, task)

    def finish(self, task: Task[Any]) -> None:
        """The attempt is over: write the last that it has said."""
        self._hear(task)
        waiting = self._waiting.pop(task, None)
        if waiting is not None:
            self._write(task, waiting)

    def _hear(self, task: Task[Any]) -> None:
        with self._lock:
            said = self._said.pop(task, None)
        if said is not None:
            self._take(task, said)

    def _take(self, task: Task[Any], said: _Said) -> None:
        if task in self._waiting:
            self._waiting[task] = said
        else:
            self._write(task, said)
            self._pause(task)

    def _pause(self, task: Task[Any]) -> None:
        self._waiting[task] = None
        self._clock.call_at(self._clock.now() + EVERY, partial(self._go_on, task))

    def _go_on(self, task: Task[Any]) -> None:
        waiting = self._waiting.pop(task, None)
        if waiting is not None:
            self._write(task, waiting)
            self._pause(task)

    @staticmethod
    def _write(task: Task[Any], said: _Said) -> None:
        fence, progress = said
        task.journal.write([Advance(task.id, fence, progress.to_text())])
