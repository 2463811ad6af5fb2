"""Deletes old records, in small batches."""

from outlive.core.states import TaskStatus
from outlive.ports import Backend
from outlive.runtime.process import Process
from outlive.runtime.service import Service

#: What may be forgotten. An interrupted record waits for a person and stays.
PRUNED = frozenset({TaskStatus.SUCCESS, TaskStatus.FAILED, TaskStatus.CANCELLED, TaskStatus.REJECTED})

EVERY = 3600.0
BATCH = 500
_DAY = 86_400.0


class Pruner(Service):
    """Deletes records that ended more than `days` days ago."""

    def __init__(self, process: Process, backend: Backend, days: float) -> None:
        super().__init__(process, EVERY)
        self._backend = backend
        self._days = days

    async def step(self) -> None:
        """Delete until nothing old is left."""
        before = self.clock.now() - self._days * _DAY
        while await self._backend.prune(PRUNED, before, BATCH) == BATCH:
            pass
