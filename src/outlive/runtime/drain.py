"""Shutdown: give back what has not started, let what runs end, interrupt what does not."""

import asyncio
from collections.abc import Iterable
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
    """Empties one process: running tasks get `shutdown_grace`, shielded ones with their handlers `shutdown_timeout`."""

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
        self.give_back_pending()
        await asyncio.gather(
            self._finish(shielded=False, seconds=self._limits.shutdown_grace),
            self._finish(shielded=True, seconds=self._limits.shutdown_timeout),
        )
        await self._let_land()
        self.give_back_pending()
        return len(self._dispatcher.runner.running)

    async def _let_land(self) -> None:
        """Wait for what is being written: it may accept a task, or take one back to pending."""
        with suppress(BackendError, JournalFullError, TimeoutError):
            async with asyncio.timeout(self._limits.flush_patience):
                await commit(self._journal, [])

    def give_back_pending(self) -> None:
        """Free what has not started; what nobody could rebuild ends as interrupted."""
        self._dispatcher.timers.clear()
        for lane in self._dispatcher.lanes.values():
            lane.clear()
        for task in self._store.list():
            if task.status is TaskStatus.PENDING and task.is_durable:
                task.journal.write([self._giving_back(task)])
                self._store.remove(task)
                task.mark_finished(TaskStatus.INTERRUPTED, Interrupted(SHUTDOWN))

    def _giving_back(self, task: Task[Any]) -> Move:
        if task.facts.recoverable and task.journal.keeps_pending:
            return Release(task.id, self._instance)
        return Abandon(task.id, self._instance, self._clock.now(), unrecoverable(task))

    async def _finish(self, *, shielded: bool, seconds: float) -> None:
        running = self._dispatcher.runner.running
        chosen = {runner: task for runner, task in running.items() if task.effective.shield is shielded}
        late = await _wait(chosen, seconds)
        for runner in late:
            self._dispatcher.stop(chosen[runner], Interrupted("the process shut down while it ran"))
        broken = {runner for runner in late if runner.cancelling()}
        await asyncio.gather(_wait(broken, _CLEAN_UP), _wait(late - broken, _LAST_WORD))


async def _wait(runners: Iterable["asyncio.Task[None]"], seconds: float) -> "set[asyncio.Task[None]]":
    waiting = set(runners)
    if not waiting:
        return set()
    _, late = await asyncio.wait(waiting, timeout=seconds)
    return late


def unrecoverable(task: Task[Any]) -> str:
    """Why a record ends with its process, and what to do about it."""
    if not task.journal.keeps_pending:
        return "its process ended before it could run, and persist=False keeps no pending task"
    if not task.definition.declared:
        return (
            f"its process ended and {task.facts.func} is not declared, so no other process could find it; "
            f"declare it with @manager.task()"
        )
    return "its process ended and its arguments could not be stored; annotate the parameters with storable types"
