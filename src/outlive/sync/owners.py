"""Which task or thread of this process holds which acquisition."""

import asyncio
import threading
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any
from weakref import WeakKeyDictionary

from outlive.definitions.context import Run, current
from outlive.definitions.coordination import Coordination
from outlive.errors import BackendError, LockLostError, LockNotOwnedError, LockReentrantError, LockTimeoutError
from outlive.ports import Backend, Lease
from outlive.sync.choice import choose
from outlive.sync.guarding import Guard
from outlive.sync.holding import Holding, new_holder
from outlive.sync.refusal import LockHeldError

Owner = asyncio.Task[Any] | threading.Thread

#: What a run was given before its body began, by the keys: the body itself, its threads and its tasks see it, and so
#: do the runs that it enqueues, whose it is not.
given: ContextVar[Mapping[str, tuple[Run | None, Holding]]] = ContextVar("outlive_given", default=MappingProxyType({}))


@dataclass(frozen=True, slots=True)
class Spec:
    """What is acquired; the arguments of a primitive."""

    name: str
    key: str
    backend: Backend | None
    worker: str | None
    seconds: float
    retry: float

    def near(self) -> Coordination:
        """What it works with, found now."""
        return choose(self.backend, self.name)

    async def lease(self) -> Lease | None:
        """Who has it; None where it is free."""
        near = self.near()
        held = await near.backend.leases.held(near.clock.now(), self.key)
        return held[0] if held else None

    async def force(self, reason: str) -> bool:
        """Take it from whoever has it."""
        near = self.near()
        return await near.backend.leases.force(self.key, reason, near.clock.now())


def this_task() -> "asyncio.Task[Any]":
    """The asyncio task that asks."""
    task = asyncio.current_task()
    if task is None:
        raise RuntimeError("this is awaited by a task; call it from a coroutine")
    return task


class Owners:
    """Acquires and gives back, by the task or thread itself: its number may be that of the next one."""

    def __init__(self, spec: Spec) -> None:
        self._spec = spec
        self._holdings: WeakKeyDictionary[Owner, Holding] = WeakKeyDictionary()
        self._guards: WeakKeyDictionary[Owner, Guard] = WeakKeyDictionary()

    async def acquire(self, owner: Owner, patience: float | None) -> None:
        """Wait for it, at most `patience` seconds."""
        holding = self._prepare(owner)
        if not await holding.acquire(None if patience is None else max(patience, 0.0)):
            raise LockTimeoutError(
                f"{self._spec.name!r} did not become free within {patience} s; wait longer, hold it shorter, or see "
                "who has it by `await lock.holder()`"
            )
        self._keep(owner, holding)

    async def acquire_nowait(self, owner: Owner) -> None:
        """Take it if it is free."""
        holding = self._prepare(owner)
        if not await holding.acquire(0):
            raise LockHeldError(f"{self._spec.name!r} is held by somebody else; try again later, or wait for it")
        self._keep(owner, holding)

    async def release(self, owner: Owner) -> None:
        """Give it back."""
        holding = self.forget(owner)
        if not await holding.give_back():
            raise self.lost(holding)

    async def extend(self, owner: Owner, seconds: float) -> None:
        """Let it end `seconds` from now."""
        holding = self.held_by(owner)
        if not await holding.extend(seconds):
            raise self.lost(holding)

    async def owned(self, owner: Owner) -> bool:
        """Whether this one has it."""
        holding = self._holdings.get(owner)
        return holding is not None and await holding.is_held()

    def token_of(self, owner: Owner) -> int:
        """The token of what it holds, or of what its run was given."""
        if owner not in self._holdings and (holding := self._given()) is not None:
            return holding.fence
        return self.held_by(owner).fence

    def held_by(self, owner: Owner) -> Holding:
        """What it holds."""
        holding = self._holdings.get(owner)
        if holding is None:
            raise self._not_held()
        return holding

    def _not_held(self) -> LockNotOwnedError:
        return LockNotOwnedError(
            f"{self._spec.name!r} is not held by this task or thread; only who acquired it may use or release it"
        )

    def lost(self, holding: Holding) -> LockLostError:
        """What a holder is told that held it no more."""
        return LockLostError(
            f"{self._spec.name!r} was lost while it was held ({holding.lost or 'it had expired'}); what was done since "
            "may have run beside another holder: check it by fencing_token, or choose a longer lease"
        )

    # -- a block ---------------------------------------------------------------------------------

    def enter(self, owner: "asyncio.Task[Any]", stop: Callable[[], None] | None = None) -> None:
        """From here on the task is cancelled where it loses what it holds; with `stop` that is called instead."""
        holding, guard = self._holdings[owner], Guard(stop)
        self._guards[owner] = guard
        holding.on_lost = guard.cancel
        if holding.lost is not None:
            guard.cancel()

    async def leave(self, owner: "asyncio.Task[Any]", error: BaseException | None, keep: float = 0.0) -> None:
        """After the body: give back what it still holds, where it has not done that itself, `keep` seconds from now.

        Raises `LockLostError` where the body was cancelled for losing it, or did not notice. What the body raised
        comes before what goes wrong here.
        """
        guard = self._guards.pop(owner, None)
        if guard is None:
            raise self._not_held()
        if owner not in self._holdings:
            await guard.close(error)
            return
        holding = self.forget(owner)
        holding.on_lost = None
        try:
            is_ours = await guard.close(error)
        except BaseException:
            await holding.let_go()
            raise
        if holding.lost is not None and (is_ours or error is None):
            raise self.lost(holding) from error
        await self.end(holding, error, keep)

    async def end(self, holding: Holding, error: BaseException | None, keep: float = 0.0) -> None:
        """Give it back, `keep` seconds from now."""
        try:
            if not await holding.give_back(keep):
                raise self.lost(holding)
        except (BackendError, LockLostError, TimeoutError):
            if error is None:
                raise

    @contextmanager
    def giving(self, owner: Owner) -> Generator[None]:
        """Let the code of this block, its threads and its tasks see what the owner holds as given to them."""
        outer = given.set({**given.get(), self._spec.key: (current.get(), self._holdings[owner])})
        try:
            yield
        finally:
            given.reset(outer)

    # -- keeping ---------------------------------------------------------------------------------

    def _prepare(self, owner: Owner) -> Holding:
        spec, near = self._spec, self._spec.near()
        with_run = self._given()
        if owner in self._holdings or (with_run is not None and with_run.is_on(near)):
            raise LockReentrantError(
                f"{spec.name!r} is held by this task or thread already and would wait for itself; acquire it "
                "once, around both places"
            )
        return Holding(near, spec.key, new_holder(spec.worker), spec.seconds, spec.retry)

    def _given(self) -> Holding | None:
        """What the current run was given when it began, as long as it has it."""
        run, holding = given.get().get(self._spec.key, (None, None))
        return None if holding is None or holding.is_over or run is not current.get() else holding

    def _keep(self, owner: Owner, holding: Holding) -> None:
        self._holdings[owner] = holding
        if isinstance(owner, threading.Thread):
            holding.is_wanted = owner.is_alive
        else:
            owner.add_done_callback(self._ended)

    def forget(self, owner: Owner) -> Holding:
        """What it held: from here on it may acquire again."""
        holding = self.held_by(owner)
        del self._holdings[owner]
        if not isinstance(owner, threading.Thread):
            owner.remove_done_callback(self._ended)
        return holding

    def _ended(self, owner: "asyncio.Task[Any]") -> None:
        holding = self._holdings.pop(owner, None)
        if holding is not None:
            holding.abandon()
