"""The kinds of moves, in the order of `backends/order.py`, and how each becomes a row."""

import json
import sqlite3
from collections.abc import Callable
from dataclasses import dataclass
from operator import attrgetter
from typing import Any

from outlive.backends.sqlite.queues import permit
from outlive.core.moves import OVERLAPS, Enqueue, Fire

_Row = tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of move: its queries, the last of which says what took effect, and the row that all of them take."""

    queries: tuple[str, ...]
    row: Callable[[Any], _Row]
    #: What is done instead of a move that had no effect.
    otherwise: "Kind | None" = None
    #: Applies one move by itself, where that takes more than a row.
    alone: Callable[[sqlite3.Connection, Any], bool] | None = None


def _fire_row(move: Fire) -> _Row:
    return (
        move.id, move.schedule, move.slot, move.next_at, move.at, move.fired,
        int(move.exclusive), int(move.waits), move.missed, move.reason, OVERLAPS,
    )  # fmt: skip


def _enqueue_row(move: Enqueue) -> _Row:
    return (
        move.id, move.func, move.func_name, move.created_at, move.run_at, move.owner, move.started_at,
        move.source, move.timing, move.queue, move.priority, move.executor, move.label,
        json.dumps(dict(move.tags)) if move.tags else None,
        move.idempotency_key, move.arguments, move.summary, move.options,
        # A plain int is bound at once, a bool is first offered to every adapter.
        int(move.recoverable), int(move.requeue_on_interrupt), move.schedule, move.rejected, move.run_key,
    )  # fmt: skip


_pending_row = attrgetter("id", "fence", "at", "error", "stacktrace", "reason", "run_at")

KINDS = (
    Kind(("fire",), _fire_row),
    Kind(("withdraw",), attrgetter("id", "run_key", "at", "reason")),
    Kind(("enqueue",), _enqueue_row, Kind(("stand_for",), attrgetter("id", "idempotency_key"))),
    Kind(("permit",), attrgetter("id"), alone=permit),
    Kind(("start",), attrgetter("id", "fence", "owner", "at", "limited")),
    Kind(("advance",), attrgetter("id", "fence", "progress")),
    Kind(("settle",), attrgetter("id", "fence", "status.value", "at", "error", "stacktrace", "reason", "result")),
    Kind(("retry_attempt", "retry"), _pending_row),
    Kind(("give_up_attempt", "give_up"), _pending_row),
    Kind(("release",), attrgetter("id", "owner", "reason")),
    Kind(("abandon",), attrgetter("id", "owner", "at", "reason")),
    Kind(("cancel",), attrgetter("id", "at", "reason")),
    Kind(("ask_cancel",), attrgetter("id", "reason")),
    Kind(("requeue_attempt", "requeue"), attrgetter("id", "at")),
    Kind(("rewrite",), attrgetter("id", "had_arguments", "arguments", "had_result", "result")),
    Kind(("log",), attrgetter("id", "attempt", "at", "level", "message")),
)
