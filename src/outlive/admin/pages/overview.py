"""The first screen: how it goes, what failed, what comes next."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from fastapi import APIRouter, Request, Response

from outlive.admin import stats
from outlive.admin.access import Visitor
from outlive.admin.desk import Desk
from outlive.admin.failures import grouped
from outlive.admin.pages.instances import list_instances
from outlive.admin.parts import in_parts
from outlive.core.record import TaskRecord, moment
from outlive.core.states import TaskStatus
from outlive.runtime.queue_control import QueueInfo

#: Failures, schedules, queues and instances that are shown.
_FEW = 5
#: Schedules that are looked at for the next ones.
_LOOK = 100


class OverviewPage:
    """`{path}/dashboard`."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._sample: Sequence[TaskRecord] = ()
        self._told: dict[str, Any] = {}

    def add_to(self, router: APIRouter) -> None:
        """Its route."""
        router.add_api_route("", self.show, methods=["GET"])

    async def show(self, request: Request, user: Visitor) -> Response:
        """The figures of the moment and of the newest runs."""
        desk = self._desk
        counts = await desk.manager.counts()
        success, failed = counts[TaskStatus.SUCCESS], counts[TaskStatus.FAILED]
        return await desk.pages.render(
            request,
            "overview.html",
            user,
            active="overview",
            counts={status.value: count for status, count in counts.items()},
            total=sum(counts.values()),
            success_rate=success / (success + failed) if success + failed else None,
            coming=await self._coming(),
            queues=await self._queues(),
            instances=(await list_instances(desk, frozenset({TaskStatus.RUNNING})))[:_FEW],
            **await self._figures(),
        )

    async def _figures(self) -> dict[str, Any]:
        # One sample serves many answers, and to tell what is in it costs more than to show it.
        sample = await self._desk.sampler.finished()
        if sample is not self._sample or not self._told:
            self._told = await _tell(sample)
            self._sample = sample
        return self._told

    async def _queues(self) -> list[tuple[QueueInfo, datetime | None]]:
        fullest = sorted(await self._desk.manager.queues(), key=lambda one: one.pending, reverse=True)
        return [(one, moment(one.oldest_at)) for one in fullest[:_FEW]]

    async def _coming(self) -> list[Any]:
        schedules = await self._desk.manager.schedules(limit=_LOOK)
        coming = [one for one in schedules if one.next_fires]
        return sorted(coming, key=lambda one: one.next_fires[0])[:_FEW]


async def _tell(sample: Sequence[TaskRecord]) -> dict[str, Any]:
    steps = await in_parts(stats.course(sample, datetime.now(UTC)))
    run, wait = await in_parts(spread(sample) for spread in (stats.runs, stats.waits))
    success = sum(record.status is TaskStatus.SUCCESS for record in sample)
    failed = [record for record in sample if record.status is TaskStatus.FAILED]
    decided = success + len(failed)
    return {
        "steps": steps,
        "step_seconds": (steps[1].at - steps[0].at).total_seconds() if len(steps) > 1 else None,
        "run": run,
        "wait": wait,
        "failure_rate": len(failed) / decided if decided else None,
        "failures": (await grouped(failed))[:_FEW],
    }
