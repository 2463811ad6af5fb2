"""Deletes old records, and old notes of what people did, in small batches, one instance at a time."""

from collections.abc import Awaitable, Callable

from uuid_utils import uuid7

from outlive.core.retention import DAY, PRUNED, Cut, cuts
from outlive.ports import Backend
from outlive.runtime.process import Process
from outlive.runtime.service import Service

__all__ = ["BATCH", "PRUNED", "Pruner"]

EVERY = 3600.0
BATCH = 500

#: Whoever holds this lease deletes; it is renewed with every batch.
LEASE, SECONDS = "service:retention", 60.0


class Pruner(Service):
    """Deletes what is older than it is to be kept."""

    def __init__(self, process: Process, backend: Backend) -> None:
        super().__init__(process, EVERY)
        self._process = process
        self._backend = backend

    async def step(self) -> None:
        """Delete until nothing old is left, unless another instance is at it."""
        wanted, audit_days = self._cuts(), self._process.limits.audit_days
        if not wanted and audit_days is None:
            return
        holder = f"{self._process.instance.id}:{uuid7()}"
        lease = await self._backend.leases.take(LEASE, holder, SECONDS, self.clock.now())
        if lease.holder != holder:
            return
        try:
            for cut in wanted:
                await self._delete(cut, holder)
            if audit_days is not None:
                await self._forget_notes(audit_days, holder)
        finally:
            await self._backend.leases.drop(LEASE, holder, self.clock.now())

    def _cuts(self) -> list[Cut]:
        limits = self._process.limits
        of_functions = {one.identity: one.config.retention_days for one in self._process.registry}
        own = {func: days for func, days in of_functions.items() if days is not None}
        return list(cuts(limits.retention_days, limits.retention, own))

    async def _delete(self, cut: Cut, holder: str) -> None:
        before = self.clock.now() - cut.days * DAY
        await self._repeat(lambda: self._backend.prune(cut.statuses, before, BATCH, cut.functions, cut.without), holder)

    async def _forget_notes(self, days: float, holder: str) -> None:
        before = self.clock.now() - days * DAY
        await self._repeat(lambda: self._backend.forget_notes(before, BATCH), holder)

    async def _repeat(self, delete: Callable[[], Awaitable[int]], holder: str) -> None:
        more = True
        while more:
            count = await delete()
            still_ours = await self._backend.leases.renew(LEASE, holder, SECONDS, self.clock.now())
            more = still_ours and count == BATCH
