"""The reference for queues: what was set for them, and who holds a place under which limit."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace

from outlive.core.moves import Permit, Start
from outlive.core.queues import Limit, QueueDepth, QueueState
from outlive.core.states import TaskStatus


class MemoryQueues:
    """Queues of this process. `runs_at` gives the fence of a record's running attempt, None where none runs."""

    def __init__(self, runs_at: Callable[[str], int | None]) -> None:
        self._runs_at = runs_at
        self._states: dict[str, QueueState] = {}
        #: For each key the records that hold a place, with the fence of the attempt that does.
        self._places: dict[str, dict[str, int]] = {}
        #: For each rate the moment until which it is used up to the last start.
        self._used_until: dict[str, float] = {}
        #: Attempts that have a permit and whose start has not come yet.
        self._permitted: set[tuple[str, int]] = set()

    def list(self) -> Sequence[QueueState]:
        """All that were set, by name."""
        return sorted(self._states.values(), key=lambda state: state.name)

    def set(self, state: QueueState) -> None:
        """Set one, or forget it."""
        if state == QueueState(state.name):
            self._states.pop(state.name, None)
        else:
            self._states[state.name] = state

    def permit(self, move: Permit) -> bool:
        """Take a place under each limit, or none."""
        if not all(self._has_room(limit, move.at) for limit in move.limits):
            return False
        if move.asks:
            return True
        for limit in move.limits:
            if limit.per is None:
                self._places.setdefault(limit.key, {})[move.id] = move.fence + 1
            else:
                self._used_until[limit.key] = max(self._used_until.get(limit.key, 0.0), move.at) + limit.pace
        self._permitted.add((move.id, move.fence))
        return True

    def may_start(self, move: Start) -> bool:
        """Whether the permit before this start was given."""
        if (move.id, move.fence) not in self._permitted:
            return False
        self._permitted.remove((move.id, move.fence))
        return True

    def _has_room(self, limit: Limit, now: float) -> bool:
        if limit.per is not None:
            return max(self._used_until.get(limit.key, 0.0), now) + limit.pace <= now + limit.per
        places = self._places.get(limit.key, {})
        held = {task_id: fence for task_id, fence in places.items() if self._holds(task_id, fence)}
        self._places[limit.key] = held
        return len(held) < limit.most

    def _holds(self, task_id: str, fence: int) -> bool:
        return self._runs_at(task_id) == fence or (task_id, fence - 1) in self._permitted


def depths(live: Iterable[tuple[str, TaskStatus, float]]) -> Mapping[str, QueueDepth]:
    """Count live records, given by queue, status and the moment of acceptance."""
    found: dict[str, QueueDepth] = {}
    for queue, status, created_at in live:
        depth = found.get(queue, QueueDepth())
        if status is TaskStatus.RUNNING:
            found[queue] = replace(depth, running=depth.running + 1)
        else:
            oldest = created_at if depth.oldest_at is None else min(depth.oldest_at, created_at)
            found[queue] = replace(depth, pending=depth.pending + 1, oldest_at=oldest)
    return found
