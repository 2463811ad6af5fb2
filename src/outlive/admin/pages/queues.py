"""Queues: how much waits in each, and since when; and the slots that bodies run in."""

from datetime import UTC, datetime

from fastapi import APIRouter, Request, Response

from outlive.admin.access import Visitor
from outlive.admin.desk import Desk
from outlive.core.record import moment


class QueuesPage:
    """`{path}/dashboard/queues`."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    def add_to(self, router: APIRouter) -> None:
        """Its route."""
        router.add_api_route("/queues", self.show, methods=["GET"])

    async def show(self, request: Request, user: Visitor) -> Response:
        """All queues that have live tasks, and the slots of this process."""
        backend = self._desk.manager.backend
        depths = await backend.depths()
        now = datetime.now(UTC)
        states = await backend.instances()
        return self._desk.pages.render(
            request,
            "queues.html",
            user,
            active="slots",
            queues=[(name, depth, moment(depth.oldest_at)) for name, depth in sorted(depths.items())],
            lanes=list(self._desk.lanes().values()),
            nobody=not any(not self._desk.is_late(state, now) for state in states),
        )
