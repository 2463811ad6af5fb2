"""The reference for leases: two dictionaries. They end with the process."""

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import islice

from outlive.backends.watches import Watches
from outlive.ports import HANDOVER_SECONDS, LEASE_EVENTS, Handle, Lease, LeaseEvent

#: As many names as this may lie about after they have expired.
_LITTER = 64


class MemoryLeases:
    """Leases of this process."""

    def __init__(self) -> None:
        self._leases: dict[str, Lease] = {}
        #: For each key its waiters in the order of their coming, with the end of their place.
        self._queues: dict[str, dict[str, float]] = {}
        self._events: deque[LeaseEvent] = deque(maxlen=LEASE_EVENTS)
        self._watches = Watches()
        self._fence = 0
        self._sweep_at = _LITTER

    async def take(self, key: str, holder: str, seconds: float, now: float, wait: float = 0.0) -> Lease:
        """Give the lease to `holder` if nobody else has it or comes first."""
        lease = self._current(key, now)
        if lease is None:
            lease = self._grant_next(key, holder, now)
        if lease.holder == holder:
            lease = self._leases[key] = replace(lease, expires_at=now + seconds)
        elif wait > 0:
            self._queues[key] = self._live_queue(key, now) | {holder: now + wait}
        return lease

    async def renew(self, key: str, holder: str, seconds: float, now: float) -> bool:
        """Let the lease end `seconds` from now."""
        lease = self._current(key, now)
        if lease is None or lease.holder != holder:
            return False
        self._leases[key] = replace(lease, expires_at=now + seconds)
        return True

    async def drop(self, key: str, holder: str, now: float) -> bool:
        """Give up the lease or the place in the queue."""
        self._leave(key, holder)
        lease = self._current(key, now)
        if lease is None or lease.holder != holder:
            return False
        self._pass_on(key, now)
        return True

    async def force(self, key: str, reason: str, now: float) -> bool:
        """Take the lease from whoever has it."""
        lease = self._current(key, now)
        if lease is None:
            return False
        self._events.appendleft(LeaseEvent(key, lease.holder, lease.fence, now, "forced", reason))
        self._pass_on(key, now)
        return True

    async def why_lost(self, holder: str) -> str | None:
        """Why `holder` was forced out."""
        forced = (one.reason for one in self._events if one.holder == holder and one.event == "forced")
        return next(forced, None)

    async def held(self, now: float, key: str | None = None) -> Sequence[Lease]:
        """The leases that have not expired, by their keys."""
        keys = sorted(self._leases) if key is None else [key]
        found = [lease for name in keys if (lease := self._current(name, now)) is not None]
        return [replace(lease, waiting=tuple(self._waiting(lease.key, now))) for lease in found]

    async def note(self, event: LeaseEvent) -> None:
        """Put an event into the history."""
        self._events.appendleft(event)

    async def history(self, key: str | None = None, limit: int = 100) -> Sequence[LeaseEvent]:
        """The newest events first."""
        return list(islice((one for one in self._events if key is None or one.key == key), limit))

    def watch(self, holder: str, called: Callable[[], None]) -> Handle:
        """Call back when a lease is handed to `holder`."""
        return self._watches.add(holder, called)

    def _current(self, key: str, now: float) -> Lease | None:
        lease = self._leases.get(key)
        return lease if lease is not None and lease.expires_at > now else None

    def _pass_on(self, key: str, now: float) -> None:
        del self._leases[key]
        if self._waiting(key, now):
            self._grant_next(key, "", now)

    def _grant_next(self, key: str, asking: str, now: float) -> Lease:
        self._sweep(now)
        holder = next(iter(self._waiting(key, now)), asking)
        self._leave(key, holder)
        self._fence += 1
        lease = self._leases[key] = Lease(key, holder, self._fence, now, now + HANDOVER_SECONDS)
        if holder != asking:
            self._watches.call([holder])
        return lease

    def _waiting(self, key: str, now: float) -> list[str]:
        return list(self._live_queue(key, now))

    def _leave(self, key: str, holder: str) -> None:
        queue = self._queues.get(key)
        if queue is not None:
            queue.pop(holder, None)
            if not queue:
                del self._queues[key]

    def _sweep(self, now: float) -> None:
        if len(self._leases) + len(self._queues) < self._sweep_at:
            return
        self._leases = {key: lease for key, lease in self._leases.items() if lease.expires_at > now}
        self._queues = {key: queue for key in self._queues if (queue := self._live_queue(key, now))}
        self._sweep_at = 2 * (len(self._leases) + len(self._queues)) + 2 * _LITTER

    def _live_queue(self, key: str, now: float) -> dict[str, float]:
        return {holder: until for holder, until in self._queues.get(key, {}).items() if until > now}
