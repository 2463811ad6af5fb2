"""What may be asked of the list of records."""

from dataclasses import dataclass

from outlive.core.record import TaskRecord
from outlive.core.states import TaskStatus


@dataclass(frozen=True, slots=True)
class TaskFilter:
    """Conditions that all hold; None means "any"."""

    statuses: frozenset[TaskStatus] | None = None
    #: Full identity or display name of the function.
    func: str | None = None
    queue: str | None = None
    source: str | None = None
    #: The schedule whose slots they are.
    schedule: str | None = None

    def matches(self, record: TaskRecord) -> bool:
        """Say whether a record meets every condition."""
        return (
            (self.statuses is None or record.status in self.statuses)
            and (self.func is None or self.func in (record.func, record.func_name))
            and (self.queue is None or record.queue == self.queue)
            and (self.source is None or record.source == self.source)
            and (self.schedule is None or record.schedule == self.schedule)
        )


@dataclass(frozen=True, slots=True)
class Page:
    """A stretch of the list, newest first."""

    limit: int = 100
    #: Only records accepted before the one with this id (the last of the page before).
    before: str | None = None


EVERYTHING = TaskFilter()
