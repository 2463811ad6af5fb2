"""Slots that wait until an earlier run of their schedule has ended."""

import asyncio
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass

from outlive.core.filter import Page, TaskFilter
from outlive.core.record import TaskRecord
from outlive.core.schedule import Policy, ScheduleState
from outlive.core.states import LIVE
from outlive.errors import UnknownTaskError
from outlive.ports import Backend
from outlive.runtime.control import Control
from outlive.runtime.process import Process

_CANCELLED = "the next slot of its schedule has come (overlap='cancel_previous')"
#: Live runs of one schedule that are looked at.
_MOST = 200


@dataclass(slots=True)
class _Waiting:
    """A slot that was not taken. It waits if it is still there when it is looked at again.

    Otherwise another instance took it; `runs` were read before that look, so they are earlier runs in any case.
    """

    slot: float
    runs: Sequence[TaskRecord]
    is_sure: bool = False


class Overlaps:
    """Remembers which slots wait, and has `on_end` called for a schedule whose run has ended in this process."""

    def __init__(self, process: Process, backend: Backend, control: Control, on_end: Callable[[str], None]) -> None:
        self._store = process.store
        self._backend = backend
        self._control = control
        self._on_end = on_end
        self._waiting: dict[str, _Waiting] = {}
        self._watches: dict[str, asyncio.Task[None]] = {}

    def has_waited(self, state: ScheduleState) -> bool:
        """Whether the next slot was seen to wait for an earlier run."""
        waiting = self._of(state)
        return waiting is not None and waiting.is_sure

    async def is_held(self, state: ScheduleState, policy: Policy) -> bool:
        """Whether the slot, which was not taken a moment ago, waits for an earlier run; if so, see to that."""
        waiting = self._of(state)
        if waiting is None or waiting.is_sure:
            return False
        if policy.overlap == "cancel_previous":
            for record in waiting.runs:
                with suppress(UnknownTaskError):
                    await self._control.cancel_by_id(record.id, _CANCELLED)
        waiting.is_sure = True
        if not await self._live_runs(state):  # they have ended meanwhile
            return False
        self.watch(state)
        return True

    async def not_taken(self, state: ScheduleState) -> None:
        """Another instance took the slot, or an earlier run lives: the next look will tell."""
        assert state.next_at is not None
        self._waiting[state.name] = _Waiting(state.next_at, await self._live_runs(state))

    async def _live_runs(self, state: ScheduleState) -> Sequence[TaskRecord]:
        return await self._backend.find(TaskFilter(LIVE, schedule=state.name), Page(_MOST))

    def forget(self, name: str) -> None:
        """A slot of this schedule was taken."""
        self._waiting.pop(name, None)

    def watch(self, state: ScheduleState) -> None:
        """Look again as soon as the last run ends, if it is one of this process; others are looked at now and then."""
        task = None if state.last_id is None else self._store.get(state.last_id)
        if task is None or state.name in self._watches:
            return

        async def wait() -> None:
            await task.finished.wait()
            self._on_end(state.name)

        watch = asyncio.create_task(wait(), name=f"outlive overlap {state.name}")
        self._watches[state.name] = watch
        watch.add_done_callback(lambda _: self._watches.pop(state.name, None))

    async def stop(self) -> None:
        """Wait for nothing any more."""
        watches = list(self._watches.values())
        for watch in watches:
            watch.cancel()
        await asyncio.gather(*watches, return_exceptions=True)

    def _of(self, state: ScheduleState) -> _Waiting | None:
        waiting = self._waiting.get(state.name)
        return waiting if waiting is not None and waiting.slot == state.next_at else None
