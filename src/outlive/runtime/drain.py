"""Shutdown: give back what has not started, let what runs end, interrupt what does not."""

import asyncio
from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import Any

from outlive.core.moves import Abandon, Move, Release
from outlive.core.settle import Interrupted
from outlive.core.states import TaskStatus
from outlive.definitions.task import Task
from outlive.errors import BackendError, JournalFullError
from outlive.runtime.dispatcher import SHUTDOWN, Dispatcher
from outlive.runtime.journal import Journal, commit
from outlive.runtime.process import Process

#: Seconds that an interrupted coroutine has for its clean-up.
_CLEAN_UP = 5.0
#: Seconds that a thread has to see that it was asked to stop.
_LAST_WORD = 0.5


class Drain:
    """Empties one process.

    Running tasks get `shutdown_grace`, those in worker processes `process_shutdown_timeout`, shielded ones with their
    handlers `shutdown_timeout`.
    """

    def __init__(self, process: Process, dispatcher: Dispatcher, journal: Journal) -> None:
        self._instance = process.instance.id
        self._store = process.store
        self._clock = process.clock
        self._limits = process.limits
        self._dispatcher = dispatcher
        self._journal = journal

    async def run(self) -> int:
        """Drain; say how many bodies could not be made to end (threads)."""
        self._dispatcher.is_draining = True
        self._give_back(lambda task: not task.ends_with_process)
        await asyncio.gather(
            self._finish("grace", self._limits.shutdown_grace),
            self._finish("process", self._limits.process_shutdown_timeout),
            self._finish("shield", self._limits.shutdown_timeout),
        )
        await self._let_land()
        self._give_back(lambda _task: True)
        return len(self._dispatcher.runner.running)

    async def _let_land(self) -> None:
        """Wait for what is being written: it may accept a task, or take one back to pending."""
        with suppress(BackendError, JournalFullError, TimeoutError):
            async with asyncio.timeout(self._limits.flush_patience):
                await commit(self._journal, [])

    def _give_back(self, wanted: Callable[[Task[Any]], bool]) -> None:
        """Let go of what has not started."""
        for task in self._store.list():
            if task.is_pending and task.is_durable and wanted(task):
                task.journal.write([self._giving_back(task)])
                self._store.remove(task)
                task.mark_finished(TaskStatus.INTERRUPTED, Interrupted(SHUTDOWN))

    def _giving_back(self, task: Task[Any]) -> Move:
        if task.facts.recoverable and task.journal.keeps_pending:
            return Release(task.id, self._instance)
        return Abandon(task.id, self._instance, self._clock.now(), unrecoverable(task))

    async def _finish(self, group: str, seconds: float) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._work_off(group)
        self._dispatcher.closed_to.add(group)
        late = self._running(group)
        for task in late.values():
            self._dispatcher.stop(task, Interrupted("the process shut down while it ran"))
        broken = {runner for runner in late if runner.cancelling()}
        await asyncio.gather(_wait(broken, _CLEAN_UP), _wait(late.keys() - broken, _LAST_WORD))

    async def _work_off(self, group: str) -> None:
        """Return when nothing runs, and nothing is due that has to run here because nobody else could run it."""
        while (running := self._running(group)) or self._is_anything_due(group):
            if running:
                await asyncio.wait(running, return_when=asyncio.FIRST_COMPLETED)
            else:
                await commit(self._journal, [])  # its start is being written

    def _running(self, group: str) -> "dict[asyncio.Task[None], Task[Any]]":
        running = self._dispatcher.runner.running
        return {runner: task for runner, task in running.items() if task.shutdown_group == group}

    def _is_anything_due(self, group: str) -> bool:
        if self._dispatcher.is_held:
            return False
        now = self._clock.now()
        return any(
            task.is_pending and task.ends_with_process and task.shutdown_group == group and task.run_at <= now
            for task in self._store
            if task.hold is None and task.is_durable and not task.is_parked
        )


async def _wait(runners: Iterable["asyncio.Task[None]"], seconds: float) -> None:
    waiting = set(runners)
    if waiting:
        await asyncio.wait(waiting, timeout=seconds)


def unrecoverable(task: Task[Any]) -> str:
    """Why a record ends with its process, and what to do about it."""
    if not task.journal.keeps_pending:
        return "its process ended before it could run, and persist=False keeps no pending task"
    if task.turn is not None:
        return "its process ended, and with it the locks that its interval runs under; the next turn takes its place"
    if not task.definition.declared:
        return (
            f"its process ended and {task.facts.func} is not declared, so no other process could find it; "
            f"declare it with @manager.task()"
        )
    return "its process ended and its arguments could not be stored; annotate the parameters with storable types"
