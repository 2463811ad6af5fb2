"""Reads the newest finished records for figures, in small pages and never more often than is cheap."""

import time
from collections.abc import Callable, Sequence

from outlive.core.filter import Page, TaskFilter
from outlive.core.record import TaskRecord
from outlive.core.states import FINAL
from outlive.manager import TaskManager

#: How many finished records figures are about.
SAMPLE = 1000

#: A page is decoded on the event loop, so it is small.
_PAGE = 100

#: A sample serves for so many times what it cost to take: watching takes 1 % of a processor at most.
_THRIFT = 100.0


async def newest(manager: TaskManager, conditions: TaskFilter, count: int) -> list[TaskRecord]:
    """Up to `count` records that match, newest first, read page by page."""
    found: list[TaskRecord] = []
    while len(found) < count:
        size = min(_PAGE, count - len(found))
        page = await manager.find(conditions, Page(size, found[-1].id if found else None))
        found += page
        if len(page) < size:
            break
    return found


class Sampler:
    """The newest finished records of all instances, shared by everybody who looks at this process."""

    def __init__(self, manager: TaskManager, clock: Callable[[], float] = time.perf_counter) -> None:
        self._manager = manager
        self._clock = clock
        self._sample: Sequence[TaskRecord] = ()
        self._good_until = float("-inf")

    async def finished(self) -> Sequence[TaskRecord]:
        """The newest finished records, newest first."""
        start = self._clock()
        if start < self._good_until:
            return self._sample
        self._sample = await newest(self._manager, TaskFilter(statuses=FINAL), SAMPLE)
        end = self._clock()
        self._good_until = end + (end - start) * _THRIFT
        return self._sample
