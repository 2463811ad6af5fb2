"""Leases on the server, and how those who wait are called."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from typing import Any, TypeVar

import ormsgpack

from outlive.backends.redis import rows
from outlive.backends.redis.clock import ServerClock
from outlive.backends.redis.link import REPEATS, Link
from outlive.backends.redis.wire import to_text
from outlive.backends.watches import Watches
from outlive.errors import BackendError
from outlive.ports import LEASE, LEASE_EVENTS, Handle, Lease, LeaseEvent, Notifier

#: How long it can be read why somebody was forced out, in seconds.
_REMEMBERED = 86_400

#: Between two times of deleting what has run out.
SWEEP_SECONDS = 1.0

T = TypeVar("T")


class RedisLeases:
    """Leases that all instances share. Times are turned into the server's."""

    def __init__(self, link: Callable[[], Link], clock: ServerClock, notifier: Notifier) -> None:
        self._link = link
        self._clock = clock
        self._watches = Watches()
        self._looking: asyncio.Task[None] | None = None
        #: For each holder what was asked last, while that is on its way.
        self._last: dict[str, asyncio.Future[None]] = {}
        self._sweep_at = 0.0
        notifier.listen(LEASE, self._hear)

    async def take(self, key: str, holder: str, seconds: float, now: float, wait: float = 0.0) -> Lease:
        """Give the lease to `holder` if nobody else has it or comes first."""
        ahead = self._clock.ahead
        asked = self._asked(key, holder, now) | {"seconds": seconds, "wait": wait, "sweeps": self._is_to_sweep(now)}
        reply = await self._in_turn(holder, lambda: self._link().run("lease_take", asked, repeats=REPEATS))
        lease = rows.lease(ormsgpack.unpackb(reply), ahead)
        self._watches.call([] if lease.holder == holder else [lease.holder])
        return lease

    async def renew(self, key: str, holder: str, seconds: float, now: float) -> bool:
        """Let the lease end `seconds` from now."""
        asked = self._asked(key, holder, now) | {"seconds": seconds}
        renewing = self._in_turn(holder, lambda: self._link().run("lease_renew", asked, repeats=REPEATS))
        return bool(await renewing)

    async def drop(self, key: str, holder: str, now: float) -> bool:
        """Give up the lease or the place in the queue."""
        asked = self._asked(key, holder, now)
        return self._passed_on(await self._in_turn(holder, lambda: self._link().run("lease_drop", asked)))

    async def force(self, key: str, reason: str, now: float) -> bool:
        """Take the lease from whoever has it."""
        asked = self._asked(key, "", now) | {"reason": reason, "remember": _REMEMBERED, "most": LEASE_EVENTS}
        return self._passed_on(await self._link().run("lease_force", asked))

    async def why_lost(self, holder: str) -> str | None:
        """Why `holder` was forced out."""
        reply = await self._link().run("lease_why_lost", {"holder": holder}, repeats=REPEATS)
        return None if reply is None else str(reply, "utf-8")

    async def held(self, now: float, key: str | None = None) -> Sequence[Lease]:
        """The leases that have not expired, by their keys."""
        ahead = self._clock.ahead
        found = await self._link().ask("lease_held", {"now": repr(now + ahead), "key": key})
        return [rows.lease(reply, ahead) for reply in found]

    async def note(self, event: LeaseEvent) -> None:
        """Put an event into the history."""
        at = event.at + self._clock.ahead
        told = to_text((event.key, event.holder, event.fence, at, event.event, event.reason))
        await self._link().run("lease_note", {"now": repr(at), "event": told, "most": LEASE_EVENTS})

    async def history(self, key: str | None = None, limit: int = 100) -> Sequence[LeaseEvent]:
        """The newest events first."""
        found = await self._link().ask("lease_history", {"key": key, "limit": limit})
        return [rows.lease_event(text, self._clock.ahead) for text in found]

    def watch(self, holder: str, called: Callable[[], None]) -> Handle:
        """Call back when a lease is handed to `holder`, by whichever instance."""
        return self._watches.add(holder, called)

    async def close(self) -> None:
        """Let what was asked come to its end."""
        loop = asyncio.get_running_loop()
        asked: list[asyncio.Future[Any]] = [*self._last.values()]
        if self._looking is not None:
            asked.append(self._looking)
        if here := [one for one in asked if one.get_loop() is loop]:
            await asyncio.wait(here)

    # -- asking ----------------------------------------------------------------------------------

    def _asked(self, key: str, holder: str, now: float) -> dict[str, Any]:
        return {"key": key, "holder": holder, "now": repr(now + self._clock.ahead)}

    def _is_to_sweep(self, now: float) -> bool:
        is_time = now >= self._sweep_at  # tidiness only: what has run out is passed over in any case
        if is_time:
            self._sweep_at = now + SWEEP_SECONDS
        return is_time

    def _passed_on(self, reply: bytes) -> bool:
        had, following = ormsgpack.unpackb(reply)
        self._watches.call([following] if following else [])
        return bool(had)

    async def _in_turn(self, holder: str, work: Callable[[], Awaitable[T]]) -> T:
        """Do one thing after the other for a holder, also where who asked is cancelled: they go by many connections."""
        link, before, turn = self._link(), self._last.get(holder), asyncio.get_running_loop().create_future()
        self._last[holder] = turn
        rest: asyncio.Task[T] | None = None
        try:
            return await _after([before], work)
        except asyncio.CancelledError:
            # It is on its way or was never sent. Done twice for a holder it does no harm.
            rest = asyncio.create_task(_after([before, link.last_left], work), name="outlive lease of nobody")
            rest.add_done_callback(lambda done: self._end(holder, turn, done))
            raise
        finally:
            if rest is None:
                self._end(holder, turn)

    def _end(self, holder: str, turn: asyncio.Future[None], rest: asyncio.Task[Any] | None = None) -> None:
        turn.set_result(None)
        if self._last.get(holder) is turn:
            del self._last[holder]
        if rest is not None and not rest.cancelled():
            rest.exception()  # whoever asked is gone; it has been seen

    # -- calling ---------------------------------------------------------------------------------

    def _hear(self, about: str | None) -> None:
        if about is not None:
            self._watches.call([about])
        elif self._watches.names():
            self._looking = asyncio.create_task(self._look(), name="outlive lease turns")

    async def _look(self) -> None:
        with suppress(BackendError):  # who waits asks for its place again, and is told then
            self._watches.call(await self._link().ask("lease_called", {"holders": self._watches.names()}))


async def _after(before: Sequence[asyncio.Future[Any] | None], work: Callable[[], Awaitable[T]]) -> T:
    if waited := [one for one in before if one is not None]:
        await asyncio.wait(waited)
    return await work()
