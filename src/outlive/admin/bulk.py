"""Which tasks an action on many is about."""

from collections.abc import Collection, Sequence
from dataclasses import replace

from outlive.admin.query import Query
from outlive.core.record import TaskRecord
from outlive.core.states import LIVE, REQUEUABLE, TaskStatus
from outlive.manager import TaskManager

#: In which statuses there is something to do.
STATUSES: dict[str, frozenset[TaskStatus]] = {
    # What has succeeded is not run again by the hundred.
    "retry": frozenset(REQUEUABLE) - {TaskStatus.SUCCESS},
    "cancel": LIVE,
}


async def chosen(manager: TaskManager, ids: Sequence[str], wanted: Collection[TaskStatus]) -> list[TaskRecord]:
    """Those with these ids, once each, that have one of the wanted statuses."""
    found = [await manager.get(task_id) for task_id in dict.fromkeys(ids)]
    return [record for record in found if record is not None and record.status in wanted]


def narrowed(query: Query, wanted: frozenset[TaskStatus]) -> Query:
    """The same query, for these statuses alone."""
    statuses = wanted if query.conditions.statuses is None else wanted & query.conditions.statuses
    return replace(query, conditions=replace(query.conditions, statuses=statuses))
