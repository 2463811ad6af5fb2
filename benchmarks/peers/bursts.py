"""The side of an adapter that has schedules: many due at once, from that moment to the last start."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from benchmarks.peers.adapter import answer


class Starts:
    """Counts the starts of one burst."""

    def __init__(self, count: int) -> None:
        self._count = count
        self._begun: list[float] = []
        self._done = asyncio.Event()

    async def body(self) -> None:
        """What is due."""
        self._begun.append(time.time())
        if len(self._begun) == self._count:
            self._done.set()

    async def each(self, due: float) -> float:
        """Microseconds a fire, from the moment at which they were due, when all have begun."""
        async with asyncio.timeout(30):
            await self._done.wait()
        return (self._begun[-1] - due) / self._count * 1e6


async def ask(burst: Callable[[int], Awaitable[float]]) -> None:
    """Answer until nobody asks any more."""

    async def action(count: int) -> Mapping[str, Any]:
        return {"value": await burst(count)}

    await answer({"burst": action})
