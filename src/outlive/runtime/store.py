"""What this process holds live."""

from collections.abc import Callable, Iterator
from typing import Any
from weakref import WeakValueDictionary

from outlive.core.states import TaskStatus
from outlive.definitions.task import Task


class TaskStore:
    """The tasks that are pending or running in this process; finished ones leave it at once."""

    def __init__(self) -> None:
        self._tasks: dict[str, Task[Any]] = {}
        # Handles of records that went to the backend unowned: whoever claims one here gets the caller's own objects.
        self._away: WeakValueDictionary[str, Task[Any]] = WeakValueDictionary()
        self._waiting_for_room: tuple[int, Callable[[], None]] | None = None

    def add(self, task: Task[Any]) -> None:
        """Hold a task that this process owns."""
        self._tasks[task.id] = task

    def remove(self, task: Task[Any]) -> None:
        """Let go of a task that has ended or that others may take."""
        self._tasks.pop(task.id, None)
        if self._waiting_for_room is not None:
            self._tell_of_room(*self._waiting_for_room)

    def call_when_below(self, count: int, callback: Callable[[], None]) -> None:
        """Call back, once, when fewer than `count` tasks are held."""
        self._waiting_for_room = count, callback

    def _tell_of_room(self, count: int, callback: Callable[[], None]) -> None:
        if len(self._tasks) < count:
            self._waiting_for_room = None
            callback()

    def send_away(self, task: Task[Any]) -> None:
        """Remember the handle of a record that anybody may claim."""
        self.remove(task)
        self._away[task.id] = task

    def welcome_back(self, task_id: str) -> Task[Any] | None:
        """The handle of a record that was sent away, if somebody still holds it."""
        return self._away.pop(task_id, None)

    def get(self, task_id: str) -> Task[Any] | None:
        """A live task by id."""
        return self._tasks.get(task_id)

    def list(self) -> list[Task[Any]]:
        """All live tasks, oldest first."""
        return list(self._tasks.values())

    def count(self, status: TaskStatus) -> int:
        """How many live tasks have this status."""
        return sum(task.status is status for task in self._tasks.values())

    def __contains__(self, task_id: object) -> bool:
        return task_id in self._tasks

    def __iter__(self) -> Iterator[Task[Any]]:
        return iter(self.list())

    def __len__(self) -> int:
        return len(self._tasks)
