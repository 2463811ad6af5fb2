"""The reference backend: a dictionary and the state table. Records end with the process."""

import os
from collections.abc import Collection, Iterator, Mapping, Sequence
from itertools import islice

from outlive.backends.memory_leases import MemoryLeases
from outlive.backends.memory_notes import MemoryNotes
from outlive.backends.memory_presence import MemoryPresence
from outlive.backends.memory_queues import MemoryQueues, depths
from outlive.backends.memory_rows import Row, attempt, record_of, suits
from outlive.backends.timetable import Timetable
from outlive.core.audit import AuditEntry
from outlive.core.filter import Page, TaskFilter
from outlive.core.moves import (
    Abandon,
    Advance,
    AskCancel,
    Cancel,
    Enqueue,
    Fire,
    Log,
    Move,
    Permit,
    Release,
    Requeue,
    Rewrite,
    Settle,
    Start,
    Withdraw,
)
from outlive.core.queues import QueueDepth, QueueState
from outlive.core.record import TaskRecord
from outlive.core.schedule import Gap, ScheduleEntry, ScheduleState
from outlive.core.states import ATTEMPT_OUTCOMES, LIVE, PENDING, REQUEUABLE, RUNNING, Event, TaskStatus, check
from outlive.ports import Claim, Due, Instance, InstanceState, Rescue, Wanted

#: Past this many, the oldest finished records are dropped.
KEEP = 10_000

_KEY_HOLDERS = LIVE | {TaskStatus.SUCCESS}


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
        self._rows: dict[str, Row] = {}
        self._finished: dict[str, None] = {}
        self._keys: dict[str, str] = {}
        self._run_keys: dict[str, Row] = {}
        self._aliases: dict[str, str] = {}
        self._instances = MemoryPresence()
        self._notes = MemoryNotes(self._keep)
        self._timetable = Timetable(self._is_running)
        self._of_schedule: dict[str, set[str]] = {}
        self._queues = MemoryQueues(self._runs_at)
        #: Locks and leaderships of this process.
        self.leases = MemoryLeases()
        self._verbs = {
            Fire: self._timetable.fire,
            Withdraw: self._withdraw,
            Enqueue: self._enqueue,
            Permit: self._permit,
            Start: self._start,
            Settle: self._settle,
            Release: self._release,
            Abandon: self._abandon,
            Cancel: self._cancel,
            AskCancel: self._ask_cancel,
            Requeue: self._requeue,
            Log: self._log,
            Advance: self._advance,
            Rewrite: self._rewrite,
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
        answers: list[bool] = []
        for move in moves:  # mostly one or two, for which a comprehension would cost more
            answers.append(verbs[type(move)](move))  # type: ignore[operator]  # noqa: PERF401
        return answers

    def _enqueue(self, move: Enqueue) -> bool:
        if move.id in self._rows:
            return False
        if move.schedule is not None and not self._timetable.has_fired(move.schedule, move.id):
            return False
        if move.rejected is not None:
            self._end_unstarted(self._add(move), TaskStatus.REJECTED, move.created_at, move.rejected)
            return True
        holder = None if move.idempotency_key is None else self._key_holder(move)
        if holder is not None:
            self._stand_for(move.id, holder)
            return False
        if move.run_key is not None and move.started_at is None and self._run_key_holder(move.run_key) is not None:
            return False
        if move.idempotency_key is not None:
            self._keys[move.idempotency_key] = move.id
        self._add(move)
        return True

    def _withdraw(self, move: Withdraw) -> bool:
        row = self._run_key_holder(move.run_key)
        if row is None:
            return False
        self._end_unstarted(row, TaskStatus.CANCELLED, move.at, move.reason)
        return True

    def _run_key_holder(self, run_key: str) -> Row | None:
        row = self._run_keys.get(run_key)
        return row if row is not None and row.has_not_started else None

    def _add(self, move: Enqueue) -> Row:
        if move.schedule is not None:
            self._of_schedule.setdefault(move.schedule, set()).add(move.id)
        row = self._rows[move.id] = Row(move)
        if move.run_key is not None and move.started_at is None and move.rejected is None:
            self._run_keys[move.run_key] = row
        return row

    def _key_holder(self, facts: Enqueue) -> Row | None:
        if facts.idempotency_key is None:
            return None
        holder = self._rows.get(self._keys.get(facts.idempotency_key, ""))
        return holder if holder is not None and holder.status in _KEY_HOLDERS else None

    def _stand_for(self, alias: str, holder: Row) -> None:
        if alias not in self._aliases:
            self._aliases[alias] = holder.facts.id
            holder.aliases = [*(holder.aliases or ()), alias]

    def holder_of(self, task_id: str) -> str | None:
        """The record that an id stands for."""
        return self._aliases.get(task_id)

    def _is_running(self, schedule: str) -> bool:
        runs = self._of_schedule.get(schedule, set())
        return any(self._rows[task_id].status in LIVE for task_id in runs)

    def _permit(self, move: Permit) -> bool:
        return self._may_start(move) is not None and self._queues.permit(move)

    def _runs_at(self, task_id: str) -> int | None:
        row = self._rows.get(task_id)
        return row.fence if row is not None and row.status is RUNNING else None

    def _start(self, move: Start) -> bool:
        row = self._may_start(move)
        if row is None or (move.limited and not self._queues.may_start(move)):
            return False
        self._begin(row, move.at)
        return True

    def _may_start(self, move: Permit | Start) -> Row | None:
        row = self._owned_pending(move.id, move.owner)
        return row if row is not None and row.fence == move.fence else None

    def _begin(self, row: Row, at: float) -> None:
        row.status = RUNNING
        row.fence += 1
        row.attempts += 1
        row.started_at, row.ended_at = at, None
        row.error = row.stacktrace = row.reason = row.progress = None

    def _settle(self, move: Settle) -> bool:
        row = self._rows.get(move.id)
        if row is None or row.status is not RUNNING or row.fence != move.fence:
            return False
        check(move.event, row.status, move.status)
        row.status = move.status
        row.ended_at = move.at
        row.error, row.stacktrace, row.reason = move.error, move.stacktrace, move.reason
        row.result = move.result
        if move.status is PENDING:
            self._wait_again(row, move)
        else:
            self._finish(row)
        return True

    def _wait_again(self, row: Row, move: Settle) -> None:
        self._remember_attempt(row, ATTEMPT_OUTCOMES[move.event])
        row.run_at = move.at if move.run_at is None else move.run_at
        if move.event is Event.INTERRUPT:
            row.owner = None
            row.attempts -= 1

    def _remember_attempt(self, row: Row, outcome: TaskStatus) -> None:
        if row.started_at is None:
            return
        if row.history is None:
            row.history = []
        row.history.append(attempt(row, outcome))
        row.started_at = row.ended_at = None

    def _finish(self, row: Row) -> None:
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
        self._let_go_of_run_key(row)
        key = row.facts.idempotency_key
        if key is not None and self._keys.get(key) == task_id:
            del self._keys[key]
        for alias in row.aliases or ():
            del self._aliases[alias]

    def _let_go_of_run_key(self, row: Row) -> None:
        if row.run_key is not None and self._run_keys.get(row.run_key) is row:
            del self._run_keys[row.run_key]
        row.run_key = None

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

    def _owned_pending(self, task_id: str, owner: str) -> Row | None:
        row = self._rows.get(task_id)
        return row if row is not None and row.status is PENDING and row.owner == owner else None

    def _cancel(self, move: Cancel) -> bool:
        row = self._rows.get(move.id)
        if row is None or row.status is not PENDING:
            return False
        self._end_unstarted(row, TaskStatus.CANCELLED, move.at, move.reason)
        return True

    def _end_unstarted(self, row: Row, status: TaskStatus, at: float, reason: str) -> None:
        row.status, row.ended_at, row.reason = status, at, reason
        self._finish(row)

    def _ask_cancel(self, move: AskCancel) -> bool:
        row = self._rows.get(move.id)
        if row is None or row.status is not RUNNING:
            return False
        row.cancel_requested, row.reason = True, move.reason
        return True

    def _requeue(self, move: Requeue) -> bool:
        row = self._rows.get(move.id)
        if row is None or row.status not in REQUEUABLE or not row.facts.recoverable:
            return False
        if self._key_holder(row.facts) not in (None, row):
            return False
        if row.facts.idempotency_key is not None:
            self._keys[row.facts.idempotency_key] = move.id
        self._remember_attempt(row, row.status)
        del self._finished[move.id]
        row.status, row.owner, row.run_at, row.attempts = PENDING, None, move.at, 0
        row.error = row.stacktrace = row.reason = row.ended_at = row.progress = row.result = None
        row.cancel_requested = False
        self._let_go_of_run_key(row)
        return True

    def _log(self, move: Log) -> bool:
        row = self._rows.get(move.id)
        return row is not None and row.log(move)

    def _advance(self, move: Advance) -> bool:
        row = self._rows.get(move.id)
        return row is not None and row.advance(move)

    def _rewrite(self, move: Rewrite) -> bool:
        row = self._rows.get(move.id)
        return row is not None and row.rewrite(move)

    # -- handing over ----------------------------------------------------------------------------

    async def claim(self, wanted: Wanted) -> Claim:
        """Hand over due unowned records."""
        free = [row for row in self._live() if row.owner is None and suits(row.facts, wanted)]
        due = [row for row in free if row.run_at <= wanted.now and row.facts.id not in wanted.refused]
        due.sort(key=lambda row: (-(row.facts.priority or 0), row.run_at, row.facts.id))
        for row in due[: wanted.limit]:
            row.owner, row.reason = wanted.owner, None
        later = [row.run_at for row in free if row.run_at > wanted.now]
        return Claim([record_of(row) for row in due[: wanted.limit]], min(later, default=None))

    async def explain(self, functions: Collection[str], reason: str) -> int:
        """Say why records of unknown functions wait."""
        strange = [row for row in self._live() if row.owner is None and row.facts.func not in functions]
        for row in strange:
            row.reason = reason
        return len(strange)

    async def rescue(self, instance: str, now: float, reason: str, *, if_lost: bool = False) -> Rescue:
        """Take everything from a dead instance."""
        if if_lost and instance in self._instances and not self._instances.is_silent(instance, now):
            return Rescue(is_alive=True)
        self._instances.forget(instance)
        requeued: list[str] = []
        interrupted: list[str] = []
        for row in [row for row in self._rows.values() if row.owner == instance and row.status in LIVE]:
            row.reason = reason
            free = self._rescue_running(row, now) if row.status is RUNNING else row.facts.recoverable
            if free:
                row.owner = None
                requeued.append(row.facts.id)
            else:
                row.status, row.ended_at = TaskStatus.INTERRUPTED, now
                self._finish(row)
                interrupted.append(row.facts.id)
        return Rescue(requeued, interrupted)

    def _rescue_running(self, row: Row, now: float) -> bool:
        if not row.facts.requeue_on_interrupt:
            return False
        row.ended_at, row.error = now, row.reason
        row.status, row.attempts = PENDING, row.attempts - 1
        self._remember_attempt(row, TaskStatus.INTERRUPTED)
        row.error = None
        return True

    def _live(self) -> Iterator[Row]:
        return (row for row in self._rows.values() if row.status is PENDING)

    # -- reading ---------------------------------------------------------------------------------

    async def get(self, task_id: str) -> TaskRecord | None:
        """One record."""
        row = self._rows.get(task_id) or self._rows.get(self._aliases.get(task_id, ""))
        return None if row is None else record_of(row, whole=True)

    async def find(self, conditions: TaskFilter, page: Page) -> Sequence[TaskRecord]:
        """A page of records, newest first."""
        ids = sorted((i for i in self._rows if page.before is None or i < page.before), reverse=True)
        records = (record_of(self._rows[i]) for i in ids)
        return list(islice((record for record in records if conditions.matches(record)), page.limit))

    async def planned(self, before: float, limit: int) -> Sequence[TaskRecord]:
        """What is to run once, earliest first."""
        rows = (row for row in self._run_keys.values() if row.has_not_started and row.run_at < before)
        return [record_of(row) for row in sorted(rows, key=lambda row: (row.run_at, row.facts.id))[:limit]]

    async def counts(self) -> Mapping[TaskStatus, int]:
        """How many records have each status."""
        counts: dict[TaskStatus, int] = {}
        for row in self._rows.values():
            counts[row.status] = counts.get(row.status, 0) + 1
        return counts

    async def prune(
        self,
        statuses: Collection[TaskStatus],
        before: float,
        limit: int,
        functions: Collection[str] | None = None,
        without: Collection[str] = (),
    ) -> int:
        """Delete old finished records."""
        ended = ((task_id, self._rows[task_id]) for task_id in self._finished)
        old = [
            task_id
            for task_id, row in ended
            if row.status in statuses and row.ended_at is not None and row.ended_at < before
            if row.facts.func not in without and (functions is None or row.facts.func in functions)
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

    async def schedules(self, names: Collection[str] | None = None) -> Sequence[ScheduleState]:
        """All schedules, or those with these names, by name."""
        return self._timetable.list(names)

    async def pause(self, schedule: str, next_at: float | None, *, paused: bool) -> bool:
        """Pause or resume."""
        return self._timetable.pause(schedule, next_at, paused=paused)

    async def put(self, entry: ScheduleEntry, *, new: bool) -> bool:
        """Add or change a schedule at run time."""
        return self._timetable.put(entry, new=new)

    async def remove(self, schedule: str) -> bool:
        """Forget a schedule."""
        return self._timetable.remove(schedule)

    async def gaps(self, schedule: str, limit: int) -> Sequence[Gap]:
        """The newest gaps."""
        return self._timetable.gaps(schedule, limit)

    # -- queues ----------------------------------------------------------------------------------

    async def queues(self) -> Sequence[QueueState]:
        """What was set at run time."""
        return self._queues.list()

    async def set_queue(self, state: QueueState) -> None:
        """Set a queue."""
        self._queues.set(state)

    async def depths(self) -> Mapping[str, QueueDepth]:
        """What is live in each queue."""
        live = [row for row in self._rows.values() if row.status in LIVE]
        return depths((row.facts.queue, row.status, row.facts.created_at) for row in live)

    # -- instances -------------------------------------------------------------------------------

    async def join(self, instance: Instance, now: float) -> None:
        """Announce an instance."""
        self._instances.join(instance, now)

    async def beat(self, instance: str, now: float) -> bool:
        """Renew a lease."""
        return self._instances.beat(instance, now)

    async def lost(self, now: float, lease: float, asking: str) -> Sequence[str]:
        """Instances that have not beaten for their lease, and owners that are no instances."""
        return [
            name
            for name in (*self._instances.silent(now), *self._instances.orphaned(self._rows.values(), now - lease))
            if name != asking
        ]

    async def instances(self) -> Sequence[InstanceState]:
        """The instances that have joined."""
        return self._instances.list()

    async def drain(self, instance: str, *, draining: bool) -> bool:
        """Ask an instance to take no new work, or to again."""
        return self._instances.drain(instance, draining=draining)

    async def asked_to_drain(self, instance: str) -> bool:
        """Whether it was asked."""
        return self._instances.is_draining(instance)

    # -- what people did -------------------------------------------------------------------------

    async def note(self, entry: AuditEntry) -> None:
        """Keep what somebody did."""
        self._notes.add(entry)

    async def notes(self, limit: int, before: str | None = None, target: str | None = None) -> Sequence[AuditEntry]:
        """What was done, newest first."""
        return self._notes.list(limit, before, target)

    async def forget_notes(self, before: float, limit: int) -> int:
        """Delete old ones."""
        return self._notes.forget(before, limit)
