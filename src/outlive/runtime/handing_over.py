"""Accepting a run inside a transaction of the caller's, and noticing that it was committed."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from outlive.definitions.task import Task
from outlive.errors import ConfigError, TaskArgumentError
from outlive.ports import Backend, CallersTransaction, Statement, TransactionalBackend
from outlive.runtime.intake import Intake
from outlive.runtime.process import Process
from outlive.runtime.service import Service

#: Seconds between two looks for one record: the first ones, and the longest.
_FIRST, _LONGEST = 0.005, 0.5
#: Seconds after which a transaction is taken to have been rolled back; a later commit is found as others' work is.
_PATIENCE = 600.0


@dataclass(slots=True)
class _Wait:
    since: float
    look_at: float


class HandingOver(Service):
    """Writes records on connections of callers, and tells `committed` when one of them is there for all."""

    def __init__(self, process: Process, backend: Backend, intake: Intake, committed: Callable[[], None]) -> None:
        super().__init__(process)
        self._store = process.store
        self._backend = backend
        self._intake = intake
        self._committed = committed
        self._home = asyncio.get_running_loop()
        self._waits: dict[str, _Wait] = {}

    async def accept(self, task: Task[Any], connection: CallersTransaction) -> Task[Any]:
        """Accept a run; it is durable when the caller has committed."""
        await connection.accept(self._statements(task))
        return self._handed_over(task)

    def accept_now(self, task: Task[Any], connection: CallersTransaction) -> Task[Any]:
        """Do the same on a connection that blocks; from any thread."""
        connection.accept_now(self._statements(task))
        return self._handed_over(task)

    def _statements(self, task: Task[Any]) -> Sequence[Statement]:
        if not isinstance(self._backend, TransactionalBackend):
            raise ConfigError(
                f"connection=... needs a backend that keeps its tables in the caller's database, a SQLite file or "
                f"PostgreSQL; this one is {type(self._backend).__name__}"
            )
        if not task.facts.recoverable or not task.journal.survives_process:
            raise TaskArgumentError(
                f"{task.facts.func_name} cannot be accepted inside the caller's transaction, since whoever runs it has "
                "the record alone: declare the function with @manager.task(), and let it be stored"
            )
        self._intake.admit(task)
        task.facts.owner = None
        return self._backend.accepting(task.facts)

    def _handed_over(self, task: Task[Any]) -> Task[Any]:
        task.is_submitted = True
        task.mark_durable()
        self._home.call_soon_threadsafe(self._expect, task)
        return task

    # -- waiting for the commit ------------------------------------------------------------------

    def _expect(self, task: Task[Any]) -> None:
        self._store.send_away(task)
        now = self.clock.now()
        self._waits[task.id] = _Wait(now, now + _FIRST)
        self.wake()

    async def step(self) -> None:
        """Look for those whose time has come."""
        now = self.clock.now()
        due = [task_id for task_id, wait in self._waits.items() if wait.look_at <= now]
        there = [task_id for task_id in due if await self._backend.get(task_id) is not None]
        for task_id in there:
            del self._waits[task_id]
        if there:
            self._committed()
        for task_id in set(due).difference(there):
            self._look_later(task_id, now)
        if self._waits:
            self.wake_at(min(wait.look_at for wait in self._waits.values()))

    def _look_later(self, task_id: str, now: float) -> None:
        wait = self._waits[task_id]
        if now - wait.since > _PATIENCE:
            del self._waits[task_id]
        else:
            wait.look_at = now + min(max(now - wait.since, _FIRST), _LONGEST)
