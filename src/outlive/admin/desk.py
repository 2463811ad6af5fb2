"""What every page and every endpoint of one admin works with."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from outlive.admin.actions import Actions
from outlive.admin.arguments import redacted
from outlive.admin.credentials import TaskAuthBackend
from outlive.admin.html import Pages
from outlive.admin.query import Query, parse
from outlive.admin.sampler import Sampler
from outlive.admin.sessions import Sessions
from outlive.admin.waiting import LaneState
from outlive.core.record import TaskRecord
from outlive.definitions.results import shown_result
from outlive.manager import TaskManager
from outlive.ports import InstanceState


@dataclass(frozen=True, slots=True)
class Desk:
    """One admin, put together."""

    manager: TaskManager
    actions: Actions
    pages: Pages
    sampler: Sampler
    sessions: Sessions
    #: What checks names and passwords, None where the admin has no login of its own.
    passwords: TaskAuthBackend | None
    shows_arguments: bool

    def query(self, text: str) -> Query:
        """Read a query as this admin allows it."""
        return parse(text, datetime.now(UTC), arguments=self.shows_arguments)

    def show(self, record: TaskRecord) -> dict[str, Any]:
        """A record as JSON has it, with as much of its arguments as may be seen."""
        shown = record.to_dict()
        if self.shows_arguments:
            shown["arguments"] = redacted(record, self.manager.registry.find(record.func))
        return shown

    def show_whole(self, record: TaskRecord) -> dict[str, Any]:
        """The same with what is read of one record alone."""
        attempts = [attempt.to_dict() for attempt in record.history]
        more = {"attempts_history": attempts, "idempotency_key": record.idempotency_key, "result": self._result(record)}
        return self.show(record) | more

    def _result(self, record: TaskRecord) -> dict[str, Any] | None:
        """What is kept of what the function returned, where values may be seen."""
        if record.result is None or self.shows_arguments:
            return shown_result(self.manager.registry.find(record.func), record.result)
        return {"summary": "hidden", "why": "values are not shown, see TaskAdmin(display_func_args=True)"}

    def lanes(self) -> Mapping[str, LaneState]:
        """The slots of this process."""
        lanes = self.manager.runtime.dispatcher.lanes
        return {
            name: LaneState(name, lane.busy, lane.executor.limit, len(lane.waiting)) for name, lane in lanes.items()
        }

    def runs_here(self, queue: str) -> bool:
        """Whether this process runs tasks of a queue."""
        process = self.manager.runtime.process
        return process.runs_tasks and (process.run_queues is None or queue in process.run_queues)

    @property
    def here(self) -> str:
        """The instance of this process."""
        return self.manager.runtime.process.instance.id

    def alive(self, states: Iterable[InstanceState], now: datetime) -> tuple[set[str], set[str]]:
        """The ids of those that give signs of life, and of those that were asked to take no new work."""
        alive = {state.instance.id for state in states if not self.is_late(state, now)}
        return alive, {state.instance.id for state in states if state.draining}

    def is_late(self, state: InstanceState, now: datetime) -> bool:
        """Whether an instance has given no sign of life for its lease."""
        return now.timestamp() - state.beat_at > state.instance.lease
