"""Leases in the database; each verb is one function of it, and so one round trip."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from outlive.backends.hints import Hints
from outlive.backends.postgres.connections import Connections, Lane
from outlive.backends.postgres.server_time import ServerTime
from outlive.backends.postgres.statements import query
from outlive.backends.watches import Watches
from outlive.ports import HANDOVER_SECONDS, LEASE, LEASE_EVENTS, Handle, Lease, LeaseEvent


class PostgresLeases:
    """Leases that all processes on a database share."""

    def __init__(self, connections: Connections, lane: Lane, hints: Hints, time: ServerTime) -> None:
        self._connections = connections
        self._lane = lane
        self._hints = hints
        self._time = time
        self._watches = Watches()
        hints.listen(LEASE, self._hear)

    async def take(self, key: str, holder: str, seconds: float, now: float, wait: float = 0.0) -> Lease:
        """Give the lease to `holder` if nobody else has it or comes first."""
        row = await self._write("lease_take", now, key=key, holder=holder, seconds=seconds, wait=wait)
        self._call(row["called"])
        return self._lease(key, *list(row.values())[:4])

    async def renew(self, key: str, holder: str, seconds: float, now: float) -> bool:
        """Let the lease end `seconds` from now."""
        return await self._write("lease_renew", now, key=key, holder=holder, seconds=seconds) is not None

    async def drop(self, key: str, holder: str, now: float) -> bool:
        """Give up the lease or the place in the queue."""
        row = await self._write("lease_drop", now, key=key, holder=holder)
        self._call(row["called"])
        return bool(row["had"])

    async def force(self, key: str, reason: str, now: float) -> bool:
        """Take the lease from whoever has it."""
        row = await self._write("lease_force", now, key=key, reason=reason)
        self._call(row["called"])
        return bool(row["had"])

    async def why_lost(self, holder: str) -> str | None:
        """Why `holder` was forced out."""
        found = await self._read("lease_why_lost", holder=holder)
        return found[0][0] if found else None

    async def held(self, now: float, key: str | None = None) -> Sequence[Lease]:
        """The leases that have not expired, by their keys."""
        found = await self._read("lease_held", now=now + self._time.ahead, key=key)
        return [replace(self._lease(*list(row)[:5]), waiting=tuple(row[5])) for row in found]

    async def note(self, event: LeaseEvent) -> None:
        """Put an event into the history."""
        facts = {"holder": event.holder, "fence": event.fence, "event": event.event, "reason": event.reason}
        await self._write("lease_note", event.at, key=event.key, **facts)

    async def history(self, key: str | None = None, limit: int = 100) -> Sequence[LeaseEvent]:
        """The newest events first."""
        found = await self._read("lease_history", key=key, limit=limit)
        return [
            LeaseEvent(named, holder, fence, at - self._time.ahead, event, reason)
            for named, holder, fence, at, event, reason in found
        ]

    def watch(self, holder: str, called: Callable[[], None]) -> Handle:
        """Call back when a lease is handed to `holder`, by whichever process."""
        return self._watches.add(holder, called)

    def _lease(self, key: str, holder: str, fence: int, taken_at: float, expires_at: float) -> Lease:
        ahead = self._time.ahead
        return Lease(key, holder, fence, taken_at - ahead, expires_at - ahead)

    def _call(self, holder: str | None) -> None:
        if holder is not None:
            self._watches.call([holder])
            self._hints.signal(LEASE, holder)

    def _hear(self, holder: str | None) -> None:
        self._watches.call(self._watches.names() if holder is None else [holder])

    async def _write(self, name: str, now: float, **values: Any) -> Any:
        values |= {"now": now + self._time.ahead, "handover": HANDOVER_SECONDS, "keep": LEASE_EVENTS}
        verb = query(name)
        return await self._lane.run(lambda connection: connection.fetchrow(verb.text, *verb.values(values)))

    async def _read(self, name: str, **values: Any) -> Sequence[Any]:
        verb = query(name)
        async with self._connections.borrowed() as connection:
            return await connection.fetch(verb.text, *verb.values(values))
