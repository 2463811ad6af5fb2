"""Waits until an instance has nothing to do at this moment of its clock."""

import asyncio
from collections.abc import Sequence

from outlive.runtime.dispatcher import Dispatcher
from outlive.runtime.journal import Journal, commit
from outlive.runtime.service import Service

#: Turns of the event loop in a row, each behind all writes so far, in which nothing may run.
_TURNS = 10


class Quiet:
    """Brings in what is due, and follows what runs until nothing more comes of it."""

    def __init__(self, services: Sequence[Service], journal: Journal, dispatcher: Dispatcher) -> None:
        self._services = services
        self._journal = journal
        self._dispatcher = dispatcher

    async def come(self) -> None:
        """Return when nothing runs and nothing that is due can start."""
        calm = 0
        while calm < _TURNS:
            calm = calm + 1 if await self._is_calm() else 0

    async def next_moment(self) -> float | None:
        """When the next task is due, or the next slot of a schedule."""
        await self.come()
        moments = (self._dispatcher.timers.next_at, *(service.next_at for service in self._services))
        return min((moment for moment in moments if moment is not None), default=None)

    async def _is_calm(self) -> bool:
        for service in self._services:
            await service.step()
        await commit(self._journal, [])
        await asyncio.sleep(0)
        running = self._dispatcher.runner.running
        if running:
            await asyncio.wait(running, return_when=asyncio.FIRST_COMPLETED)
        return not running and not any(lane.starting for lane in self._dispatcher.lanes.values())
