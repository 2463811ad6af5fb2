"""The half of a `Notifier` that needs no server: gathers what is to be sent, and passes on what has come."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from uuid import uuid4

from outlive.errors import BackendError
from outlive.ports import Handle

#: At most one message to the server in this time, however many hints there are.
AT_MOST_EVERY = 0.005

#: Servers bound the length of a message; a hint about more than this is sent without saying about what.
_LONGEST = 500

Send = Callable[[Sequence[str]], Awaitable[None]]
Heard = Callable[[str | None], None]


class Hints:
    """Hints of one backend object. `send` publishes texts to every process, this one included."""

    def __init__(self, send: Send) -> None:
        self._send = send
        # What this object has sent comes back to it, and is none of its business.
        self._name = uuid4().hex
        self._waiting: dict[str, None] = {}
        self._sending: asyncio.Task[None] | None = None
        self._listeners: dict[str, dict[object, Heard]] = {}

    # -- to others -------------------------------------------------------------------------------

    def signal(self, kind: str, about: str = "") -> None:
        """Send a hint to the other processes; the same one twice at a time is one."""
        said = f" {about}" if len(about) <= _LONGEST else ""
        self._waiting[f"{self._name} {kind}{said}"] = None
        if self._sending is None or self._sending.done() or not _is_here(self._sending):
            self._sending = asyncio.create_task(self._send_all(), name="outlive hints")

    async def _send_all(self) -> None:
        while self._waiting:
            texts, self._waiting = list(self._waiting), {}
            with suppress(BackendError):  # who waits looks now and then, too
                await self._send(texts)
            await asyncio.sleep(AT_MOST_EVERY)

    async def close(self) -> None:
        """Send what still waits."""
        sending, self._sending = self._sending, None
        if sending is not None and _is_here(sending):
            await asyncio.wait([sending])

    # -- from others -----------------------------------------------------------------------------

    def listen(self, kind: str, heard: Heard) -> Handle:
        """Call back for each hint of this kind that another process sends."""
        listeners = self._listeners.setdefault(kind, {})
        ear = _Ear(listeners)
        listeners[ear] = heard
        return ear

    def received(self, text: str) -> None:
        """Pass on a text that the server delivered."""
        name, _, hint = text.partition(" ")
        kind, said, about = hint.partition(" ")
        if name != self._name:
            self._tell(kind, about if said else None)

    def missed(self) -> None:
        """Let every listener look: the server may have delivered hints while nobody was connected to it."""
        for kind in list(self._listeners):
            self._tell(kind, None)

    def _tell(self, kind: str, about: str | None) -> None:
        for heard in list(self._listeners.get(kind, {}).values()):
            heard(about)


def _is_here(task: asyncio.Task[None]) -> bool:
    """Whether it will go on: one of another event loop, as after a fork, may not."""
    return task.get_loop() is asyncio.get_running_loop()


class _Ear:
    __slots__ = ("_listeners",)

    def __init__(self, listeners: dict[object, Heard]) -> None:
        self._listeners = listeners

    def cancel(self) -> None:
        self._listeners.pop(self, None)
