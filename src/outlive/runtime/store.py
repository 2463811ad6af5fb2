"""What this process holds live."""

import threading
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
        # Who holds an idempotency key here; asked and taken from the threads of endpoints, too.
        self._keys: dict[str, Task[Any]] = {}
        self._keys_lock = threading.Lock()
        self._waiting_for_room: tuple[int, Callable[[], None]] | None = None

    def add(self, task: Task[Any]) -> None:
        """Hold a task that this process owns."""
        self._tasks[task.id] = task
        if task.facts.idempotency_key is not None:
            self.reserve(task)

    def remove(self, task: Task[Any]) -> None:
        """Let go of a task that has ended or that others may take."""
        if self._tasks.get(task.id) is task:
            del self._tasks[task.id]
        if task.facts.idempotency_key is not None:
            self._free_key(task, task.facts.idempotency_key)
        if self._waiting_for_room is not None:
            self._tell_of_room(*self._waiting_for_room)

    def reserve(self, task: Task[Any]) -> Task[Any]:
        """Take the task's idempotency key for it until it is removed; give the task that has it, this or another."""
        key = task.facts.idempotency_key
        if key is None:
            return task
        with self._keys_lock:
            holder = self._keys.setdefault(key, task)
        return holder if holder.is_sure else task

    def holder_of(self, key: str) -> Task[Any] | None:
        """The live task that holds an idempotency key here."""
        holder = self._keys.get(key)
        return holder if holder is not None and holder.is_sure else None

    def _free_key(self, task: Task[Any], key: str) -> None:
        with self._keys_lock:
            if self._keys.get(key) is task:
                del self._keys[key]

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
