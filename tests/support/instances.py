"""Several instances of one application on one backend, played by managers in one event loop."""

from typing import Any

from support import postgres

from outlive import MemoryBackend, SqliteBackend, TaskManager
from outlive.backends.urls import backend_from

LEASE = 15.0


class Shared:
    """One place for records, and instances of one application that come and go."""

    def __init__(self, kind, folder, clock):
        self.clock = clock
        self.events = []
        self._memory = MemoryBackend() if kind == "memory" else None
        self._kind = kind
        self._folder = folder

    def backend(self):
        if self._kind == "postgres":
            return backend_from(postgres.url_for(self._folder))
        if self._kind == "sqlite":
            return SqliteBackend(self._folder / "tasks.db", synchronous="NORMAL")
        return _Shared(self._memory)

    def instance(self, **options: Any) -> TaskManager:
        given: dict[str, Any] = {"loggers": [self.events.append], "shutdown_grace": 0.0, "lease": LEASE} | options
        return TaskManager(self.backend(), clock=self.clock, **given)

    def happened(self, kind):
        return [event for event in self.events if isinstance(event, kind)]


class _Shared:
    """A memory backend that outlives each of the managers on it."""

    durable = True

    def __init__(self, memory):
        self._memory = memory

    def __getattr__(self, name):
        return getattr(self._memory, name)

    async def close(self):
        pass


def declare(manager, trail, gate, **options):
    @manager.task(name="work", **options)
    async def work(word: str) -> None:
        trail.mark(word)
        await gate.wait()

    return work
