"""A record as the memory backend keeps it."""

from bisect import insort
from collections.abc import Mapping, Sequence
from types import MappingProxyType

from outlive.core.moves import Advance, Enqueue, Log, Rewrite
from outlive.core.progress import Progress
from outlive.core.record import AttemptRecord, LogLine, TaskRecord, moment
from outlive.core.states import FINAL, PENDING, RUNNING, TaskStatus
from outlive.ports import Wanted

_NO_TAGS: Mapping[str, str] = MappingProxyType({})


class Row:
    """The changing part of a record beside the facts of its acceptance."""

    __slots__ = (
        "aliases",
        "arguments",
        "attempts",
        "cancel_requested",
        "ended_at",
        "error",
        "facts",
        "fence",
        "history",
        "logs",
        "owner",
        "progress",
        "reason",
        "result",
        "run_at",
        "run_key",
        "stacktrace",
        "started_at",
        "status",
    )

    def __init__(self, facts: Enqueue) -> None:
        self.facts = facts
        self.started_at = facts.started_at
        # Where it starts at once, that is its first attempt.
        has_started = facts.started_at is not None
        self.status = RUNNING if has_started else PENDING
        self.fence = self.attempts = int(has_started)
        self.owner = facts.owner
        self.run_at = facts.run_at
        self.run_key = facts.run_key
        self.ended_at: float | None = None
        self.error: str | None = None
        self.stacktrace: str | None = None
        self.reason: str | None = None
        self.cancel_requested = False
        self.arguments = facts.arguments
        self.progress: Progress | None = None
        self.result: str | None = None
        self.logs: list[LogLine] | None = None
        self.history: list[AttemptRecord] | None = None
        self.aliases: list[str] | None = None

    @property
    def has_not_started(self) -> bool:
        """Whether no attempt has ever begun."""
        return self.status is PENDING and self.fence == 0

    def log(self, move: Log) -> bool:
        """Keep a line of the log."""
        if self.logs is None:
            self.logs = []
        at = moment(move.at)
        assert at is not None
        self.logs.append(LogLine(move.attempt, at, move.level, move.message))
        return True

    def advance(self, move: Advance) -> bool:
        """Keep how far the attempt has come, if it still runs."""
        if self.status is not RUNNING or self.fence != move.fence:
            return False
        self.progress = Progress.of(move.progress)
        return True

    def rewrite(self, move: Rewrite) -> bool:
        """Take over arguments and result in another form."""
        if (self.arguments, self.result) != (move.had_arguments, move.had_result):
            return False
        self.arguments, self.result = move.arguments, move.result
        return True


def attempt(row: Row, outcome: TaskStatus | None) -> AttemptRecord:
    """The attempt that stands in a row."""
    started = moment(row.started_at)
    assert started is not None
    return AttemptRecord(row.fence, started, moment(row.ended_at), outcome, row.error, row.stacktrace, row.owner)


def _history(row: Row) -> Sequence[AttemptRecord]:
    history = list(row.history or ())
    if row.started_at is not None:
        insort(history, attempt(row, row.status if row.status in FINAL else None), key=lambda one: one.number)
    return history


def record_of(row: Row, *, whole: bool = False) -> TaskRecord:
    """A row as callers see it, with logs and history where it is to be whole."""
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
        run_key=row.run_key,
        idempotency_key=facts.idempotency_key,
        arguments=row.arguments,
        summary=facts.summary,
        options=facts.options,
        recoverable=facts.recoverable,
        requeue_on_interrupt=facts.requeue_on_interrupt,
        cancel_requested=row.cancel_requested,
        progress=row.progress,
        result=row.result if whole else None,
        logs=tuple(row.logs or ()) if whole else (),
        history=_history(row) if whole else (),
    )


def suits(facts: Enqueue, wanted: Wanted) -> bool:
    """Whether a claim asks for such records."""
    if facts.func not in wanted.functions or facts.queue in wanted.without_queues:
        return False
    return wanted.queues is None or facts.queue in wanted.queues
