"""The slots of one executor and the tasks that wait for one."""

from collections.abc import Iterator
from heapq import heappop, heappush
from typing import Any, NamedTuple

from outlive.definitions.task import Task
from outlive.ports import Executor

#: Starts that one lane may have on their way to the backend. A crash between the commit of a start and the first
#: line of its body shows as `interrupted`; this bounds how many records that can be.
STARTING = 96


class Waiting(NamedTuple):
    """A task in line: higher priority first, then in the order of arrival, which no two share."""

    rank: int
    arrival: int
    task: Task[Any]


class Lane:
    """Higher priority first, then in the order of arrival. `arrivals` counts those of all lanes of the process."""

    def __init__(self, executor: Executor, arrivals: Iterator[int]) -> None:
        self.executor = executor
        self.busy = 0
        self.starting = 0
        #: Whether somebody is giving its slots away; a start that has landed at once need not do so, too.
        self.is_filling = False
        self._arrivals = arrivals
        self.waiting: list[Waiting] = []

    @property
    def has_slot(self) -> bool:
        """Whether another body may start."""
        limit = self.executor.limit
        return self.starting < STARTING and (limit is None or self.busy < limit)

    @property
    def is_idle(self) -> bool:
        """Whether a newcomer may start without overtaking anybody."""
        limit = self.executor.limit
        return not self.waiting and self.starting < STARTING and (limit is None or self.busy < limit)

    def push(self, task: Task[Any]) -> None:
        """Let a task wait for a slot."""
        heappush(self.waiting, Waiting(-(task.effective.priority or 0), next(self._arrivals), task))

    def push_back(self, waiting: Waiting) -> None:
        """Let a task wait in the place that it had."""
        heappush(self.waiting, waiting)

    def pop(self) -> Waiting | None:
        """The next task that still wants to start."""
        while self.waiting:
            waiting = heappop(self.waiting)
            if waiting.task.is_pending:
                return waiting
        return None

    def empty(self) -> list[Waiting]:
        """Take out everybody who still wants to start."""
        waiting = [one for one in self.waiting if one.task.is_pending]
        self.waiting.clear()
        return waiting

    def take_slot(self) -> None:
        """A start is on its way."""
        self.busy += 1
        self.starting += 1

    def give_slot(self) -> None:
        """A body has ended."""
        self.busy -= 1

    def clear(self) -> None:
        """Forget who waits."""
        self.waiting.clear()
