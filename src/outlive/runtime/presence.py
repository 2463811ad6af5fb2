"""Being alive, and noticing who is not."""

from outlive.core.events import InstanceRescued
from outlive.core.settle import INSTANCE_DIED
from outlive.ports import WORK, Backend
from outlive.runtime.claimer import Claimer
from outlive.runtime.herald import Herald
from outlive.runtime.process import Process
from outlive.runtime.service import Service


class Heartbeat(Service):
    """Renews this instance's lease, three times per lease."""

    def __init__(self, process: Process, backend: Backend) -> None:
        super().__init__(process, process.limits.lease / 3)
        self._instance = process.instance
        self._backend = backend

    async def step(self) -> None:
        """Beat; an instance that was declared dead (its process was stopped for a while) joins again."""
        now = self.clock.now()
        if not await self._backend.beat(self._instance.id, now):
            await self._backend.join(self._instance, now)


class Rescuer(Service):
    """Takes the records of dead instances from them."""

    def __init__(self, process: Process, backend: Backend, claimer: Claimer, herald: Herald) -> None:
        super().__init__(process, process.limits.lease / 3)
        self._instance = process.instance
        self._lease = process.limits.lease
        self._backend = backend
        self._claimer = claimer
        self._herald = herald
        self._runs_tasks = process.runs_tasks

    async def step(self) -> None:
        """Rescue from every instance that is lost."""
        now = self.clock.now()
        for lost in await self._backend.lost(now, self._lease, self._instance.id):
            rescue = await self._backend.rescue(lost, now, f"{INSTANCE_DIED}{lost} died", if_lost=True)
            if rescue.is_alive:
                continue
            self.emit(InstanceRescued(lost, len(rescue.requeued), len(rescue.interrupted)))
            self._claimer.wake()
            if rescue.requeued:
                self._herald.signal(WORK)
        if self._runs_tasks:  # what is declared where nothing runs says nothing about who could run it
            await self._claimer.explain()
