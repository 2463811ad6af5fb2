"""Which index serves a list, where a backend has one for each kind of list."""

from outlive.core.filter import TaskFilter
from outlive.core.queues import DEFAULT_QUEUE
from outlive.core.states import TaskStatus


def list_for(conditions: TaskFilter) -> str:
    """The query that reads least to fill a page: `find` and, behind it, what the page is found by."""
    if conditions.schedule is not None:
        return "find_schedule"
    # Ended without success is rare, and so is live: better than the list of a function that ran a million times.
    if conditions.statuses is not None and TaskStatus.SUCCESS not in conditions.statuses:
        return "find_status"
    if conditions.queue not in (None, DEFAULT_QUEUE):
        return "find_queue"
    if conditions.func is not None:
        return "find_func"
    return "find" if conditions.statuses is None else "find_status"
