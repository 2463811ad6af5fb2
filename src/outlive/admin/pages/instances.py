"""The processes: which live, and what each holds."""

from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime

from fastapi import APIRouter, Request, Response

from outlive.admin.access import Visitor
from outlive.admin.desk import Desk
from outlive.admin.sampler import newest
from outlive.admin.waiting import LaneState
from outlive.core.filter import TaskFilter
from outlive.core.record import TaskRecord, moment
from outlive.core.states import LIVE, TaskStatus

#: How many live records are looked at to say what the instances hold.
LOOK = 1000
#: How many of them are shown for each.
_SHOWN = 10


@dataclass(frozen=True, slots=True)
class InstanceView:
    """One instance, as its card shows it."""

    id: str
    host: str
    pid: int
    started: datetime
    beat: datetime
    lease: float
    is_late: bool
    is_here: bool
    is_draining: bool
    version: str
    slots: list[LaneState]
    running: int
    waiting: int
    records: list[TaskRecord]


async def list_instances(desk: Desk, statuses: frozenset[TaskStatus] = LIVE) -> list[InstanceView]:
    """All of them with what they hold in these statuses, those that are alive first."""
    now = datetime.now(UTC)
    live = await newest(desk.manager, TaskFilter(statuses=statuses), LOOK)
    counts = Counter((record.owner, record.status) for record in live)
    busy = Counter((record.owner, record.executor) for record in live if record.status is TaskStatus.RUNNING)
    views: list[InstanceView] = []
    for state in await desk.manager.backend.instances():
        one = state.instance
        started, beat = moment(one.started_at), moment(state.beat_at)
        assert started is not None
        assert beat is not None
        views.append(
            InstanceView(
                one.id,
                one.host,
                one.pid,
                started,
                beat,
                one.lease,
                desk.is_late(state, now),
                one.id == desk.here,
                state.draining,
                one.version,
                [LaneState(name, busy[one.id, name], limit, 0) for name, limit in one.slots.items()],
                counts[one.id, TaskStatus.RUNNING],
                counts[one.id, TaskStatus.PENDING],
                [record for record in live if record.owner == one.id][:_SHOWN],
            )
        )
    return sorted(views, key=lambda view: (view.is_late, view.host, view.pid))


class InstancesPage:
    """`{path}/dashboard/instances`, and the switch of each."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    def add_to(self, router: APIRouter) -> None:
        """Its routes."""
        router.add_api_route("/instances", self.show, methods=["GET"])
        router.add_api_route("/instances/{instance}/drain", self.drain, methods=["POST"])
        router.add_api_route("/instances/{instance}/resume", self.resume, methods=["POST"])

    async def show(self, request: Request, user: Visitor) -> Response:
        """One card for each instance."""
        views = await list_instances(self._desk)
        return await self._desk.pages.render(request, "instances.html", user, active="instances", instances=views)

    async def drain(self, request: Request, user: Visitor, instance: str) -> Response:
        """Let it take no new work."""
        changed = await self._desk.actions.drain(user, instance)
        told = "It takes no new work, and finishes what it runs." if changed else "It was asked already, or is gone."
        return self._desk.pages.back(request, "/instances", told)

    async def resume(self, request: Request, user: Visitor, instance: str) -> Response:
        """Let it take work again."""
        changed = await self._desk.actions.resume_instance(user, instance)
        told = "It takes work again." if changed else "It takes work already, or is gone."
        return self._desk.pages.back(request, "/instances", told)
