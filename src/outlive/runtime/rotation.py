"""Writes records under the newest key."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from outlive.core.filter import EVERYTHING, Page
from outlive.core.moves import Rewrite
from outlive.core.record import TaskRecord
from outlive.core.states import TaskStatus
from outlive.definitions.encryption import FernetCipher
from outlive.errors import EncryptionError
from outlive.ports import Backend
from outlive.runtime.journal import Journal, commit

#: Records that are looked at, and written, in one go.
BATCH = 200


@dataclass(frozen=True, slots=True)
class Rotation:
    """What `TaskManager.rotate_keys` has done."""

    #: How many records it has looked at.
    seen: int
    #: How many of them it has written under the newest key.
    rewritten: int
    #: Ids of those that no key decrypts; they stay as they are.
    unreadable: Sequence[str]


async def rotate(
    backend: Backend, journal: Journal, cipher: FernetCipher, seen_so_far: Callable[[int], None] = lambda _: None
) -> Rotation:
    """Go through all records; harmless beside running instances, and when it is repeated."""
    seen, rewritten = 0, 0
    unreadable: list[str] = []
    page: Page | None = Page(limit=BATCH)
    while page is not None:
        records = await backend.find(EVERYTHING, page)
        page = Page(BATCH, records[-1].id) if len(records) == BATCH else None
        seen += len(records)
        moves: list[Rewrite] = []
        for record in records:
            try:
                move = _renewed(await _with_result(backend, record), cipher)
            except EncryptionError:
                unreadable.append(record.id)
                continue
            if move is not None:
                moves.append(move)
        # One that has ended meanwhile wrote its result with the newest key, but its arguments are still to be done.
        rewritten += await _write(backend, journal, moves, cipher)
        seen_so_far(seen)
    return Rotation(seen, rewritten, tuple(unreadable))


async def _with_result(backend: Backend, record: TaskRecord) -> TaskRecord:
    if record.status is not TaskStatus.SUCCESS:
        return record
    return await backend.get(record.id) or record


def _renewed(record: TaskRecord, cipher: FernetCipher) -> Rewrite | None:
    arguments = None if record.arguments is None else cipher.renew(record.arguments)
    result = None if record.result is None else cipher.renew(record.result)
    if (arguments, result) == (record.arguments, record.result):
        return None
    return Rewrite(record.id, record.arguments, arguments, record.result, result)


async def _write(backend: Backend, journal: Journal, moves: Sequence[Rewrite], cipher: FernetCipher) -> int:
    if not moves:
        return 0
    answers = await commit(journal, moves)
    again: list[Rewrite] = []
    for move, done in zip(moves, answers, strict=True):
        record = None if done else await backend.get(move.id)
        renewed = None if record is None else _renewed(record, cipher)
        if renewed is not None:
            again.append(renewed)
    return sum(answers) + await _write(backend, journal, again, cipher)
