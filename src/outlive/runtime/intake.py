"""Accepting: a call becomes a task, the task a record, and the record is committed."""

import asyncio
import contextvars
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import partial
from typing import Any

from uuid_utils import uuid7

from outlive.core.cipher import is_sealed
from outlive.core.codec import summarize
from outlive.core.config import UNSET, EffectiveConfig, TaskConfig
from outlive.core.moves import Cancel, Enqueue, Fire, Log, Move, Withdraw
from outlive.core.settle import Cancelled
from outlive.core.states import TaskStatus
from outlive.definitions.definition import Definition
from outlive.definitions.limits import key_of, limits_of
from outlive.definitions.options import due_at, encode_options, with_trace
from outlive.definitions.task import Task, TaskControl, TaskJournal
from outlive.errors import JournalFullError, QueueFullError, TaskArgumentError, UnknownTaskError
from outlive.ports import Backend
from outlive.runtime.dispatcher import Dispatcher
from outlive.runtime.journal import Landed
from outlive.runtime.process import Process

#: Calls that are dealt with in one turn of the event loop.
AT_ONCE = 500
#: A delayed task further ahead than this many seconds is not held in memory.
HORIZON = 60.0


class Intake:
    """Builds tasks from calls and writes them to the journal.

    `journals`: the backend's, and the one for `persist=False` where the backend is durable. `on_free` is told when
    a record was written that anybody may claim.
    """

    def __init__(
        self,
        process: Process,
        backend: Backend,
        dispatcher: Dispatcher,
        control: TaskControl,
        journals: tuple[TaskJournal, TaskJournal | None],
        on_free: Callable[[], None],
    ) -> None:
        self._process = process
        self._instance = process.instance.id
        self._registry = process.registry
        self._store = process.store
        self._duty = process.duty
        self._clock = process.clock
        self._is_durable = backend.durable
        self._room = process.limits.room
        self._runs_all = process.runs_tasks and process.run_queues is None
        self._dispatcher = dispatcher
        self._queues = dispatcher.queues
        self._control = control
        self._journal, self._deferred = journals
        self._on_free = on_free
        self._loop = asyncio.get_running_loop()
        self._searches: set[asyncio.Task[None]] = set()

    # -- a call becomes a task -------------------------------------------------------------------

    def build(
        self,
        func: Callable[..., Any],
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        options: TaskConfig = UNSET,
        timing: str = "enqueue",
        source: str = "manual",
    ) -> Task[Any]:
        """Check a call and make its task; nothing is accepted yet. From any thread.

        Raises the `TypeError` of a wrong call and `TaskArgumentError` for what cannot be stored.
        """
        definition = self._registry.of(func)
        definition.check_call(args, kwargs)
        effective, executor = definition.effective, definition.executor
        if options is not UNSET:
            effective, executor = definition.with_call_options(options), definition.executor_for(options)
        if self._queues.is_named:
            self._queues.check_name(effective.queue)
        if not self._process.runs_tasks:
            self._check_leaves(definition, effective, timing)
        if executor == "process":
            definition.check_shipping(args, kwargs)
        facts = self._describe(definition, args, kwargs, effective, timing, source)
        facts.executor = executor
        if self._process.rehearsal is not None and facts.arguments is not None:
            args, kwargs = definition.codec.decode(facts.arguments)
        journal = self._journal if self._deferred is None else self._journal_for(effective, self._deferred)
        context = contextvars.copy_context()
        task: Task[Any] = Task(definition, args, kwargs, effective, facts, context, self._control, journal)
        if effective.is_limited:
            task.limits = limits_of(definition, effective, args, kwargs)
        if options is not UNSET:
            self._apply_options(task, options)
        if source == "manual" and self._process.trace is not None:
            self.trace(task)
        return task

    def trace(self, task: Task[Any]) -> None:
        """Keep with a task who asked for it; what fires by itself nobody did."""
        if self._process.trace is not None:
            task.facts.options = with_trace(task.facts.options, self._process.trace(task.facts))

    def _check_leaves(self, definition: Definition, effective: EffectiveConfig, timing: str) -> None:
        """Refuse what only this process could run, which runs nothing."""
        remedy = None
        if not definition.declared:
            remedy = "declare it with @manager.task(), so that another process can find it"
        elif not self._wants_storing(effective):
            remedy = "let it be stored (persist=True)"
        elif timing == "after_route":
            remedy = "schedule it without after_route, which waits for a run in this process"
        if remedy is not None:
            raise TaskArgumentError(
                f"{definition.display_name} cannot be accepted by a manager with run_tasks=False: {remedy}"
            )

    def _apply_options(self, task: Task[Any], options: TaskConfig) -> None:
        facts, task.options = task.facts, options
        if callable(options.concurrency_key):  # what it has given for these arguments can be stored
            options = replace(options, concurrency_key=key_of(task.limits))
        facts.label, facts.idempotency_key = options.name, options.idempotency_key
        facts.run_at = task.run_at = due_at(options, facts.created_at)
        facts.options, task.note = encode_options(options)

    def _describe(
        self,
        definition: Definition,
        args: tuple[Any, ...],
        kwargs: Mapping[str, Any],
        effective: EffectiveConfig,
        timing: str,
        source: str,
    ) -> Enqueue:
        now = self._clock.now()
        arguments = self._encode(definition, args, kwargs, effective) if definition.declared else None
        facts = Enqueue(str(uuid7()), definition.identity, definition.display_name, now, now, self._instance)
        facts.source, facts.timing = source, timing
        facts.queue, facts.priority = effective.queue, effective.priority
        facts.tags = effective.tags
        if arguments is None:
            facts.summary, facts.recoverable = summarize(args, kwargs), False
        else:
            facts.arguments = arguments
            if is_sealed(arguments):
                facts.summary = summarize(args, kwargs)
            facts.requeue_on_interrupt = effective.requeue_on_interrupt
        return facts

    def _encode(
        self, definition: Definition, args: tuple[Any, ...], kwargs: Mapping[str, Any], effective: EffectiveConfig
    ) -> str | None:
        """The stored form of the arguments, None where the record cannot be recovered in any case."""
        try:
            return definition.codec.encode(args, kwargs)
        except TaskArgumentError as error:
            if self._is_durable and self._wants_storing(effective):
                raise TaskArgumentError(f"{definition.display_name}: {error}") from error
            return None

    def _wants_storing(self, effective: EffectiveConfig) -> bool:
        return self._process.persists if effective.persist is None else effective.persist

    def _journal_for(self, effective: EffectiveConfig, deferred: TaskJournal) -> TaskJournal:
        return self._journal if self._wants_storing(effective) else deferred

    # -- a task becomes a record -----------------------------------------------------------------

    def accept(self, tasks: Sequence[Task[Any]]) -> list[Task[Any]]:
        """Enqueue tasks, except those whose idempotency key a live task of this process holds: that one is given."""
        holders = [self._store.reserve(task) for task in tasks]
        fresh = [task for task, holder in zip(tasks, holders, strict=True) if task is holder]
        for task in fresh:
            self.admit(task)
        if fresh:
            self.enqueue(fresh)
        return holders

    def admit(self, task: Task[Any]) -> None:
        """Raise `QueueFullError` where there is no room for a task in its queue, and leave a rejected record."""
        try:
            self._queues.admit(task)
        except QueueFullError as error:
            self._reject(task, error)
            self._loop.call_soon_threadsafe(self._record_rejected, task)
            raise

    def reject_if_full(self, task: Task[Any]) -> str | None:
        """Why there is no room for a task in its queue, and make its record say so; None where there is."""
        try:
            self._queues.admit(task)
        except QueueFullError as error:
            self._reject(task, error)
        return task.facts.rejected

    def _reject(self, task: Task[Any], full: QueueFullError) -> None:
        self._store.remove(task)
        task.facts.owner, task.facts.rejected = None, str(full)

    def _record_rejected(self, task: Task[Any]) -> None:
        with suppress(JournalFullError):
            task.journal.write([task.facts], refusable=True)

    def enqueue(self, tasks: Sequence[Task[Any]], *, offer: bool = True) -> None:
        """Write tasks to the journal, one entry per journal. Only from the event loop's thread.

        One that finds a free slot starts with the very write that accepts it. Without `offer` they are only
        committed; whoever holds them offers them to the dispatcher when their time has come.
        """
        for journal, group in _by_journal(tasks):
            moves: list[Move] = []
            notes: list[Move] = []
            for task in group:
                self._place(task, begin=offer)
                moves.append(task.facts)
                if task.note is not None:
                    notes.append(Log(task.id, 1, task.facts.created_at, "warning", task.note))
            landed = partial(self._landed, group, offer=offer)
            try:
                journal.write(moves + notes, landed, refusable=True)
            except BaseException as error:
                landed((), error)
                raise

    def follow_up(self, task: Task[Any], move: Fire | Withdraw, landed: Landed | None = None) -> None:
        """Write a task together with the move that makes way for it; `landed` is told both answers.

        It is stored whatever `persist` says: its record is what shows that a slot was taken, or what is to run once.
        """
        task.journal = self._journal
        self._place(task, begin=True)

        def both(answers: Sequence[bool], error: BaseException | None) -> None:
            self._landed([task], answers[1:], error, offer=True)
            if landed is not None:
                landed(answers, error)

        try:
            self._journal.write([move, task.facts], both, refusable=True)
        except BaseException as error:
            self._landed([task], (), error, offer=True)
            raise

    def discard(self, tasks: Sequence[Task[Any]], reason: str) -> None:
        """Record tasks that will not run, because the endpoint that scheduled them raised."""
        now = self._clock.now()
        for journal, group in _by_journal([task for task in tasks if not task.is_alias]):
            moves: list[Move] = []
            for task in group:
                if not task.is_submitted:
                    self._place(task, begin=False)
                    moves.append(task.facts)
                moves.append(Cancel(task.id, now, reason))
            journal.write(moves, partial(self._discarded, group, reason))

    def withdraw(self, tasks: Sequence[Task[Any]], reason: str) -> None:
        """Cancel tasks that were written but not offered; those that could not be written have no record."""
        now = self._clock.now()
        for journal, group in _by_journal([task for task in tasks if task.is_durable and not task.is_alias]):
            moves = [Cancel(task.id, now, reason) for task in group]
            journal.write(moves, partial(self._discarded, group, reason))

    def _place(self, task: Task[Any], *, begin: bool) -> None:
        facts = task.facts
        task.is_submitted = True
        if self._is_for_anybody(task):
            facts.owner = None
            self._store.send_away(task)
            return
        self._store.add(task)
        if begin and self._dispatcher.reserve(task):
            facts.started_at = self._clock.now()

    def _is_for_anybody(self, task: Task[Any]) -> bool:
        """Own what you accept, while there is room, the time is near, and nobody may replace it."""
        facts = task.facts
        if not facts.recoverable or task.journal is not self._journal or task.follower is not None:
            return False
        if facts.run_key is not None or not (self._runs_all or self._runs_here(facts)):
            return True
        if self._duty.is_off and facts.timing != "after_route":  # for that one a response waits
            return True
        return len(self._store) >= self._room or facts.run_at > facts.created_at + HORIZON

    def _runs_here(self, facts: Enqueue) -> bool:
        queues = self._process.run_queues
        return self._process.runs_tasks and (queues is None or facts.queue in queues)

    def _landed(
        self, tasks: Sequence[Task[Any]], answers: Sequence[bool], error: BaseException | None, *, offer: bool
    ) -> None:
        if len(tasks) > AT_ONCE:  # the others in the next turn, or many tasks would stop the event loop
            rest = partial(self._landed, tasks[AT_ONCE:], answers[AT_ONCE:], error, offer=offer)
            self._loop.call_soon(rest)
            tasks = tasks[:AT_ONCE]
        for at, task in enumerate(tasks):
            if error is None and answers[at]:
                task.mark_durable()
                self._proceed(task, offer=offer)
            else:
                self._turn_away(task, error)

    def _proceed(self, task: Task[Any], *, offer: bool) -> None:
        if self._process.rehearsal is not None:
            self._process.rehearsal.accepted.append(task)
        if task.facts.started_at is not None:
            self._dispatcher.begin(task, accepted=True)
        elif task.facts.owner is None:
            self._on_free()
        elif offer:
            self._dispatcher.offer(task)

    def _turn_away(self, task: Task[Any], error: BaseException | None) -> None:
        task.is_alias = error is None and task.facts.idempotency_key is not None
        if not task.is_alias:
            task.mark_durable(error)
        if task.facts.started_at is not None:
            self._dispatcher.begin(task, accepted=False)
        if task.is_alias:
            self._store.remove(task)
            self._search(task)
        else:
            self._refuse(task)

    def _search(self, task: Task[Any]) -> None:
        search = asyncio.create_task(self._find_holder(task), name="outlive idempotency key")
        self._searches.add(search)  # the event loop keeps only weak references
        search.add_done_callback(self._searches.discard)

    async def _find_holder(self, task: Task[Any]) -> None:
        """Make a task whose idempotency key was held a handle of the record that holds it."""
        try:
            record = await task.journal.backend.get(task.id)
        except Exception as error:  # noqa: BLE001 - whatever it is belongs to who waits for the task
            record, failure = None, error
        else:
            failure = UnknownTaskError(
                f"the record that held the idempotency key {task.facts.idempotency_key!r} is gone"
            )
        if record is None:
            task.mark_durable(failure)
            self._refuse(task)
        else:
            task.stand_for(record)
            task.mark_durable()

    def _refuse(self, task: Task[Any]) -> None:
        task.mark_finished(TaskStatus.REJECTED, Cancelled("the record could not be written; nothing was accepted"))
        self._store.remove(task)

    def _discarded(
        self, tasks: Sequence[Task[Any]], reason: str, _answers: Sequence[bool], error: BaseException | None
    ) -> None:
        for task in tasks:
            task.mark_durable(error)
            self._store.remove(task)
            task.mark_finished(TaskStatus.CANCELLED, Cancelled(reason))


def _by_journal(tasks: Sequence[Task[Any]]) -> list[tuple[TaskJournal, Sequence[Task[Any]]]]:
    if len(tasks) == 1:
        return [(tasks[0].journal, tasks)]
    if not tasks:
        return []
    first = tasks[0].journal
    others = next((task.journal for task in tasks if task.journal is not first), None)
    if others is None:
        return [(first, tasks)]
    return [(journal, [task for task in tasks if task.journal is journal]) for journal in (first, others)]
