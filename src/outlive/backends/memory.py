"""The reference backend: a dictionary and the state table. Records end with the process."""

import os
from bisect import insort
from collections.abc import Collection, Iterator, Mapping, Sequence
from itertools import islice
from types import MappingProxyType

from outlive.backends.memory_leases import MemoryLeases
from outlive.backends.timetable import Timetable
from outlive.core.filter import Page, TaskFilter
from outlive.core.moves import (
    Abandon,
    AskCancel,
    Cancel,
    Enqueue,
    Fire,
    Log,
    Move,
    Release,
    Requeue,
    Settle,
    Start,
)
from outlive.core.record import AttemptRecord, LogLine, TaskRecord, moment
from outlive.core.schedule import ScheduleEntry, ScheduleState
from outlive.core.states import ATTEMPT_OUTCOMES, FINAL, LIVE, REQUEUABLE, Event, TaskStatus, check
from outlive.ports import Claim, Due, Instance, Rescue

#: Past this many, the oldest finished records are dropped.
KEEP = 10_000

_KEY_HOLDERS = frozenset({TaskStatus.PENDING, TaskStatus.RUNNING, TaskStatus.SUCCESS})


class _Row:
    """The changing part of a record beside the facts of its acceptance."""

    __slots__ = (
        "aliases",
        "attempts",
        "cancel_requested",
        "ended_at",
        "error",
        "facts",
        "fence",
        "history",
        "logs",
        "owner",
        "reason",
        "run_at",
        "stacktrace",
        "started_at",
        "status",
    )

    def __init__(self, facts: Enqueue) -> None:
        self.facts = facts
        self.status = TaskStatus.PENDING
        self.fence = 0
        self.attempts = 0
        self.owner = facts.owner
        self.run_at = facts.run_at
        self.started_at: float | None = None
        self.ended_at: float | None = None
        self.error: str | None = None
        self.stacktrace: str | None = None
        self.reason: str | None = None
        self.cancel_requested = False
        self.logs: list[LogLine] | None = None
        self.history: list[AttemptRecord] | None = None
        self.aliases: list[str] | None = None


class MemoryBackend:
    """Keeps records in this process.

    `keep`: how many finished records stay readable, default 10,000.
    """

    durable = False

    def __init__(self, keep: int = KEEP) -> None:
        self._keep = keep
        self._begin_empty()

    def _begin_empty(self) -> None:
        self._pid = os.getpid()
        self._rows: dict[str, _Row] = {}
        self._finished: dict[str, None] = {}
        self._keys: dict[str, str] = {}
        self._aliases: dict[str, str] = {}
        self._instances: dict[str, tuple[Instance, float]] = {}
        self._timetable = Timetable(self._is_running)
        self._of_schedule: dict[str, set[str]] = {}
        #: Locks and leaderships of this process.
        self.leases = MemoryLeases()
        self._verbs = {
            Fire: self._timetable.fire,
            Enqueue: self._enqueue,
            Start: self._start,
            Settle: self._settle,
            Release: self._release,
            Abandon: self._abandon,
            Cancel: self._cancel,
            AskCancel: self._ask_cancel,
            Requeue: self._requeue,
            Log: self._log,
        }

    async def open(self) -> None:
        """Nothing to do, but in a forked child: what was accepted before stays with the parent."""
        if self._pid != os.getpid():
            self._begin_empty()

    async def close(self) -> None:
        """Forget the instances; the records stay readable."""
        self._instances.clear()

    # -- writing ---------------------------------------------------------------------------------

    async def apply(self, moves: Sequence[Move]) -> Sequence[bool]:
        """Apply the moves in order."""
        return self.apply_now(moves)

    def apply_now(self, moves: Sequence[Move]) -> Sequence[bool]:
        """Apply the moves in order, without a pause."""
        verbs = self._verbs
        return [verbs[type(move)](move) for move in moves]  # type: ignore[operator]

    def _enqueue(self, move: Enqueue) -> bool:
        if move.id in self._rows:
            return False
        if move.schedule is not None and not self._timetable.has_fired(move.schedule, move.id):
            return False
        holder = self._key_holder(move)
        if holder is not None:
            self._stand_for(move.id, holder)
            return False
        self._take_key(move)
        if move.schedule is not None:
            self._of_schedule.setdefault(move.schedule, set()).add(move.id)
        row = self._rows[move.id] = _Row(move)
        if move.started_at is not None:
            self._begin(row, move.started_at)
        return True

    def _key_holder(self, facts: Enqueue) -> _Row | None:
        if facts.idempotency_key is None:
            return None
        holder = self._rows.get(self._keys.get(facts.idempotency_key, ""))
        return holder if holder is not None and holder.status in _KEY_HOLDERS else None

    def _take_key(self, facts: Enqueue) -> None:
        if facts.idempotency_key is not None:
            self._keys[facts.idempotency_key] = facts.id

    def _stand_for(self, alias: str, holder: _Row) -> None:
        if alias not in self._aliases:
            self._aliases[alias] = holder.facts.id
            holder.aliases = [*(holder.aliases or ()), alias]

    def holder_of(self, task_id: str) -> str | None:
        """The record that an id stands for."""
        return self._aliases.get(task_id)

    def _is_running(self, schedule: str) -> bool:
        runs = self._of_schedule.get(schedule, set())
        return any(self._rows[task_id].status in LIVE for task_id in runs)

    def _start(self, move: Start) -> bool:
        row = self._rows.get(move.id)
        if row is None or row.status is not TaskStatus.PENDING or row.fence != move.fence or row.owner != move.owner:
            return False
        self._begin(row, move.at)
        return True

    def _begin(self, row: _Row, at: float) -> None:
        row.status = TaskStatus.RUNNING
        row.fence += 1
        row.attempts += 1
        row.started_at, row.ended_at = at, None
        row.error = row.stacktrace = row.reason = None

    def _settle(self, move: Settle) -> bool:
        row = self._rows.get(move.id)
        if row is None or row.status is not TaskStatus.RUNNING or row.fence != move.fence:
            return False
        check(move.event, row.status, move.status)
        row.status = move.status
        row.ended_at = move.at
        row.error, row.stacktrace, row.reason = move.error, move.stacktrace, move.reason
        if move.status is TaskStatus.PENDING:
            self._wait_again(row, move)
        else:
            self._finish(row)
        return True

    def _wait_again(self, row: _Row, move: Settle) -> None:
        self._remember_attempt(row, ATTEMPT_OUTCOMES[move.event])
        row.run_at = move.at if move.run_at is None else move.run_at
        if move.event is Event.INTERRUPT:
            row.owner = None
            row.attempts -= 1

    def _remember_attempt(self, row: _Row, outcome: TaskStatus) -> None:
        if row.started_at is None:
            return
        if row.history is None:
            row.history = []
        row.history.append(_attempt(row, outcome))
        row.started_at = row.ended_at = None

    def _finish(self, row: _Row) -> None:
        self._finished[row.facts.id] = None
        if len(self._finished) > self._keep:
            self._drop(next(iter(self._finished)))

    def forget(self, task_id: str) -> None:
        """Let go of an ended record that is kept elsewhere."""
        if task_id in self._finished:
            self._drop(task_id)

    def _drop(self, task_id: str) -> None:
        row = self._rows.pop(task_id)
        del self._finished[task_id]
        if row.facts.schedule is not None:
            self._of_schedule[row.facts.schedule].discard(task_id)
        key = row.facts.idempotency_key
        if key is not None and self._keys.get(key) == task_id:
            del self._keys[key]
        for alias in row.aliases or ():
            del self._aliases[alias]

    def _release(self, move: Release) -> bool:
        row = self._owned_pending(move.id, move.owner)
        if row is None:
            return False
        row.owner, row.reason = None, move.reason
        return True

    def _abandon(self, move: Abandon) -> bool:
        row = self._owned_pending(move.id, move.owner)
        if row is None:
            return False
        self._end_unstarted(row, TaskStatus.INTERRUPTED, move.at, move.reason)
        return True

    def _owned_pending(self, task_id: str, owner: str) -> _Row | None:
        row = self._rows.get(task_id)
        if row is None or row.status is not TaskStatus.PENDING or row.owner != owner:
            return None
        return row

    def _cancel(self, move: Cancel) -> bool:
        row = self._rows.get(move.id)
        if row is None or row.status is not TaskStatus.PENDING:
            return False
        self._end_unstarted(row, TaskStatus.CANCELLED, move.at, move.reason)
        return True

    def _end_unstarted(self, row: _Row, status: TaskStatus, at: float, reason: str) -> None:
        row.status, row.ended_at, row.reason = status, at, reason
        self._finish(row)

    def _ask_cancel(self, move: AskCancel) -> bool:
        row = self._rows.get(move.id)
        if row is None or row.status is not TaskStatus.RUNNING:
            return False
        row.cancel_requested, row.reason = True, move.reason
        return True

    def _requeue(self, move: Requeue) -> bool:
        row = self._rows.get(move.id)
        if row is None or row.status not in REQUEUABLE or not row.facts.recoverable:
            return False
        if self._key_holder(row.facts) not in (None, row):
            return False
        self._take_key(row.facts)
        self._remember_attempt(row, row.status)
        del self._finished[move.id]
        row.status, row.owner, row.run_at, row.attempts = TaskStatus.PENDING, None, move.at, 0
        row.error = row.stacktrace = row.reason = row.ended_at = None
        row.cancel_requested = False
        return True

    def _log(self, move: Log) -> bool:
        row = self._rows.get(move.id)
        if row is None:
            return False
        if row.logs is None:
            row.logs = []
        at = moment(move.at)
        assert at is not None
        row.logs.append(LogLine(move.attempt, at, move.level, move.message))
        return True

    # -- handing over ----------------------------------------------------------------------------

    async def claim(
        self, owner: str, functions: Collection[str], limit: int, now: float, refused: Collection[str] = ()
    ) -> Claim:
        """Hand over due unowned records."""
        free = [row for row in self._live() if row.owner is None and row.facts.func in functions]
        due = [row for row in free if row.run_at <= now and row.facts.id not in refused]
        due.sort(key=lambda row: (-(row.facts.priority or 0), row.run_at, row.facts.id))
        for row in due[:limit]:
            row.owner, row.reason = owner, None
        later = [row.run_at for row in free if row.run_at > now]
        return Claim([_record(row) for row in due[:limit]], min(later, default=None))

    async def explain(self, functions: Collection[str], reason: str) -> int:
        """Say why records of unknown functions wait."""
        strange = [row for row in self._live() if row.owner is None and row.facts.func not in functions]
        for row in strange:
            row.reason = reason
        return len(strange)

    async def rescue(self, instance: str, now: float, reason: str, *, if_lost: bool = False) -> Rescue:
        """Take everything from a dead instance."""
        if if_lost and instance in self._instances and not self._is_silent(instance, now):
            return Rescue(is_alive=True)
        self._instances.pop(instance, None)
        requeued: list[str] = []
        interrupted: list[str] = []
        for row in [row for row in self._rows.values() if row.owner == instance and row.status in LIVE]:
            free = self._rescue_running(row, now) if row.status is TaskStatus.RUNNING else row.facts.recoverable
            row.reason = reason
            if free:
                row.owner = None
                requeued.append(row.facts.id)
            else:
                row.status, row.ended_at = TaskStatus.INTERRUPTED, now
                self._finish(row)
                interrupted.append(row.facts.id)
        return Rescue(requeued, interrupted)

    def _rescue_running(self, row: _Row, now: float) -> bool:
        if not row.facts.requeue_on_interrupt:
            return False
        row.ended_at = now
        row.status, row.run_at, row.attempts = TaskStatus.PENDING, now, row.attempts - 1
        self._remember_attempt(row, TaskStatus.INTERRUPTED)
        return True

    def _live(self) -> Iterator[_Row]:
        return (row for row in self._rows.values() if row.status is TaskStatus.PENDING)

    # -- reading ---------------------------------------------------------------------------------

    async def get(self, task_id: str) -> TaskRecord | None:
        """One record."""
        row = self._rows.get(task_id) or self._rows.get(self._aliases.get(task_id, ""))
        return None if row is None else _record(row, whole=True)

    async def find(self, conditions: TaskFilter, page: Page) -> Sequence[TaskRecord]:
        """A page of records, newest first."""
        ids = sorted((i for i in self._rows if page.before is None or i < page.before), reverse=True)
        records = (_record(self._rows[i]) for i in ids)
        return list(islice((record for record in records if conditions.matches(record)), page.limit))

    async def counts(self) -> Mapping[TaskStatus, int]:
        """How many records have each status."""
        counts: dict[TaskStatus, int] = {}
        for row in self._rows.values():
            counts[row.status] = counts.get(row.status, 0) + 1
        return counts

    async def prune(self, statuses: Collection[TaskStatus], before: float, limit: int) -> int:
        """Delete old finished records."""
        old = [
            task_id
            for task_id in self._finished
            if (row := self._rows[task_id]).status in statuses and row.ended_at is not None and row.ended_at < before
        ][:limit]
        for task_id in old:
            self._drop(task_id)
        return len(old)

    async def asked_to_cancel(self, owner: str) -> Mapping[str, str | None]:
        """What an owner was asked to cancel and has not ended yet."""
        asked = [row for row in self._rows.values() if row.cancel_requested and row.owner == owner]
        return {row.facts.id: row.reason for row in asked if row.status in LIVE}

    # -- schedules -------------------------------------------------------------------------------

    async def register(self, entries: Sequence[ScheduleEntry], now: float) -> None:
        """Take over what an instance declares."""
        self._timetable.register(entries, now)

    async def due(self, now: float, limit: int, without: Collection[str] = ()) -> Due:
        """What is due."""
        return self._timetable.due(now, limit, without)

    async def schedules(self) -> Sequence[ScheduleState]:
        """All schedules, by name."""
        return self._timetable.list()

    async def pause(self, schedule: str, next_at: float | None, *, paused: bool) -> bool:
        """Pause or resume."""
        return self._timetable.pause(schedule, next_at, paused=paused)

    # -- instances -------------------------------------------------------------------------------

    async def join(self, instance: Instance, now: float) -> None:
        """Announce an instance."""
        self._instances[instance.id] = (instance, now)

    async def beat(self, instance: str, now: float) -> bool:
        """Renew a lease."""
        if instance not in self._instances:
            return False
        self._instances[instance] = (self._instances[instance][0], now)
        return True

    async def lost(self, now: float, lease: float, asking: str) -> Sequence[str]:
        """Instances that have not beaten for their lease, and owners that are no instances."""
        silent = [name for name in self._instances if self._is_silent(name, now)]
        return [name for name in (*silent, *self._orphaned(now - lease)) if name != asking]

    def _is_silent(self, name: str, now: float) -> bool:
        instance, beat = self._instances[name]
        return now - beat > instance.lease

    def _orphaned(self, before: float) -> list[str]:
        newest: dict[str, float] = {}
        for row in self._rows.values():
            if row.owner is not None and row.status in LIVE and row.owner not in self._instances:
                newest[row.owner] = max(newest.get(row.owner, 0.0), row.started_at or row.facts.created_at)
        return [owner for owner, at in newest.items() if at < before]


_NO_TAGS: Mapping[str, str] = MappingProxyType({})


def _attempt(row: _Row, outcome: TaskStatus | None) -> AttemptRecord:
    started = moment(row.started_at)
    assert started is not None
    return AttemptRecord(row.fence, started, moment(row.ended_at), outcome, row.error, row.stacktrace, row.owner)


def _history(row: _Row) -> Sequence[AttemptRecord]:
    history = list(row.history or ())
    if row.started_at is not None:
        insort(history, _attempt(row, row.status if row.status in FINAL else None), key=lambda one: one.number)
    return history


def _record(row: _Row, *, whole: bool = False) -> TaskRecord:
    facts = row.facts
    created, run_at = moment(facts.created_at), moment(row.run_at)
    assert created is not None
    assert run_at is not None
    return TaskRecord(
        id=facts.id,
        func=facts.func,
        func_name=facts.func_name,
        status=row.status,
        created_at=created,
        run_at=run_at,
        start_time=moment(row.started_at),
        end_time=moment(row.ended_at),
        attempts=row.attempts,
        fence=row.fence,
        owner=row.owner,
        error=row.error,
        stacktrace=row.stacktrace,
        reason=row.reason,
        tags=facts.tags or _NO_TAGS,
        source=facts.source,
        timing=facts.timing,
        priority=facts.priority,
        executor=facts.executor,
        queue=facts.queue,
        label=facts.label,
        schedule=facts.schedule,
        idempotency_key=facts.idempotency_key,
        arguments=facts.arguments,
        summary=facts.summary,
        options=facts.options,
        recoverable=facts.recoverable,
        requeue_on_interrupt=facts.requeue_on_interrupt,
        cancel_requested=row.cancel_requested,
        logs=tuple(row.logs or ()) if whole else (),
        history=_history(row) if whole else (),
    )
