"""Tells open pages that something has changed; what it is they fetch themselves.

One look a second at the backend serves everybody who watches this process, and nobody looks where nobody watches.
"""

import asyncio
import random
import time
from collections.abc import AsyncIterator
from contextlib import suppress

from fastapi import APIRouter, Response
from sse_starlette import EventSourceResponse, ServerSentEvent

from outlive.admin.access import Visitor
from outlive.core.filter import EVERYTHING, Page
from outlive.errors import OutliveError
from outlive.manager import TaskManager
from outlive.web.stopping import server_is_stopping

#: Seconds between two looks, and between two signs of life to a page.
LOOK, PING = 1.0, 15.0

#: Seconds between two looks at whether the server is about to stop.
_TICK = 0.1

#: A stream ends after so many seconds, give or take a tenth; the browser opens another.
_LONGEST = 600.0

#: Streams that one process serves at once.
MOST = 200

_HEADERS = {"Cache-Control": "no-cache", "X-Accel-Buffering": "no", "X-Content-Type-Options": "nosniff"}


class Watch:
    """Looks whether anything has changed, while somebody wants to know."""

    def __init__(self, manager: TaskManager) -> None:
        self._manager = manager
        self._watchers: set[asyncio.Event] = set()
        self._looking: asyncio.Task[None] | None = None
        self._seen: object = None
        #: Counts the changes.
        self.version = 0
        #: Whether the server is about to stop, so that nobody is to watch any longer.
        self.is_over = False

    @property
    def watchers(self) -> int:
        """How many watch."""
        return len(self._watchers)

    def join(self) -> asyncio.Event:
        """An event that is set at every change."""
        changed = asyncio.Event()
        self._watchers.add(changed)
        if self._looking is None or self._looking.done():
            self.is_over = False
            self._looking = asyncio.create_task(self._look(), name="outlive dashboard")
        return changed

    def leave(self, changed: asyncio.Event) -> None:
        """Watch no more."""
        self._watchers.discard(changed)
        if not self._watchers and self._looking is not None:
            self._looking.cancel()
            self._looking = None

    async def _look(self) -> None:
        self._seen = None
        while True:
            with suppress(OutliveError):  # a backend that cannot be read has no news; the next look may
                self._compare(await self._state())
            if await _server_stops_within(LOOK):
                break
        self.is_over = True
        self._wake()

    def _compare(self, state: object) -> None:
        if self._seen is not None and state != self._seen:
            self.version += 1
            self._wake()
        self._seen = state

    def _wake(self) -> None:
        for changed in self._watchers:
            changed.set()

    async def _state(self) -> object:
        # Whatever happens to a record changes a count, or adds one: an end is counted, and only a person takes it back.
        backend = self._manager.backend
        counts = await self._manager.counts()
        newest = await self._manager.find(EVERYTHING, Page(1))
        queues = tuple(await backend.queues())
        leases = tuple((one.key, one.holder, tuple(one.waiting)) for one in await backend.leases.held(time.time()))
        instances = tuple(one.instance.id for one in await backend.instances())
        return (tuple(sorted(counts.items())), newest[0].id if newest else None, queues, leases, instances)


async def _server_stops_within(seconds: float) -> bool:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if server_is_stopping():
            return True
        await asyncio.sleep(_TICK)
    return False


class Stream:
    """`{path}/dashboard/stream`."""

    def __init__(self, manager: TaskManager) -> None:
        self._watch = Watch(manager)

    def add_to(self, router: APIRouter) -> None:
        """Its route."""
        router.add_api_route("/stream", self.listen, methods=["GET"])

    async def listen(self, _: Visitor) -> Response:
        """Server-sent events: `hello` at first, `changed` at every change, `ping` now and then."""
        if self._watch.watchers >= MOST:
            return Response("too many pages are open", 503, {"Retry-After": "30"})
        # sse-starlette ends its streams when the server begins to stop, too, up to half a second later.
        return EventSourceResponse(self._events(), headers=_HEADERS, ping=PING)

    async def _events(self) -> AsyncIterator[ServerSentEvent]:
        changed = self._watch.join()
        end = time.monotonic() + _LONGEST * random.uniform(0.9, 1.1)  # noqa: S311 - spreads load, keeps no secret
        try:
            yield self._event("hello")
            while time.monotonic() < end and (name := await self._next(changed)) is not None:
                yield self._event(name)
        finally:
            self._watch.leave(changed)

    async def _next(self, changed: asyncio.Event) -> str | None:
        """What to say next, None where nothing more is to be said."""
        try:
            await asyncio.wait_for(changed.wait(), PING)
        except TimeoutError:
            return "ping"
        changed.clear()
        return None if self._watch.is_over else "changed"

    def _event(self, name: str) -> ServerSentEvent:
        return ServerSentEvent(str(self._watch.version), event=name, id=str(self._watch.version))
