"""Listens to the server for hints."""

import asyncio
from contextlib import suppress
from typing import Any

from outlive.backends.hints import Hints
from outlive.backends.redis.faults import TROUBLE
from outlive.backends.redis.link import Link

#: Seconds before a subscription that broke is tried again.
PAUSE = 0.25

#: Seconds after which a silent subscription is asked whether it is still there.
SILENCE = 5.0


class Hearing:
    """One subscription for everybody in this process who wants to hear; it comes back by itself."""

    def __init__(self, link: Link, hints: Hints) -> None:
        self._link = link
        self._hints = hints
        # The client takes a cancellation for a broken connection where it comes while it connects.
        self._is_wanted = True
        self._task = asyncio.create_task(self._listen(), name="outlive hints from Redis")

    async def stop(self) -> None:
        """Listen no longer."""
        self._is_wanted = False
        if self._task.get_loop() is asyncio.get_running_loop():
            self._task.cancel()
            await asyncio.wait([self._task])

    async def _listen(self) -> None:
        while self._is_wanted:
            with suppress(*TROUBLE):
                async with self._link.pubsub() as subscription:
                    await self._hear(subscription)
            if self._is_wanted:
                await asyncio.sleep(PAUSE)

    async def _hear(self, subscription: Any) -> None:
        await subscription.subscribe(self._link.channel)
        while self._is_wanted:
            message: dict[str, Any] | None = await subscription.get_message(timeout=SILENCE)
            if message is None:
                await subscription.ping()
            elif message["type"] == "subscribe":
                self._hints.missed()  # what was said before nobody has heard
            elif message["type"] == "message":
                self._hints.received(_text(message["data"]))


def _text(data: str | bytes) -> str:
    return data if isinstance(data, str) else data.decode()
