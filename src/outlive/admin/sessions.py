"""Who is signed in. A session is a lease in the backend: all processes see it, it ends by itself, and it can be ended.

The browser has a random token; the lease is kept under a hash of it, so that whoever reads the database cannot sign in.
"""

import hashlib
import hmac
import secrets
import time
from collections.abc import Callable

from fastapi import HTTPException

from outlive.ports import Lease, Leases

#: How the keys of these leases begin; screens of locks leave them out.
PREFIX = "outlive.admin.session:"

COOKIE = "outlive_admin"

#: Wrong passwords that one name, and one address, may have within so many seconds.
ATTEMPTS, WINDOW = 5, 60.0
_BRAKE = "outlive.admin.try:"


class Sessions:
    """Opens, finds and ends sessions."""

    def __init__(self, leases: Callable[[], Leases], seconds: float, secret: str | bytes | None) -> None:
        self._leases = leases
        self.seconds = seconds
        self._secret = (secret.encode() if isinstance(secret, str) else secret) or b""

    async def open(self, name: str) -> str:
        """Sign somebody in; the token for the cookie."""
        token = secrets.token_urlsafe(32)
        holder = f"{secrets.token_hex(8)}:{name}"
        await self._leases().take(self._key(token), holder, self.seconds, time.time())
        return token

    async def name_of(self, token: str) -> str | None:
        """Who has this token, None where it has expired, was ended or never was."""
        found = await self._leases().held(time.time(), self._key(token))
        return found[0].holder.partition(":")[2] if found else None

    async def close(self, token: str) -> None:
        """Sign somebody out, in every process at once."""
        key = self._key(token)
        for lease in await self._leases().held(time.time(), key):
            await self._leases().drop(key, lease.holder, time.time())

    def _key(self, token: str) -> str:
        return PREFIX + hmac.new(self._secret, token.encode("utf-8", "replace"), hashlib.sha256).hexdigest()


class Brake:
    """Slows down guessing: after some wrong passwords a name or an address has to wait, whichever process it asks.

    Each source has `ATTEMPTS` leases. A try takes one of them, before it is known to be wrong: many at once are many.
    It ends by itself; a try that is refused takes none, so that a guesser cannot keep others out from one address.
    """

    def __init__(self, leases: Callable[[], Leases], clock: Callable[[], float] = time.time) -> None:
        self._leases = leases
        self._clock = clock

    async def count(self, *sources: str) -> None:
        """Note a try of each source; raise a 429 that says how long to wait where one has had too many."""
        holder, now = secrets.token_hex(8), self._clock()
        leases = [await self._take_one(source, holder, now) for source in sources]
        waits = [lease.time_left(now) for lease in leases if lease.holder != holder]
        if waits:
            for lease in leases:
                await self._leases().drop(lease.key, holder, now)
            seconds = max(1, round(max(waits)))
            raise HTTPException(
                429, f"Too many wrong passwords. Try again in {seconds} s.", {"Retry-After": str(seconds)}
            )

    async def forgive(self, *sources: str) -> None:
        """The password was right."""
        now = self._clock()
        for key in (key for source in sources for key in _tries(source)):
            for lease in await self._leases().held(now, key):
                await self._leases().drop(key, lease.holder, now)

    async def _take_one(self, source: str, holder: str, now: float) -> Lease:
        """A free lease of a source, or the one of others that ends first."""
        others: list[Lease] = []
        for key in _tries(source):
            lease = await self._leases().take(key, holder, WINDOW, now)
            if lease.holder == holder:
                return lease
            others.append(lease)
        return min(others, key=lambda lease: lease.expires_at)


def _tries(source: str) -> list[str]:
    hashed = hashlib.sha256(source.encode("utf-8", "replace")).hexdigest()
    return [f"{_BRAKE}{hashed}:{number}" for number in range(ATTEMPTS)]
