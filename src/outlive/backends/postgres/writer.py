"""What must be known to have taken effect or not: batches of the journal, and claims.

A connection can be lost between the commit of a batch and its answer. Each batch leaves a note in its own transaction
(`moves/mark.sql`), and so does each claim; it is looked up there by another connection. While that is not possible the
batch stays in doubt, and whoever brought it asks again.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any, TypeVar

from outlive.backends.postgres.batches import Batch
from outlive.backends.postgres.connections import Connection, Lane, Row
from outlive.backends.postgres.faults import COLLISIONS, is_lost
from outlive.backends.postgres.statements import query
from outlive.core.moves import Move
from outlive.errors import BackendInDoubtError, BackendUnavailableError
from outlive.ports import Rescue

#: How often a batch is tried again that was in the way of another transaction.
_TRIES = 5

#: Between two looks at whether a process of the server has ended.
_LOOK = 0.02

T = TypeVar("T")


class Writer:
    """Applies batches in the order of asking; `ahead` says how far the server's clock is ahead."""

    def __init__(self, lane: Lane, name: str, ahead: Callable[[], float]) -> None:
        self._lane = lane
        self._name = name
        self._ahead = ahead
        self._seq = 0

    def apply(self, moves: Sequence[Move]) -> Awaitable[Sequence[bool]]:
        """Apply the moves as one transaction; raises `BackendUnavailableError` where nothing was changed.

        `BackendInDoubtError` where nobody can know yet; until that is known, nothing else may be applied.
        """
        self._seq += 1
        batch = Batch(moves, self._ahead(), self._name, self._seq)
        return self._lane.begin(_Sending(self._lane, self._name, batch).send)


class _Sending:
    """A batch on its way; it takes effect once, however often it is sent."""

    def __init__(self, lane: Lane, name: str, batch: Batch) -> None:
        self._lane = lane
        self._name = name
        self._batch = batch
        # The server's process that may still be at it, or be through.
        self._doubt: int | None = None

    async def send(self) -> Sequence[bool]:
        """Its answers."""
        try:
            return await self._lane.in_turn(self._apply, lambda: self._doubt is not None)
        except BackendUnavailableError as error:
            if self._doubt is None:
                raise
            raise BackendInDoubtError(str(error), lambda: self._lane.begin(self.send)) from error

    async def _apply(self, connection: Connection) -> Sequence[bool]:
        if self._doubt is not None:
            note = await note_of(connection, self._name, self._doubt)
            self._doubt = None
            if note is not None and note["seq"] == self._batch.seq:
                return self._batch.answers(note["places"])
        process = connection.get_server_pid()
        try:
            return await unhindered(lambda: self._batch.apply(connection))
        except Exception as error:
            if is_lost(error):
                self._doubt = process
            raise


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
