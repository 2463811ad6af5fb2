"""What must be known to have taken effect or not: batches of the journal, and claims.

A connection can be lost between the commit of a batch and its answer. Each batch leaves a note in its own transaction
(`moves/mark.sql`), and so does each claim; it is looked up there by another connection. While that is not possible the
batch stays in doubt: the next one settles it first. What the journal refused meanwhile is taken back, for its callers
were told so; what it brings again is answered as the note says and not done twice.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, TypeVar

from outlive.backends.postgres.batches import Batch
from outlive.backends.postgres.connections import Connection, Lane, Row
from outlive.backends.postgres.faults import COLLISIONS, is_lost
from outlive.backends.postgres.statements import query
from outlive.core.moves import Enqueue, Move
from outlive.errors import BackendUnavailableError
from outlive.ports import Rescue

#: How often a batch is tried again that was in the way of another transaction.
_TRIES = 5

#: Between two looks at whether a process of the server has ended.
_LOOK = 0.02

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class _Doubt:
    """A batch of which nobody knows whether it took effect, and the server's process that may still be at it."""

    batch: Batch
    process: int


class Writer:
    """Applies batches in the order of asking; `ahead` says how far the server's clock is ahead."""

    def __init__(self, lane: Lane, name: str, ahead: Callable[[], float]) -> None:
        self._lane = lane
        self._name = name
        self._ahead = ahead
        self._seq = 0
        self._doubt: _Doubt | None = None

    async def apply(self, moves: Sequence[Move]) -> Sequence[bool]:
        """Apply the moves as one transaction; raises `BackendUnavailableError` where nothing was changed.

        It also does so where nobody can know yet. Moves that are not given again by the next call count as refused.
        """
        return await self._lane.run(lambda connection: self._apply(connection, moves), lambda: self._doubt is not None)

    async def _apply(self, connection: Connection, moves: Sequence[Move]) -> Sequence[bool]:
        known = await self._settle_doubt(connection, moves)
        rest = [move for move in moves if id(move) not in known] if known else moves
        answers = iter(await self._write(connection, rest) if rest else ())
        return [known[id(move)] if id(move) in known else next(answers) for move in moves]

    async def _write(self, connection: Connection, moves: Sequence[Move]) -> list[bool]:
        self._seq += 1
        batch = Batch(moves, self._ahead(), self._name, self._seq)
        process = connection.get_server_pid()
        try:
            return await unhindered(lambda: batch.apply(connection))
        except Exception as error:
            if is_lost(error):
                self._doubt = _Doubt(batch, process)
            raise

    async def _settle_doubt(self, connection: Connection, moves: Sequence[Move]) -> dict[int, bool]:
        """What the batch in doubt came to, for those of its moves that are here again."""
        if self._doubt is None:
            return {}
        batch = self._doubt.batch
        note = await note_of(connection, self._name, self._doubt.process)
        if note is None or note["seq"] != batch.seq:
            self._doubt = None
            return {}
        again = {id(move) for move in moves}
        await self._take_back([move for move in batch.moves if id(move) not in again], connection)
        self._doubt = None
        effects = zip(batch.moves, batch.answers(note["places"]), strict=True)
        return {id(move): effect for move, effect in effects if id(move) in again}

    async def _take_back(self, refused: Sequence[Move], connection: Connection) -> None:
        ids = [move.id for move in refused if isinstance(move, Enqueue)]
        if ids:
            await connection.execute(query("undo_refused").text, ids)
            await connection.execute(query("free_refused").text, ids)


class Claims:
    """Hands records over; what was handed over and never answered is handed over again."""

    def __init__(self, lane: Lane, name: str) -> None:
        self._lane = lane
        self._name = name
        self._seq = 0
        # The server's process that may still be at it.
        self._doubt: int | None = None

    async def claim(self, values: Mapping[str, Any]) -> Sequence[Sequence[Any] | Row]:
        """The rows of `claim.sql`."""
        return await self._lane.run(lambda connection: self._claim(connection, values), lambda: self._doubt is not None)

    async def _claim(self, connection: Connection, values: Mapping[str, Any]) -> Sequence[Sequence[Any] | Row]:
        if self._doubt is not None:
            note = await note_of(connection, self._name, self._doubt)
            self._doubt = None
            if note is not None and note["seq"] == self._seq:
                return [(values["now"], *row) for row in await self._claimed(connection, note["ids"], values["owner"])]
        self._seq += 1
        claim = query("claim")
        process = connection.get_server_pid()
        given = claim.values({**values, "writer": self._name, "seq": self._seq})
        try:
            return await unhindered(lambda: connection.fetch(claim.text, *given))
        except Exception as error:
            if is_lost(error):
                self._doubt = process
            raise

    async def _claimed(self, connection: Connection, ids: Sequence[str], owner: str) -> Sequence[Sequence[Any] | Row]:
        claimed = query("claimed")
        return await connection.fetch(claimed.text, *claimed.values({"ids": ids, "owner": owner}))


async def take_all(connection: Connection, values: Mapping[str, Any], *, if_lost: bool) -> Rescue:
    """Take everything from an instance; with `if_lost` only if it gives no sign of life until that is done."""
    sign, rescue = query("sign_of_life"), query("rescue")
    if not if_lost:
        return _rescued(await connection.fetch(rescue.text, *rescue.values(values)))
    async with connection.transaction():
        if await connection.fetchval(sign.text, *sign.values(values)) is False:
            return Rescue(is_alive=True)
        return _rescued(await connection.fetch(rescue.text, *rescue.values(values)))


def _rescued(rows: Sequence[Row]) -> Rescue:
    return Rescue([task_id for task_id, on in rows if on], [task_id for task_id, on in rows if not on])


async def note_of(connection: Connection, name: str, process: int) -> Row | None:
    """What a writer noted last, once nobody works for it any more."""
    while await connection.fetch(query("end_process").text, process):  # noqa: ASYNC110 - the server tells nobody
        await asyncio.sleep(_LOOK)
    return await connection.fetchrow(query("written").text, name)


async def unhindered(work: Callable[[], Awaitable[T]]) -> T:
    """Do it again where another transaction was in the way: the server has undone it."""
    for _ in range(_TRIES):
        with suppress(*COLLISIONS):
            return await work()
    raise BackendUnavailableError(f"PostgreSQL cannot be used: other transactions were in the way {_TRIES} times")
