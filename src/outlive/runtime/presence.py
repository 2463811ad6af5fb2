"""Being alive, and noticing who is not."""

from math import inf

from outlive.core.events import InstanceRescued
from outlive.core.settle import INSTANCE_DIED
from outlive.ports import WORK, Backend
from outlive.runtime.claimer import Claimer
from outlive.runtime.herald import Herald
from outlive.runtime.process import Process
from outlive.runtime.service import Service

#: Seconds after the end of a lease until it is looked for: clocks that differ by less are not told apart.
AFTER_LEASE = 0.1


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
        await self._look_when_a_lease_ends()

    async def _look_when_a_lease_ends(self) -> None:
        """Look sooner than usual where somebody's lease ends before; who is alive will have renewed it."""
        states = [state for state in await self._backend.instances() if state.instance.id != self._instance.id]
        ends = (state.beat_at + state.instance.lease + AFTER_LEASE for state in states)
        now = self.clock.now()
        soonest = min((end for end in ends if end > now), default=inf)
        if soonest < now + self._lease / 3:
            self.wake_at(soonest)
