"""Notices what other processes ask this one to cancel."""

from outlive.core.settle import Cancelled
from outlive.ports import Backend
from outlive.runtime.control import Control
from outlive.runtime.process import Process
from outlive.runtime.service import Service


class Cancellations(Service):
    """Cancels what this instance runs and was asked to cancel, as if it had been asked here."""

    def __init__(self, process: Process, backend: Backend, control: Control) -> None:
        super().__init__(process, process.limits.poll_interval)
        self._instance = process.instance.id
        self._store = process.store
        self._backend = backend
        self._control = control

    def hear(self, about: str | None) -> None:
        """Somebody says that it asked for this record to be cancelled."""
        if about is None or about in self._store:
            self.wake()

    async def step(self) -> None:
        """Look once, and pass on what is new."""
        asked = await self._backend.asked_to_cancel(self._instance)
        for task_id, reason in asked.items():
            task = self._store.get(task_id)
            if task is not None and not isinstance(task.stop_as, Cancelled):
                await self._control.cancel_by_id(task_id, reason or "cancelled through another process")
