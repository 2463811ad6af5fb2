"""An instance that was asked to take no new work: it finishes what it runs, and leaves the rest to the others."""

from outlive.ports import DRAIN, Backend
from outlive.runtime.dispatcher import Dispatcher
from outlive.runtime.herald import Herald
from outlive.runtime.process import Process
from outlive.runtime.service import Service


class OffDuty(Service):
    """Follows what was asked of this instance, and asks it of others.

    `others` are the services that look for work; they are woken when this instance is back.
    """

    def __init__(
        self, process: Process, backend: Backend, dispatcher: Dispatcher, herald: Herald, others: tuple[Service, ...]
    ) -> None:
        super().__init__(process, process.limits.poll_interval if backend.durable else None)
        self._instance = process.instance.id
        self._duty = process.duty
        self._backend = backend
        self._dispatcher = dispatcher
        self._herald = herald
        self._others = others

    def hear(self, about: str | None) -> None:
        """Somebody asks something of this instance."""
        if about in (None, self._instance):
            self.wake()

    async def step(self) -> None:
        """Look once, and do what is asked."""
        asked = await self._backend.asked_to_drain(self._instance)
        if asked is self._duty.is_off:
            return
        self._duty.is_off = asked
        if asked:
            self._dispatcher.give_back()
            return
        for service in self._others:
            service.wake()

    async def ask(self, instance: str, *, draining: bool) -> bool:
        """Ask an instance to take no new work, or to take it again; False where it is so already, or unknown."""
        changed = await self._backend.drain(instance, draining=draining)
        if instance == self._instance:
            await self.step()
        elif changed:
            self._herald.signal(DRAIN, instance)
        return changed
