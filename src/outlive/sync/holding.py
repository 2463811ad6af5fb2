"""One acquisition of a lease: wait for it, keep it, lose it or give it back."""

import asyncio
import logging
import os
import socket
from collections.abc import Callable
from contextlib import suppress
from functools import cache, partial
from uuid import uuid4

from outlive.definitions.coordination import Coordination
from outlive.errors import BackendError
from outlive.ports import Handle, Lease
from outlive.sync.finishing import finish, in_background

#: How long a place in the queue lasts, and how often it is asked for again.
PLACE_SECONDS = 5.0
ASK_AGAIN_SECONDS = 2.0

#: A lease is renewed when this share of it is over: there is time for a second and a third try.
RENEW_AFTER = 1 / 3

_STOOD_STILL = "it was not renewed in time: the process or its event loop stood still"
_NOT_RENEWED = "the backend did not renew it in time"

_log = logging.getLogger("outlive.sync")


def new_holder(worker: str | None) -> str:
    """A name for one acquisition that no other one ever has."""
    return f"{worker or f'{_host()}:{os.getpid()}'}:{uuid4().hex}"


@cache
def _host() -> str:
    return socket.gethostname()


class Holding:
    """One acquisition, by one task or thread.

    `retry` is how long to wait after a renewal that the backend could not do. `is_wanted` says whether the holder
    still lives; if not, the lease is left to end.
    """

    def __init__(self, near: Coordination, key: str, holder: str, seconds: float, retry: float) -> None:
        self.key = key
        self.holder = holder
        self.seconds = seconds
        #: The token of the lease, 0 before it is held.
        self.fence = 0
        #: Why it is no longer held though nobody gave it back.
        self.lost: str | None = None
        self.on_lost: Callable[[], None] | None = None
        self.is_wanted: Callable[[], bool] = lambda: True
        #: Whether it was given back.
        self.is_over = False
        self._clock = near.clock
        self._leases = near.backend.leases
        self._retry = retry
        self._deadline = 0.0
        self._next: Handle | None = None
        self._end: Handle | None = None

    # -- getting it ------------------------------------------------------------------------------

    async def acquire(self, patience: float | None) -> bool:
        """Take the lease within `patience` seconds; None waits without limit, 0 not at all."""
        try:
            if await self._ask(0.0 if patience == 0 else PLACE_SECONDS):
                return True
            if patience != 0 and await self._wait(patience):
                return True
        except BaseException:
            await self.let_go()
            raise
        if patience != 0:
            await self.let_go()
        return False

    async def _ask(self, wait: float) -> Lease | None:
        # The deadline counts from the request: the backend may have begun to count long before its answer is here.
        asked = self._clock.now()
        lease = await self._leases.take(self.key, self.holder, self.seconds, asked, wait)
        if lease.holder != self.holder:
            self._deadline = min(lease.expires_at, asked + ASK_AGAIN_SECONDS)
            return None
        self.fence = lease.fence
        self._keep_until(asked + self.seconds)
        return lease

    async def _wait(self, patience: float | None) -> bool:
        called = asyncio.Event()
        watch = self._leases.watch(self.holder, called.set)
        limit = asyncio.timeout(patience)
        try:
            async with limit:
                while not await self._next_turn(called):
                    pass
        except TimeoutError:
            if not limit.expired():
                raise
            return False
        finally:
            watch.cancel()
        return True

    async def _next_turn(self, called: asyncio.Event) -> Lease | None:
        alarm = self._clock.call_at(self._deadline, called.set)
        try:
            await called.wait()
        finally:
            alarm.cancel()
        called.clear()
        return await self._ask(PLACE_SECONDS)

    async def let_go(self) -> None:
        """Give back the lease, or the place in the queue, where something else is to be reported."""
        self.is_over = True
        self._rest()
        with suppress(BackendError, TimeoutError):  # the log has it, and the lease ends by itself
            await finish(self._drop, f"giving up {self.key}")

    # -- keeping it ------------------------------------------------------------------------------

    def _keep_until(self, deadline: float) -> None:
        self._rest()
        self._deadline = deadline
        self._next = self._clock.call_at(deadline - self.seconds * (1 - RENEW_AFTER), self._renew_soon)

    def _renew_soon(self) -> None:
        if not self.is_wanted():
            _log.warning("%s was never released by the thread that acquired it; its lease ends by itself", self.key)
            return
        if self._clock.now() >= self._deadline:
            self._lose(_STOOD_STILL if self._end is None else _NOT_RENEWED)
            return
        if self._end is None:
            self._end = self._clock.call_at(self._deadline, partial(self._lose, _NOT_RENEWED))
        in_background(self._renew(), f"renewing {self.key}")

    async def _renew(self) -> None:
        asked = self._clock.now()
        try:
            has_it = await self._leases.renew(self.key, self.holder, self.seconds, asked)
            reason = None if has_it else await self._leases.why_lost(self.holder)
        except BackendError:
            if self._end is not None:  # nobody gave it back meanwhile
                self._next = self._clock.call_at(self._clock.now() + self._retry, self._renew_soon)
            return
        if self._end is None:
            return
        if has_it:
            self._keep_until(asked + self.seconds)
        else:
            self._lose(f"forced: {reason}" if reason else "it had expired")

    async def extend(self, seconds: float) -> bool:
        """Let the lease end `seconds` from now, and keep it in steps of that length."""
        asked = self._clock.now()
        if self.lost is not None or not await self._leases.renew(self.key, self.holder, seconds, asked):
            return False
        self.seconds = seconds
        self._keep_until(asked + seconds)
        return True

    def _lose(self, reason: str) -> None:
        self._rest()
        self.lost = reason
        _log.warning("%s is lost: %s", self.key, reason)
        if self.on_lost is not None:
            self.on_lost()

    def _rest(self) -> None:
        for timer in (self._next, self._end):
            if timer is not None:
                timer.cancel()
        self._next = self._end = None

    # -- giving it back --------------------------------------------------------------------------

    async def give_back(self, keep: float = 0.0) -> bool:
        """End the lease, `keep` seconds from now; False where it was lost before."""
        self.is_over = True
        self._rest()
        ending = self._drop if keep <= 0 else partial(self._keep, keep)
        return await finish(ending, f"releasing {self.key}")

    def abandon(self) -> None:
        """End the lease of a task that has ended without giving it back."""
        self.is_over = True
        self._rest()
        _log.warning("%s was never released by the task that acquired it; it is released now", self.key)
        in_background(self._drop(), f"releasing {self.key}")

    def is_on(self, near: Coordination) -> bool:
        """Whether it is kept in this backend."""
        return self._leases is near.backend.leases

    async def is_held(self) -> bool:
        """Whether the backend says so."""
        held = await self._leases.held(self._clock.now(), self.key)
        return bool(held) and held[0].holder == self.holder

    async def _keep(self, seconds: float) -> bool:
        return await self._leases.renew(self.key, self.holder, seconds, self._clock.now())

    async def _drop(self) -> bool:
        return await self._leases.drop(self.key, self.holder, self._clock.now())
