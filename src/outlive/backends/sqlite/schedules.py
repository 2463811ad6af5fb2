"""Schedules in the file: rows of JSON, see `queries/schedule.fragment.sql`, and what is written in several steps."""

import json
import math
import sqlite3
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from outlive.backends.sqlite.statements import sql
from outlive.core.schedule import Gap, ScheduleEntry, ScheduleState


def register(connection: sqlite3.Connection, entries: Sequence[ScheduleEntry], now: float) -> None:
    """Take over what an instance declares."""
    text = json.dumps([_row(entry) for entry in entries])
    connection.execute(sql("schedule_register"), {"entries": text})
    if any(entry.startup_window is not None for entry in entries):
        connection.execute(sql("schedule_startup"), {"entries": text, "now": now})


def put(connection: sqlite3.Connection, entry: ScheduleEntry, *, new: bool) -> bool:
    """Add or change one at run time."""
    values = asdict(entry)
    del values["startup_window"]
    return connection.execute(sql("schedule_add" if new else "schedule_change"), values).rowcount > 0


def gaps(text: str) -> list[Gap]:
    """The gaps of a list."""
    return [
        Gap(slot + slot_rest, count, at + rest, reason) for slot, slot_rest, count, at, rest, reason in json.loads(text)
    ]


def states(text: str) -> list[ScheduleState]:
    """The schedules of a list."""
    return [_state(values) for values in json.loads(text)]


def _row(entry: ScheduleEntry) -> tuple[Any, ...]:
    # Whole seconds and the rest: SQLite reads no more than 15 digits of a number in JSON for certain.
    whole = None if entry.next_at is None else math.floor(entry.next_at)
    rest = None if entry.next_at is None or whole is None else entry.next_at - whole
    return (
        entry.name,
        entry.func,
        entry.rule,
        whole,
        rest,
        entry.startup_window,
        entry.policy,
        entry.declared,
        entry.paused,
    )


def _state(values: Sequence[Any]) -> ScheduleState:
    name, func, rule, next_at, next_rest, paused, last_at, last_rest, last_id, missed, at, rest, reason, *more = values
    return ScheduleState(
        name,
        func,
        rule,
        _moment(next_at, next_rest),
        bool(paused),
        _moment(last_at, last_rest),
        last_id,
        missed,
        _moment(at, rest),
        reason,
        *more,
    )


def _moment(whole: int | None, rest: float | None) -> float | None:
    return None if whole is None or rest is None else whole + rest
