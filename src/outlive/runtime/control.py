"""What handles and the admin ask of the runtime: log, cancel, requeue, follow."""

import asyncio
import threading
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any

import anyio

from outlive.core.events import LogEvent
from outlive.core.moves import AskCancel, Cancel, Log, Requeue
from outlive.core.record import TaskRecord
from outlive.core.settle import Cancelled
from outlive.core.states import FINAL, REQUEUABLE, TaskStatus
from outlive.core.text import storable
from outlive.definitions.context import with_extra
from outlive.definitions.coordination import Coordination
from outlive.definitions.task import Task
from outlive.errors import TaskConflictError, TaskStateError, UnknownTaskError
from outlive.ports import Backend
from outlive.runtime.advances import Advances
from outlive.runtime.claimer import Claimer
from outlive.runtime.deferred import DeferredJournal
from outlive.runtime.dispatcher import Dispatcher
from outlive.runtime.journal import Journal, commit
from outlive.runtime.process import Process
from outlive.runtime.telling import log_event

#: Seconds between looks at a record that another process runs.
LOOK = 0.25


class Control:
    """Acts on records, live here or not."""

    def __init__(self, process: Process, backend: Backend, journal: Journal) -> None:
        self._store = process.store
        self._clock = process.clock
        self._observe = process.observe
        self._advances = Advances(process)
        self._backend = backend
        self._journal = journal
        self._loop = asyncio.get_running_loop()
        self._loop_thread = threading.get_ident()
        self.coordination = Coordination(backend, process.clock, self._loop, lambda: process.duty.is_off)
        self.dispatcher: Dispatcher | None = None
        self.claimer: Claimer | None = None
        self.deferred: DeferredJournal | None = None

    # -- log -------------------------------------------------------------------------------------

    def log(self, task: Task[Any], level: str, message: str, extra: Mapping[str, Any]) -> None:
        """Append a line to a record and tell observers; from any thread."""
        at = self._clock.now()
        move = Log(task.id, max(1, task.attempts), at, level, storable(with_extra(message, extra)))
        event = None if self._observe is None else log_event(task, level, message, at, extra)
        if threading.get_ident() == self._loop_thread:
            self._log(task, move, event)
        else:
            with suppress(RuntimeError):  # a thread that outlived the event loop has nobody to write for it
                self._loop.call_soon_threadsafe(self._log, task, move, event)

    def _log(self, task: Task[Any], move: Log, event: LogEvent | None) -> None:
        task.journal.write([move])
        if event is not None and self._observe is not None:
            self._observe(event)

    def advance(self, task: Task[Any], done: float, total: float | None, message: str | None) -> None:
        """Take down how far a task has come; from any thread."""
        self._advances.say(task, done, total, message)

    def advanced(self, task: Task[Any]) -> None:
        """An attempt is over: write how far it had come."""
        self._advances.finish(task)

    # -- cancel ----------------------------------------------------------------------------------

    async def cancel(self, task: Task[Any], reason: str) -> bool:
        """Cancel a live task, also one that its request still holds back."""
        if task.hold is not None:
            task.hold.submit(task)
        return await self.cancel_by_id(task.id, reason)

    async def cancel_by_id(self, task_id: str, reason: str) -> bool:
        """Cancel a record: one that has not started never will, a running body is asked to end.

        False where it has already ended. Raises `UnknownTaskError` where there is no such record.
        """
        while (answer := await self._try_to_cancel(task_id, reason)) is None:
            pass
        return answer

    async def _try_to_cancel(self, task_id: str, reason: str) -> bool | None:
        """What `cancel_by_id` says, None where the record went back to pending meanwhile."""
        task = self._store.get(task_id)
        if task is not None and task.status is TaskStatus.RUNNING:
            return await self._stop(task, reason)
        journal = self._journal if task is None else task.journal
        (cancelled,) = await commit(journal, [Cancel(task_id, self._clock.now(), reason)])
        if cancelled:
            self.forget(task or self._store.welcome_back(task_id), reason)
            return True
        task = self._store.get(task_id)
        if task is not None and task.status is TaskStatus.RUNNING:
            return await self._stop(task, reason)
        return await self._ask_elsewhere(task_id, reason)

    async def break_off(self, task: Task[Any], reason: str) -> None:
        """End a run of this process, without waiting for the backend to be told; return when it has ended."""
        if task.status is TaskStatus.RUNNING:
            assert self.dispatcher is not None
            self.dispatcher.stop(task, Cancelled(reason))
        else:
            await self.cancel(task, reason)
        await self.follow(task)

    def forget(self, task: Task[Any] | None, reason: str) -> None:
        """Let go of a task of this process whose record was cancelled before it started."""
        if task is None:
            return
        task.mark_finished(TaskStatus.CANCELLED, Cancelled(reason))
        assert self.dispatcher is not None
        self.dispatcher.drop(task)

    async def _stop(self, task: Task[Any], reason: str) -> bool | None:
        assert self.dispatcher is not None
        task.stop_as = Cancelled(reason)  # a body that ends while this is written counts as cancelled already
        (asked,) = await commit(task.journal, [AskCancel(task.id, reason)])
        if task.status is TaskStatus.PENDING:
            return None
        if asked and task.status is TaskStatus.RUNNING:
            self.dispatcher.stop(task, Cancelled(reason))
        return asked

    async def _ask_elsewhere(self, task_id: str, reason: str) -> bool | None:
        (asked,) = await commit(self._journal, [AskCancel(task_id, reason)])
        record = None if asked else await self._backend.get(task_id)
        if not asked and record is None:
            raise UnknownTaskError(f"there is no task {task_id!r}")
        if record is not None and record.id != task_id:
            return await self._try_to_cancel(record.id, reason)
        return asked

    # -- requeue ---------------------------------------------------------------------------------

    async def requeue(self, task_id: str) -> None:
        """Run an ended record again, under its id, with its history.

        Raises `UnknownTaskError`, or `TaskStateError` where it has not ended, cannot be rebuilt, or another record
        holds its idempotency key.
        """
        if self.deferred is not None:
            await self.deferred.step()  # what is to run again must be in the backend
        (done,) = await commit(self._journal, [Requeue(task_id, self._clock.now())])
        if not done:
            await self._requeue_holder(task_id)
            return
        assert self.claimer is not None
        await self.claimer.explain()
        self.claimer.wake()

    async def requeue_many(self, task_ids: Sequence[str]) -> Sequence[bool]:
        """Run ended records again, written together; for each, say whether it will."""
        if self.deferred is not None:
            await self.deferred.step()
        done = await commit(self._journal, [Requeue(task_id, self._clock.now()) for task_id in task_ids])
        assert self.claimer is not None
        await self.claimer.explain()
        self.claimer.wake()
        return done

    async def _requeue_holder(self, task_id: str) -> None:
        record = await self._backend.get(task_id)
        if record is None:
            raise UnknownTaskError(f"there is no task {task_id!r}")
        if record.id == task_id:
            raise _why_not_requeued(record)
        await self.requeue(record.id)

    # -- follow ----------------------------------------------------------------------------------

    async def follow(self, task: Task[Any]) -> None:
        """Return when the record has ended; one that is not live here is looked up now and then."""
        while task.status not in FINAL:
            with anyio.move_on_after(LOOK):
                await task.finished.wait()
            live = self._store.get(task.id)
            if live is None and task.status not in FINAL:
                await self._look_up(task)
            elif live is not None and live is not task:  # an idempotency key made this a second handle
                await self.follow(live)
                task.mark_finished(live.status, live.outcome)

    async def _look_up(self, task: Task[Any]) -> None:
        record = await self._backend.get(task.id)
        if record is not None and record.is_final:
            task.end_as(record)


def _why_not_requeued(record: TaskRecord) -> Exception:
    if record.status not in REQUEUABLE:
        return TaskStateError(f"task {record.id} is {record.status}; only an ended one can be requeued")
    if not record.recoverable:
        return TaskConflictError(
            f"task {record.id} cannot run again: its function was not declared, its arguments were not stored, or it "
            "needs the locks of its interval, whose next turn takes its place"
        )
    return TaskConflictError(f"another task holds the idempotency key {record.idempotency_key!r}")
