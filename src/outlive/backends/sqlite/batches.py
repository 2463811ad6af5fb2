"""Applies a batch of moves with few statements: many rows each, grouped by kind.

Every step of SQLite lets go of the interpreter's lock and may wait 5 ms for a busy event loop to get it back, so what
counts is how few steps there are. A statement over many rows says how many took effect, not which; where not all did,
the batch is done again, carefully.
"""

import sqlite3
from collections.abc import Iterator, Sequence
from itertools import chain

from outlive.backends.order import runs
from outlive.backends.sqlite.kinds import KINDS, Kind
from outlive.backends.sqlite.statements import sql, sql_for
from outlive.core.moves import Move

#: Rows that one statement takes at most.
LARGEST = 256


class NotAllTookEffectError(Exception):
    """A statement changed fewer rows than it was given."""


def apply_fast(connection: sqlite3.Connection, moves: Sequence[Move]) -> list[bool]:
    """Apply the moves; raise `NotAllTookEffectError` where it takes care to say which of them had no effect."""
    return _Batch(connection, moves, careful=False).apply()


def apply_carefully(connection: sqlite3.Connection, moves: Sequence[Move]) -> list[bool]:
    """Apply the moves, going back to single rows where not all rows of a statement took effect."""
    return _Batch(connection, moves, careful=True).apply()


class _Batch:
    def __init__(self, connection: sqlite3.Connection, moves: Sequence[Move], *, careful: bool) -> None:
        self._connection = connection
        self._execute = connection.execute
        self._moves = moves
        self._careful = careful
        self._effects = [False] * len(moves)

    def apply(self) -> list[bool]:
        for run in runs(self._moves):
            for rank in sorted(run):
                self._apply_kind(KINDS[rank], run[rank])
        return self._effects

    def _apply_kind(self, kind: Kind, places: list[int]) -> None:
        if kind.alone is not None:
            for place in places:
                self._effects[place] = kind.alone(self._connection, self._moves[place])
            return
        for chunk in chunks(places):
            if len(chunk) == 1:
                self._apply_one(kind, chunk[0])
            elif self._careful:
                self._apply_with_care(kind, chunk)
            elif self._changed(kind, chunk) == len(chunk):
                self._took_effect(chunk)
            else:
                raise NotAllTookEffectError

    def _apply_with_care(self, kind: Kind, chunk: Sequence[int]) -> None:
        self._execute(sql("savepoint"))
        complete = self._changed(kind, chunk) == len(chunk)
        if not complete:
            self._execute(sql("savepoint_rollback"))
        self._execute(sql("savepoint_release"))
        if complete:
            self._took_effect(chunk)
            return
        for place in chunk:
            self._apply_one(kind, place)

    def _apply_one(self, kind: Kind, place: int) -> None:
        self._effects[place] = self._changed(kind, [place]) == 1
        if kind.otherwise is not None and not self._effects[place]:
            self._changed(kind.otherwise, [place])

    def _changed(self, kind: Kind, places: Sequence[int]) -> int:
        size = size_for(len(places))
        values = tuple(chain.from_iterable(kind.row(self._moves[place]) for place in places))
        # What is missing to the size of the statement are rows of nulls, which match no record.
        values += (None,) * (len(values) // len(places) * (size - len(places)))
        changed = 0
        for name in kind.queries:  # the last is the one that counts; one before it keeps an attempt
            changed = self._execute(sql_for(name, size), values).rowcount
        return changed

    def _took_effect(self, places: Sequence[int]) -> None:
        for place in places:
            self._effects[place] = True


def chunks(places: list[int]) -> Iterator[list[int]]:
    """Cut into what one statement takes."""
    return (places[at : at + LARGEST] for at in range(0, len(places), LARGEST))


def size_for(count: int) -> int:
    """The next power of two, or three quarters of it: few sizes, so that each statement is compiled once and kept."""
    power = 1 << (count - 1).bit_length()
    return power * 3 // 4 if count <= power * 3 // 4 else power
