"""What people see of queues and do to them, in all instances."""

from dataclasses import dataclass, replace
from typing import Any, TypedDict

from outlive.core.queues import QueueConfig, QueueDepth, QueueState
from outlive.errors import UnknownQueueError
from outlive.ports import Backend
from outlive.runtime.process import Process
from outlive.runtime.queues import Queues
from outlive.runtime.service import Service


@dataclass(frozen=True, slots=True)
class QueueInfo:
    """A queue in all instances together."""

    name: str
    config: QueueConfig
    #: Whether the config was set at run time, so that it holds before what code says.
    is_overridden: bool
    paused: bool
    pending: int
    running: int
    #: When the oldest pending task was accepted, in seconds since the epoch.
    oldest_at: float | None

    def to_dict(self) -> dict[str, Any]:
        """As JSON has it."""
        return {
            "name": self.name,
            "concurrency": self.config.concurrency,
            "max_size": self.config.max_size,
            "global_concurrency": self.config.global_concurrency,
            "overridden": self.is_overridden,
            "paused": self.paused,
            "pending": self.pending,
            "running": self.running,
            "oldest_at": self.oldest_at,
        }


class QueueChanges(TypedDict, total=False):
    """The fields of `QueueConfig` that are to change."""

    concurrency: int | None
    max_size: int | None
    global_concurrency: int | None


class QueueControl(Service):
    """Follows what was set for queues in any instance, and sets it."""

    def __init__(self, process: Process, backend: Backend, queues: Queues) -> None:
        super().__init__(process, process.limits.poll_interval if backend.durable else None)
        self._backend = backend
        self._queues = queues

    async def step(self) -> None:
        """Take over what other instances set, and how much waits in them."""
        self._queues.follow(await self._backend.queues())
        if self._queues.has_bounds:
            self._queues.count_elsewhere(await self._backend.depths())

    async def list(self) -> list[QueueInfo]:
        """All queues that were declared or set, or that have live records, by name."""
        await self.step()
        depths = await self._backend.depths()
        return [
            self._info(name, depths.get(name, QueueDepth())) for name in sorted(self._queues.names() | depths.keys())
        ]

    async def pause(self, name: str, *, paused: bool) -> bool:
        """Let no more tasks of a queue start, or let them again; False where it is so already."""
        state = await self._state(name)
        if state.paused is paused:
            return False
        await self._set(replace(state, paused=paused))
        return True

    async def change(self, name: str, changes: QueueChanges) -> QueueInfo:
        """Let these hold before what code says, and say what holds then."""
        state = await self._state(name)
        await self._set(replace(state, config=replace(self._queues.config(name)[0], **changes)))
        return self._info(name, (await self._backend.depths()).get(name, QueueDepth()))

    async def reset(self, name: str) -> None:
        """Let hold what code says."""
        await self._set(replace(await self._state(name), config=None))

    async def _state(self, name: str) -> QueueState:
        await self.step()
        if self._queues.is_named and name not in self._queues.names():
            raise UnknownQueueError(f"there is no queue {name!r}; there are {', '.join(sorted(self._queues.names()))}")
        return self._queues.config(name)[1]

    async def _set(self, state: QueueState) -> None:
        await self._backend.set_queue(state)
        await self.step()

    def _info(self, name: str, depth: QueueDepth) -> QueueInfo:
        config, state = self._queues.config(name)
        is_overridden = state.config is not None
        return QueueInfo(name, config, is_overridden, state.paused, depth.pending, depth.running, depth.oldest_at)
