"""Reads the newest finished records for figures, in small pages and never more often than is cheap."""

import time
from collections.abc import Callable, Sequence

from outlive.core.filter import Page, TaskFilter
from outlive.core.record import TaskRecord
from outlive.core.states import FINAL, TaskStatus
from outlive.manager import TaskManager

#: How many finished records figures are about.
SAMPLE = 1000

#: How many failed ones are put into groups.
FAILURES = 1000

#: A page is decoded on the event loop, so it is small.
_PAGE = 50

#: A sample serves for so many times what it cost to take: watching takes a quarter of a per cent of a processor.
_THRIFT = 400.0
#: And for no more seconds than this.
_OLDEST = 10.0


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


class _Sample:
    """Records that are read again when that is cheap enough."""

    def __init__(self, manager: TaskManager, conditions: TaskFilter, count: int, clock: Callable[[], float]) -> None:
        self._manager = manager
        self._conditions = conditions
        self._count = count
        self._clock = clock
        self._records: Sequence[TaskRecord] = ()
        self._good_until = float("-inf")

    async def read(self) -> Sequence[TaskRecord]:
        start = self._clock()
        if start < self._good_until:
            return self._records
        self._records = await newest(self._manager, self._conditions, self._count)
        end = self._clock()
        self._good_until = end + min((end - start) * _THRIFT, _OLDEST)
        return self._records


class Sampler:
    """The newest records of all instances, shared by everybody who looks at this process."""

    def __init__(self, manager: TaskManager, clock: Callable[[], float] = time.perf_counter) -> None:
        self._finished = _Sample(manager, TaskFilter(statuses=FINAL), SAMPLE, clock)
        self._failed = _Sample(manager, TaskFilter(statuses=frozenset({TaskStatus.FAILED})), FAILURES, clock)

    async def finished(self) -> Sequence[TaskRecord]:
        """The newest finished records, newest first."""
        return await self._finished.read()

    async def failed(self) -> Sequence[TaskRecord]:
        """The newest failed records, newest first."""
        return await self._failed.read()
