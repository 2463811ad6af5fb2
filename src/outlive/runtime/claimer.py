"""Takes over records that nobody owns: overflow, delayed, rescued, requeued, left by an earlier process."""

import asyncio
import contextvars
from contextlib import suppress
from dataclasses import replace
from typing import Any

from outlive.core.events import CannotRun, NotRepeated
from outlive.core.moves import Cancel, Enqueue, Release
from outlive.core.record import TaskRecord
from outlive.core.settle import (
    MOST_DEATHS,
    Cancelled,
    Interrupted,
    dead_instances_in_a_row,
    deaths_in_a_row,
    not_repeated,
)
from outlive.core.states import TaskStatus
from outlive.definitions.limits import limits_of
from outlive.definitions.options import decode_options
from outlive.definitions.task import Task, TaskControl
from outlive.errors import BackendError, EncryptionError, TaskArgumentError
from outlive.ports import Backend, Wanted
from outlive.runtime.dispatcher import Dispatcher
from outlive.runtime.journal import Journal
from outlive.runtime.process import Process
from outlive.runtime.service import Service

#: Records claimed in one go, and how many of them are taken over before the event loop goes on with other things.
CLAIM, AT_ONCE = 200, 25


class Claimer(Service):
    """Claims due records while this process has room for them.

    It looks every `poll_interval` at what other processes may have left; where there are none, only when woken.
    """

    def __init__(
        self, process: Process, backend: Backend, journal: Journal, dispatcher: Dispatcher, control: TaskControl
    ) -> None:
        super().__init__(process, process.limits.poll_interval if backend.durable else None)
        self._instance = process.instance.id
        self._registry = process.registry
        self._store = process.store
        self._room = process.limits.room
        self._run_queues = process.run_queues
        self._backend = backend
        self._journal = journal
        self._dispatcher = dispatcher
        self._control = control
        # Records this process has found it cannot run; a newer release may, so they stay pending for others.
        self._refused: set[str] = set()

    async def step(self) -> None:
        """Claim until nothing is due or this process is full."""
        while not (self._dispatcher.is_draining or self._process.duty.is_off):
            room = self._room - len(self._store)
            if room <= 0:
                self._store.call_when_below(self._room // 2 + 1, self.wake)
                return
            limit = min(CLAIM, room)
            claim = await self._backend.claim(self._wanted(limit))
            for number, record in enumerate(claim.records, 1):
                await self._go_on_with(record)
                if not number % AT_ONCE:
                    await asyncio.sleep(0)
            if len(claim.records) < limit:
                self.next_at = claim.next_at
                if claim.next_at is not None:
                    self._wake_for(claim.next_at)
                return

    async def _go_on_with(self, record: TaskRecord) -> None:
        if record.cancel_requested:
            self._cancel(record)
            return
        whole = await self._with_history(record)
        deaths = dead_instances_in_a_row(whole)
        if deaths >= MOST_DEATHS:
            self._give_up(record, deaths)
        else:
            self._take(record, deaths_in_a_row(whole))

    async def _with_history(self, record: TaskRecord) -> TaskRecord:
        """The record with its attempts, where it may be one of those that kill what runs them."""
        in_processes = record.executor == "process" and record.attempts
        uncounted = record.fence - record.attempts
        if in_processes or (record.requeue_on_interrupt and uncounted >= MOST_DEATHS):
            with suppress(BackendError):  # it was claimed and has to go on; the next death is counted again
                return await self._backend.get(record.id) or record
        return record

    def _wanted(self, limit: int) -> Wanted:
        return Wanted(
            self._instance,
            self._registry.identities(),
            limit,
            self.clock.now(),
            self._refused,
            self._run_queues,
            self._dispatcher.queues.closed(),
        )

    def _wake_for(self, next_at: float) -> None:
        if self.interval is None or next_at < self.clock.now() + self.interval:
            self.wake_at(next_at)

    async def explain(self) -> None:
        """Write on records of functions unknown here why they wait."""
        await self._backend.explain(
            self._registry.identities(),
            "this function is not declared where the record was last looked at (renamed or removed?); "
            "it runs in an instance that declares it",
        )

    def _take(self, record: TaskRecord, deaths: int) -> None:
        try:
            task = self._store.welcome_back(record.id) or self._revive(record)
        except EncryptionError as error:
            self._refuse(record, f"its arguments cannot be read: {error}")
            return
        except (TaskArgumentError, ValueError, TypeError) as error:
            self._refuse(record, f"cannot be run as the code is now: {error}")
            return
        _catch_up(task, record)
        task.deaths = deaths
        self._store.add(task)
        self._dispatcher.offer(task)

    def _revive(self, record: TaskRecord) -> Task[Any]:
        definition = self._registry.find(record.func)
        if definition is None or record.arguments is None:
            raise TaskArgumentError(f"no function or arguments for {record.func}")
        args, kwargs = definition.codec.decode(record.arguments)
        options = decode_options(record.options)
        if record.tags != definition.effective.tags:
            options = replace(options, tags=record.tags)
        effective = definition.with_call_options(options)
        facts = _facts_of(record, definition.executor_for(options))
        context = contextvars.Context()
        task: Task[Any] = Task(definition, args, kwargs, effective, facts, context, self._control, self._journal)
        task.options, task.limits = options, limits_of(definition, effective, args, kwargs)
        task.mark_durable()
        return task

    def _cancel(self, record: TaskRecord) -> None:
        """Its owner was asked to cancel it and ended before it did."""
        reason = "it was to be cancelled when its process ended"
        self._journal.write([Cancel(record.id, self.clock.now(), reason)])
        task = self._store.welcome_back(record.id)
        if task is not None:
            task.mark_finished(TaskStatus.CANCELLED, Cancelled(reason))

    def _give_up(self, record: TaskRecord, deaths: int) -> None:
        moves = not_repeated(record, self._instance, deaths, self.clock.now())
        self._journal.write(moves)
        reason = str(moves[1].reason)
        self.emit(NotRepeated(record.id, record.func_name, reason))
        task = self._store.welcome_back(record.id)
        if task is not None:
            task.mark_finished(TaskStatus.INTERRUPTED, Interrupted(reason))

    def _refuse(self, record: TaskRecord, reason: str) -> None:
        self._refused.add(record.id)
        self._journal.write([Release(record.id, self._instance, reason)])
        self.emit(CannotRun(record.id, record.func, reason))


def _facts_of(record: TaskRecord, executor: str) -> Enqueue:
    return Enqueue(
        id=record.id,
        func=record.func,
        func_name=record.func_name,
        created_at=record.created_at.timestamp(),
        run_at=record.run_at.timestamp(),
        source=record.source,
        timing=record.timing,
        run_key=record.run_key,
        queue=record.queue,
        priority=record.priority,
        executor=executor,
        label=record.label,
        tags=record.tags,
        idempotency_key=record.idempotency_key,
        arguments=record.arguments,
        options=record.options,
        requeue_on_interrupt=record.requeue_on_interrupt,
    )


def _catch_up(task: Task[Any], record: TaskRecord) -> None:
    task.status = TaskStatus.PENDING
    task.fence, task.attempts = record.fence, record.attempts
    task.run_at = record.run_at.timestamp()
