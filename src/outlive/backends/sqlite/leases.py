"""Leases in the file: what is done in one transaction, and how waiters of other processes are called."""

import asyncio
import json
import sqlite3
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import asdict, replace
from functools import partial
from typing import Any, NamedTuple, TypeVar

from outlive.backends.sqlite.link import Link
from outlive.backends.sqlite.pipes import Pipes
from outlive.backends.sqlite.statements import sql
from outlive.backends.sqlite.worker import Workers
from outlive.backends.sqlite.writer import Writer
from outlive.backends.watches import Watches
from outlive.errors import BackendError
from outlive.ports import HANDOVER_SECONDS, LEASE, LEASE_EVENTS, Handle, Lease, LeaseEvent

#: Between two looks at what other processes have handed over; one look serves all waiters of this process. The second
#: is for where the others tell of it.
LOOK_SECONDS, LOOK_SECONDS_BESIDE_HINTS = 0.02, 0.2

#: Between two times of deleting what has run out.
SWEEP_SECONDS = 1.0

T = TypeVar("T")


class Asked(NamedTuple):
    """Who asks for which lease, and when."""

    key: str
    holder: str
    now: float
    seconds: float = HANDOVER_SECONDS
    wait: float = 0.0


class SqliteLeases:
    """Leases that the processes of one host share."""

    def __init__(
        self, writing: Callable[[], Workers[Writer]], reading: Callable[[], Workers[Link]], pipes: Pipes
    ) -> None:
        self._writing = writing
        self._reading = reading
        self._pipes = pipes
        self._watches = Watches()
        pipes.hints.listen(LEASE, self._hear)
        self._looking: asyncio.Task[None] | None = None
        self._sweep_at = 0.0

    async def take(self, key: str, holder: str, seconds: float, now: float, wait: float = 0.0) -> Lease:
        """Give the lease to `holder` if nobody else has it or comes first."""
        is_to_sweep = now >= self._sweep_at  # tidiness only: what has run out is passed over in any case
        if is_to_sweep:
            self._sweep_at = now + SWEEP_SECONDS
        asked = Asked(key, holder, now, seconds, wait)
        lease, is_new = await self._write(partial(_take, asked=asked, is_to_sweep=is_to_sweep))
        if is_new and lease.holder != holder:
            self._call([lease.holder])
        return lease

    async def renew(self, key: str, holder: str, seconds: float, now: float) -> bool:
        """Let the lease end `seconds` from now."""
        return await self._write(partial(_changed, query="lease_renew", asked=Asked(key, holder, now, seconds)))

    async def drop(self, key: str, holder: str, now: float) -> bool:
        """Give up the lease or the place in the queue."""
        had, following = await self._write(partial(_drop, asked=Asked(key, holder, now)))
        self._call(following)
        return had

    async def force(self, key: str, reason: str, now: float) -> bool:
        """Take the lease from whoever has it."""
        had, following = await self._write(partial(_force, key=key, reason=reason, now=now))
        self._call(following)
        return had

    async def why_lost(self, holder: str) -> str | None:
        """Why `holder` was forced out."""
        found = await self._read("lease_why_lost", holder=holder)
        return None if found is None else found[0]

    async def held(self, now: float, key: str | None = None) -> Sequence[Lease]:
        """The leases that have not expired, by their keys."""
        found = await self._read("lease_held", now=now, key=key)
        return [Lease(**facts | {"waiting": tuple(facts["waiting"])}) for facts in json.loads(found[0])]

    async def note(self, event: LeaseEvent) -> None:
        """Put an event into the history."""
        await self._write(partial(_note, event=event))

    async def history(self, key: str | None = None, limit: int = 100) -> Sequence[LeaseEvent]:
        """The newest events first."""
        found = await self._read("lease_history", key=key, limit=limit)
        return [LeaseEvent(**facts) for facts in json.loads(found[0])]

    def watch(self, holder: str, called: Callable[[], None]) -> Handle:
        """Call back when a lease is handed to `holder`, by whichever process."""
        watch = self._watches.add(holder, called)
        if self._looking is None or self._looking.done():
            self._looking = asyncio.create_task(self._look(), name="outlive lease turns")
        return watch

    async def close(self) -> None:
        """Look no longer."""
        looking, self._looking = self._looking, None
        if looking is not None and looking.get_loop() is asyncio.get_running_loop():
            looking.cancel()
            await asyncio.wait([looking])

    async def _look(self) -> None:
        while names := self._watches.names():
            with suppress(BackendError):  # who waits is told when it asks for its place again
                found = await self._read("lease_called", holders=json.dumps(names))
                self._watches.call(json.loads(found[0]))
            await asyncio.sleep(LOOK_SECONDS_BESIDE_HINTS if self._pipes.is_open else LOOK_SECONDS)

    def _call(self, holders: Sequence[str]) -> None:
        self._watches.call(holders)
        for holder in holders:
            self._pipes.hints.signal(LEASE, holder)

    def _hear(self, holder: str | None) -> None:
        self._watches.call(self._watches.names() if holder is None else [holder])

    async def _write(self, work: Callable[[sqlite3.Connection], T]) -> T:
        return await self._writing().call(lambda writer: writer.write(work))

    async def _read(self, query: str, **values: object) -> Any:
        return await self._reading().call(
            lambda reader: reader.use(lambda connection: connection.execute(sql(query), values).fetchone())
        )


def _take(connection: sqlite3.Connection, asked: Asked, *, is_to_sweep: bool) -> tuple[Lease, bool]:
    if is_to_sweep:
        _sweep(connection, asked)
    lease, following = _look(connection, asked)
    is_new = lease is None
    if lease is None:
        lease = _grant(connection, asked, following)
    elif lease.holder == asked.holder:
        _changed(connection, "lease_renew", asked)
        return replace(lease, expires_at=asked.now + asked.seconds), False
    if lease.holder != asked.holder and asked.wait > 0:
        _changed(connection, "lease_expire_waiters", asked)
        _changed(connection, "lease_wait", asked)
    return lease, is_new


def _drop(connection: sqlite3.Connection, asked: Asked) -> tuple[bool, list[str]]:
    dropped = connection.execute(sql("lease_drop"), asked._asdict()).fetchall()
    if not dropped:
        _changed(connection, "lease_leave", asked)
        return False, []
    [(following,)] = dropped
    return True, [] if following is None else [_grant(connection, asked, following).holder]


def _force(connection: sqlite3.Connection, key: str, reason: str, now: float) -> tuple[bool, list[str]]:
    lease, _ = _look(connection, Asked(key, "", now))
    if lease is None:
        return False, []
    _note(connection, LeaseEvent(key, lease.holder, lease.fence, now, "forced", reason))
    return True, _drop(connection, Asked(key, lease.holder, now))[1]


def _note(connection: sqlite3.Connection, event: LeaseEvent) -> None:
    connection.execute(sql("lease_note"), asdict(event))
    connection.execute(sql("lease_forget_events"), {"keep": LEASE_EVENTS})


def _grant(connection: sqlite3.Connection, asked: Asked, following: str | None) -> Lease:
    """Give the lease to who has waited longest, or else to who asks."""
    holder = asked.holder if following is None else following
    if following is not None:
        _changed(connection, "lease_leave", asked._replace(holder=following))
    seconds = asked.seconds if holder == asked.holder else HANDOVER_SECONDS
    [(fence,)] = connection.execute(sql("lease_fence")).fetchall()
    lease = Lease(asked.key, holder, fence, asked.now, asked.now + seconds)
    granted = {"fence": fence, "taken_at": lease.taken_at, "expires_at": lease.expires_at}
    connection.execute(sql("lease_grant"), {"key": lease.key, "holder": holder, **granted})
    return lease


def _sweep(connection: sqlite3.Connection, asked: Asked) -> None:
    for query in ("lease_expire", "lease_expire_waiters"):
        _changed(connection, query, asked)


def _look(connection: sqlite3.Connection, asked: Asked) -> tuple[Lease | None, str | None]:
    """Who has the lease, and who comes next."""
    holder, *facts, following = connection.execute(sql("lease_look"), asked._asdict()).fetchone()
    return None if holder is None else Lease(asked.key, holder, *facts), following


def _changed(connection: sqlite3.Connection, query: str, asked: Asked) -> bool:
    return connection.execute(sql(query), asked._asdict()).rowcount > 0
