"""Applies a batch of moves: one statement, one round trip, wherever the moves do not depend on each other.

The statement is put together of the parts in `moves/`, one for each kind that the batch has. All parts see the records
as they were before it, so a record that moves twice, a slot with its record, and whatever takes or frees idempotency
keys goes in several statements of one transaction.
"""

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import cache
from operator import attrgetter
from typing import Any

from outlive.backends.order import KINDS, Run, kind_of, runs
from outlive.backends.postgres.connections import Connection
from outlive.backends.postgres.statements import bare, headers, query, row, source
from outlive.core.moves import OVERLAPS, Enqueue, Fire, Move, Permit, Requeue, Start, Withdraw
from outlive.core.schedule import GAPS_KEPT

_ENQUEUE, _LOG, _ADVANCE = (KINDS.index(kind) for kind in ("enqueue", "log", "advance"))
_TYPES = {"moment": "float8"}

#: How often a record is offered again whose key was held when it came and free when its holder was looked for.
_OFFERS = 3


class Batch:
    """The moves of one transaction, and how the server is asked to apply them.

    `ahead` is how many seconds the server's clock is ahead of that of the moves. What took effect is noted under
    `writer` and `seq`.
    """

    def __init__(self, moves: Sequence[Move], ahead: float, writer: str, seq: int) -> None:
        self.moves = moves
        self.seq = seq
        self._ahead = ahead
        self._writer = writer

    async def apply(self, connection: Connection) -> list[bool]:
        """Apply the moves and say which took effect."""
        stages = list(_stages(self.moves))
        if len(stages) == 1 and not any(map(_has_key, self.moves)):
            return self.answers(await self._run(connection, stages[0], mark=True))
        keys = [key for move in self.moves for key in _contested(move)]
        async with connection.transaction():
            if keys:
                await connection.execute(query("lock_keys").text, keys)
            places = [place for stage in stages for place in await self._stage(connection, stage)]
            await self._run(connection, {}, mark=True, places=places)
        return self.answers(places)

    def answers(self, places: Iterable[int]) -> list[bool]:
        """Which of the moves took effect, by the places of those that did."""
        effects = [False] * len(self.moves)
        for place in places:
            effects[place] = True
        return effects

    async def _stage(self, connection: Connection, stage: Run) -> list[int]:
        places = await self._run(connection, stage)
        keyed = [place for place in stage.get(_ENQUEUE, ()) if _has_key(self.moves[place])]
        if keyed:
            places += await self._meet_holders(connection, [place for place in keyed if place not in set(places)])
        return places

    async def _meet_holders(self, connection: Connection, refused: list[int]) -> list[int]:
        """Let what was refused for its key stand for the holder; one whose holder has ended meanwhile is accepted."""
        accepted: list[int] = []
        for _ in range(_OFFERS):
            if not refused:
                break
            known = await self._ask(connection, ("stand_for",), {"stand_for": refused})
            refused = [place for place in refused if place not in set(known)]
            if refused:
                accepted += await self._ask(connection, ("enqueue",), {"enqueue": refused})
                refused = [place for place in refused if place not in set(accepted)]
        return accepted

    async def _run(
        self, connection: Connection, stage: Run, *, mark: bool = False, places: Sequence[int] = ()
    ) -> list[int]:
        kinds = tuple(KINDS[rank] for rank in sorted(stage))
        given = {KINDS[rank]: places for rank, places in stage.items()}
        return await self._ask(connection, kinds, given, mark=mark, known=places)

    async def _ask(
        self,
        connection: Connection,
        kinds: tuple[str, ...],
        given: dict[str, list[int]],
        *,
        mark: bool = False,
        known: Sequence[int] = (),
    ) -> list[int]:
        values: list[Any] = [known, self._writer, self.seq if mark else None]
        is_lone = len(kinds) == 1 and len(given[kinds[0]]) == 1
        for kind in kinds:
            values += self._lone(kind, given[kind][0]) if is_lone else self._columns(kind, given[kind])
        counted = tuple(kind for kind in kinds if kind != "enqueue" or self._rejects(given[kind]))
        text = text_of(kinds, counted=counted, is_lone=is_lone, mark=mark)
        places: list[int] = await connection.fetchval(text, *values)
        return places

    def _rejects(self, places: list[int]) -> bool:
        return any(move.rejected is not None for place in places if isinstance(move := self.moves[place], Enqueue))

    def _lone(self, kind: str, place: int) -> Iterator[Any]:
        yield place
        for _, (value,) in self._values(kind, [self.moves[place]]):
            yield value

    def _columns(self, kind: str, places: list[int]) -> Iterator[Any]:
        yield places
        for column, values in self._values(kind, [self.moves[place] for place in places]):
            yield from (values,) if column == "id" else _shared(values)

    def _values(self, kind: str, moves: Sequence[Move]) -> Iterator[tuple[str, list[Any]]]:
        for column, kind_of_value in row(kind):
            values = list(map(_VALUE[column] if column in _VALUE else attrgetter(column), moves))
            if kind_of_value == "moment" and self._ahead:
                values = [None if value is None else value + self._ahead for value in values]
            yield column, values


def _shared(values: list[Any]) -> tuple[list[Any], Any]:
    """The values of a column and what stands for those that are missing: one value for all, where all are the same.

    Most columns of most batches are, and the driver takes its time for each value of an array.
    """
    first = values[0]
    if first == values[-1] and values.count(first) == len(values):
        return [], first
    return values, None


def _tags(move: Enqueue) -> str | None:
    return json.dumps(dict(move.tags)) if move.tags else None


def _limits(move: Permit) -> str:
    return json.dumps([(limit.key, limit.most, limit.per, limit.pace) for limit in move.limits])


_VALUE: dict[str, Callable[[Any], Any]] = {"tags": _tags, "limits": _limits}


# -- what goes together ---------------------------------------------------------------------------


def _stages(moves: Sequence[Move]) -> Iterator[Run]:
    return _careful_stages(moves) if any(map(_needs_care, moves)) else _plain_stages(moves)


def _needs_care(move: Move) -> bool:
    if isinstance(move, Enqueue):
        return (move.idempotency_key, move.schedule, move.run_key) != (None, None, None)
    return isinstance(move, (Fire, Withdraw, Requeue, Permit)) or (isinstance(move, Start) and move.limited)


def _contested(move: Move) -> list[str]:
    """What processes would have to take turns at, where looking and taking are two statements."""
    if isinstance(move, Permit):
        return [f"limit {limit.key}" for limit in move.limits]
    if isinstance(move, (Withdraw, Enqueue)) and move.run_key is not None:
        return [f"run {move.run_key}"]
    return []


def _has_key(move: Move) -> bool:
    return isinstance(move, Enqueue) and move.idempotency_key is not None


def _plain_stages(moves: Sequence[Move]) -> Iterator[Run]:
    """Each record moves once in a stage, or says several times how far it is.

    Lines of its log may join, unless the record itself is new.
    """
    stage: Run = {}
    moved: dict[str, int] = {}
    for place, move in enumerate(moves):
        rank = kind_of(move)
        before = moved.get(move.id)
        if before is not None and (before == _ENQUEUE if rank == _LOG else not before == rank == _ADVANCE):
            yield stage
            stage, moved = {}, {}
        stage.setdefault(rank, []).append(place)
        if rank != _LOG:
            moved[move.id] = rank
    if stage:
        yield stage


def _careful_stages(moves: Sequence[Move]) -> Iterator[Run]:
    """One kind after the other, and a record once in each."""
    for run in runs(moves):
        for rank in sorted(run):
            yield from ({rank: places} for places in _apart(moves, run[rank], rank))


def _apart(moves: Sequence[Move], places: list[int], rank: int) -> Iterator[list[int]]:
    stage: list[int] = []
    seen: set[str] = set()
    for place in places:
        names = _only_once(moves[place])
        if not seen.isdisjoint(names) and rank not in (_LOG, _ADVANCE):
            yield stage
            stage, seen = [], set()
        stage.append(place)
        seen.update(names)
    yield stage


def _only_once(move: Move) -> set[str]:
    """What a stage has once: new records are not taken in their order there, so the first could lose its run key."""
    run_key = move.run_key if isinstance(move, Enqueue) else None
    return {move.id} if run_key is None else {move.id, f"run {run_key}"}


# -- the statement --------------------------------------------------------------------------------


@cache
def text_of(kinds: tuple[str, ...], *, counted: tuple[str, ...], is_lone: bool, mark: bool) -> str:
    """The statement that applies moves of these kinds and gives the places of those that took effect.

    Its first parameters are places that took effect before, the writer, and the number that `mark` notes. One that
    `is_lone` takes a single move, and each column as it is. `counted`: the kinds that may end records.
    """
    parts = ["batch as (select $2::text as writer, $3::int8 as seq)"]
    at = 4
    for kind in kinds:
        parts.append(_part(kind, at, is_lone=is_lone))
        at += len(row(kind)) * 2
    effects = (f"select place from {kind}" for kind in kinds)  # noqa: S608 - a kind is a word of ours
    found = " union all ".join(["select unnest($1::int4[])", *effects])
    parts.append(f"answer as (select array({found}) as places)")
    changes = [f"select final, {change} as change from {kind}" for kind in counted for change in _changes(kind)]  # noqa: S608
    if changes:
        parts.append(bare(source("tally", "moves")).replace("{changes}", " union all ".join(changes)))
    if mark:
        parts.append(bare(source("mark", "moves")))
    return f"with {', '.join(parts)} select places from answer"  # noqa: S608 - the parts are our own files


def _changes(kind: str) -> list[str]:
    """What a move of this kind adds to how many records have ended."""
    return headers(source(kind, "moves"), "tally")


def _part(kind: str, at: int, *, is_lone: bool) -> str:
    text = bare(source(kind, "moves")).replace("{overlaps}", OVERLAPS.replace("'", "''"))
    text = text.replace("{gaps}", str(GAPS_KEPT))
    columns = [("place", "int4"), *row(kind)]
    if is_lone:
        return text.replace("{rows}", _one(columns, at)).replace("{places}", _one(columns[:2], at))
    places = f"unnest(${at}::int4[], ${at + 1}::text[]) as move (place, id)"
    return text.replace("{rows}", _rows(row(kind), at)).replace("{places}", places)


def _one(columns: Sequence[tuple[str, str]], at: int) -> str:
    values = (f"${at + number}::{_TYPES.get(type_, type_)} as {name}" for number, (name, type_) in enumerate(columns))
    return f"(select {', '.join(values)}) as move"


def _rows(columns: Sequence[tuple[str, str]], at: int) -> str:
    """The places of the moves, their ids, which come first, and two parameters for each column, see `_shared`."""
    (_, id_type), *others = columns
    values, names = [f"${at}::int4[]", f"${at + 1}::{id_type}[]"], ["place", "id"]
    filled = list(names)
    for number, (name, kind) in enumerate(others):
        type_, array = _TYPES.get(kind, kind), at + 2 + 2 * number
        values.append(f"${array}::{type_}[]")
        names.append(name)
        filled.append(f"coalesce({name}, ${array + 1}::{type_}) as {name}")
    table = f"unnest({', '.join(values)}) as given ({', '.join(names)})"
    return f"(select {', '.join(filled)} from {table}) as move"  # noqa: S608 - names of our own files
