"""What an application asks of its queues while it runs; `TaskManager` has all of it."""

from typing import Any, Unpack

from outlive.runtime.queue_control import QueueChanges, QueueInfo
from outlive.runtime.runtime import Runtime


class Queues:
    """Looks at queues, and changes what they allow at run time."""

    @property
    def runtime(self) -> Runtime:
        """The running parts; `NotInitializedError` before start-up."""
        raise NotImplementedError

    async def queues(self) -> list[QueueInfo]:
        """All queues in all instances, by name: what they allow, how much waits and runs."""
        return await self.runtime.queues.list()

    def queue_stats(self) -> list[dict[str, Any]]:
        """What each declared queue has done in this process since it started, by name."""
        return self.runtime.dispatcher.queues.stats(self.runtime.store)

    async def update_queue_config(self, name: str, **changes: Unpack[QueueChanges]) -> dict[str, Any]:
        """Change what a queue allows, in all instances and over restarts; None is no limit, what is left out stays.

        Raises `UnknownQueueError` where there is no such queue, `ConfigError` for a value that cannot work.
        """
        return (await self.runtime.queues.change(name, changes)).to_dict()

    async def reset_queue_config(self, name: str) -> None:
        """Let a queue allow again what code says. Raises `UnknownQueueError`."""
        await self.runtime.queues.reset(name)

    async def pause_queue(self, name: str) -> bool:
        """Let no more tasks of a queue start, in all instances and over restarts; False where it is paused already.

        Tasks are accepted all the while. Raises `UnknownQueueError` where there is no such queue.
        """
        return await self.runtime.queues.pause(name, paused=True)

    async def resume_queue(self, name: str) -> bool:
        """Let the tasks of a paused queue start; False where it is not paused. Raises `UnknownQueueError`."""
        return await self.runtime.queues.pause(name, paused=False)
