"""Who is signed in. A session is a lease in the backend: all processes see it, it ends by itself, and it can be ended.

The browser has a random token; the lease is kept under a hash of it, so that whoever reads the database cannot sign in.
"""

import hashlib
import hmac
import secrets
import time
from collections import deque
from collections.abc import Callable

from fastapi import HTTPException

from outlive.ports import Leases

#: How the keys of these leases begin; screens of locks leave them out.
PREFIX = "outlive.admin.session:"

COOKIE = "outlive_admin"

#: Wrong passwords that one name, and one address, may have within so many seconds.
ATTEMPTS, WINDOW = 5, 60.0
#: Names and addresses that are remembered; a flood of invented ones must not fill the memory.
_REMEMBERED = 10_000


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
    """Slows down guessing: after some wrong passwords a name or an address has to wait. For each process by itself."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._wrong: dict[str, deque[float]] = {}

    def check(self, *sources: str) -> None:
        """Raise a 429 that says how long to wait."""
        now = self._clock()
        waits = [times[0] + WINDOW - now for source in sources if len(times := self._of(source, now)) >= ATTEMPTS]
        if waits:
            seconds = max(1, round(max(waits)))
            raise HTTPException(
                429, f"Too many wrong passwords. Try again in {seconds} s.", {"Retry-After": str(seconds)}
            )

    def count(self, *sources: str) -> None:
        """Note a wrong password, before it is known to be one: many at once are many."""
        now = self._clock()
        for source in sources:
            self._of(source, now).append(now)
        while len(self._wrong) > _REMEMBERED:
            self._wrong.pop(next(iter(self._wrong)))

    def forgive(self, *sources: str) -> None:
        """The password was right."""
        for source in sources:
            self._wrong.pop(source, None)

    def _of(self, source: str, now: float) -> deque[float]:
        times = self._wrong.setdefault(source, deque(maxlen=ATTEMPTS))
        while times and times[0] + WINDOW <= now:
            times.popleft()
        return times
