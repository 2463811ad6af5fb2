"""A backend that behaves like a database: it takes its time, is watched, and fails on demand."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from outlive import BackendUnavailableError, MemoryBackend
from outlive.core.moves import Move
from outlive.ports import Claim, Rescue, Wanted

PORT = (
    "open",
    "close",
    "explain",
    "get",
    "find",
    "counts",
    "prune",
    "join",
    "beat",
    "asked_to_cancel",
    "asked_to_drain",
    "forget_notes",
    "leases",
    "instances",
    "leave",
    "lost",
    "register",
    "due",
    "schedules",
    "pause",
    "queues",
    "set_queue",
    "depths",
)


class FakeDatabase:
    """Records in memory behind writes that really wait, unlike those of `MemoryBackend`.

    `is_up` False refuses every write. `gate` cleared holds writes back. `refuses` may raise for a batch.
    """

    durable = True

    def __init__(self, memory: MemoryBackend | None = None, on_apply: Callable[[Sequence[Move]], None] | None = None):
        self.memory = memory or MemoryBackend()
        self.batches: list[Sequence[Move]] = []
        self.is_up = True
        self.gate = asyncio.Event()
        self.gate.set()
        self.refuses: Callable[[Sequence[Move]], None] = lambda moves: None
        self.attempts = 0
        self._on_apply = on_apply

    open: Callable[[], Awaitable[None]]

    def __getattr__(self, name: str) -> Any:
        if name not in PORT:
            raise AttributeError(name)
        return getattr(self.memory, name)

    async def apply(self, moves: Sequence[Move]) -> Sequence[bool]:
        self.attempts += 1
        await asyncio.sleep(0)  # noqa: TID251 - a database never answers in the same turn of the loop
        await self.gate.wait()
        if not self.is_up:
            raise BackendUnavailableError("the database is away")
        self.refuses(moves)
        if self._on_apply is not None:
            self._on_apply(moves)
        self.batches.append(moves)
        return self.memory.apply_now(moves)

    async def claim(self, wanted: Wanted) -> Claim:
        return await self.memory.claim(wanted)

    async def rescue(self, instance: str, now: float, reason: str, *, if_lost: bool = False) -> Rescue:
        return await self.memory.rescue(instance, now, reason, if_lost=if_lost)

    def moves_of(self, kind: type) -> list[Any]:
        """Everything of this kind that was committed, in its order."""
        return [move for batch in self.batches for move in batch if isinstance(move, kind)]
