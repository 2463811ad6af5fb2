"""Finds the records that a query means, looking at a bounded number of them at a time."""

from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from outlive.admin.query import Query
from outlive.core.filter import Page
from outlive.core.record import TaskRecord
from outlive.manager import TaskManager

#: How many records one page may look at; the next page goes on from there.
SCAN = 2000

#: Read at once where every one is to be tested.
_CHUNK = 100


@dataclass(frozen=True, slots=True)
class Found:
    """One page of what was looked for."""

    records: Sequence[TaskRecord]
    #: Where the next page begins, None where there is no more.
    after: str | None
    #: How many records were looked at.
    looked_at: int
    #: Whether the page ended because enough were looked at, not because it is full.
    is_cut: bool = False


async def search(manager: TaskManager, query: Query, limit: int, before: str | None = None, scan: int = SCAN) -> Found:
    """Up to `limit` records that match, newest first, after looking at `scan` at most."""
    found: list[TaskRecord] = []
    cursor, looked_at = _start(query, before), 0
    while looked_at < scan:
        size = min(_CHUNK if query.tests else limit + 1, scan - looked_at)
        page = await manager.find(query.conditions, Page(size, cursor))
        for record in page:
            if query.since is not None and record.created_at < query.since:
                return Found(found, None, looked_at)
            if not query.matches(record):
                pass
            elif len(found) == limit:
                return Found(found, found[-1].id, looked_at)
            else:
                found.append(record)
            looked_at += 1
            cursor = record.id
        if len(page) < size:
            return Found(found, None, looked_at)
    return Found(found, cursor, looked_at, is_cut=True)


async def every_match(
    manager: TaskManager, query: Query, most: int, before: str | None = None
) -> tuple[list[TaskRecord], bool]:
    """The records that match, up to `most`; and whether that is all of them."""
    found = [record async for record in matches(manager, query, most + 1, before)]
    return found[:most], len(found) <= most


async def matches(
    manager: TaskManager, query: Query, most: int, before: str | None = None
) -> AsyncGenerator[TaskRecord]:
    """The records that match, up to `most`, a page of them at a time."""
    left, cursor = most, before
    while left > 0:
        page = await search(manager, query, min(_CHUNK, left), cursor)
        for record in page.records:
            yield record
        left -= len(page.records)
        if page.after is None:
            return
        cursor = page.after


def _start(query: Query, before: str | None) -> str | None:
    bound = None if query.until is None else _first_id_at(query.until)
    return min((one for one in (bound, before) if one is not None), default=None)


def _first_id_at(moment: datetime) -> str:
    """The least id that a record accepted at this moment can have: a UUIDv7 begins with its time in milliseconds."""
    return str(UUID(int=int(moment.timestamp() * 1000) << 80 | 0x7 << 76))
