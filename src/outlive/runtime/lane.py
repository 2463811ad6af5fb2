"""The slots of one executor and the tasks that wait for one."""

from heapq import heappop, heappush
from itertools import count
from typing import Any

from outlive.definitions.task import Task
from outlive.ports import Executor

#: Starts that one lane may have on their way to the backend. A crash between the commit of a start and the first
#: line of its body shows as `interrupted`; this bounds how many records that can be.
STARTING = 100


class Lane:
    """Higher priority first, then in the order of arrival."""

    def __init__(self, executor: Executor) -> None:
        self.executor = executor
        self.busy = 0
        self.starting = 0
        self._arrivals = count()
        self.waiting: list[tuple[int, int, Task[Any]]] = []

    @property
    def has_slot(self) -> bool:
        """Whether another body may start."""
        limit = self.executor.limit
        return self.starting < STARTING and (limit is None or self.busy < limit)

    @property
    def is_idle(self) -> bool:
        """Whether a newcomer may start without overtaking anybody."""
        return not self.waiting and self.has_slot

    def push(self, task: Task[Any]) -> None:
        """Let a task wait for a slot."""
        heappush(self.waiting, (-(task.effective.priority or 0), next(self._arrivals), task))

    def pop(self) -> Task[Any] | None:
        """The next task that still wants to start."""
        while self.waiting:
            task = heappop(self.waiting)[2]
            if task.is_pending:
                return task
        return None

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
