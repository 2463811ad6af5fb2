"""Queues: how much waits in each, since when, and what it allows; and the slots that bodies run in."""

from collections.abc import Collection, Mapping
from datetime import UTC, datetime

from fastapi import APIRouter, HTTPException, Request, Response

from outlive.admin.access import Visitor
from outlive.admin.desk import Desk
from outlive.admin.html import field, read_form
from outlive.admin.pages.tasks import Text
from outlive.admin.waiting import Queueing, queue_warning
from outlive.core.record import moment
from outlive.errors import OutliveError
from outlive.runtime.queue_control import QueueChanges, QueueInfo

#: More than this no queue allows.
_MOST = 1_000_000


class QueuesPage:
    """`{path}/dashboard/queues`."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    def add_to(self, router: APIRouter) -> None:
        """Its routes."""
        router.add_api_route("/queues", self.show, methods=["GET"])
        router.add_api_route("/queues/{name:path}/pause", self.pause, methods=["POST"])
        router.add_api_route("/queues/{name:path}/resume", self.resume, methods=["POST"])
        router.add_api_route("/queues/{name:path}/change", self.change, methods=["POST"])

    async def show(self, request: Request, user: Visitor, edit: Text = "") -> Response:
        """All queues that are declared, set, or have live tasks; and the slots of this process."""
        manager = self._desk.manager
        now = datetime.now(UTC)
        states, queues = await manager.backend.instances(), await manager.queues()
        alive, draining = self._desk.alive(states, now)
        may_edit = self._desk.actions.access.may(user, "queue.change")
        return await self._desk.pages.render(
            request,
            "queues.html",
            user,
            active="slots",
            queues=[(one, moment(one.oldest_at), self._warning(one, alive, draining)) for one in queues],
            edited=next((one for one in queues if one.name == edit and may_edit), None),
            lanes=list(self._desk.lanes().values()),
            nobody=not alive,
        )

    def _warning(self, queue: QueueInfo, alive: Collection[str], draining: Collection[str]) -> str | None:
        return queue_warning(queue, Queueing(self._desk.here, alive, draining, self._desk.runs_here(queue.name)))

    async def pause(self, request: Request, user: Visitor, name: str) -> Response:
        """Let no more of its tasks start."""
        changed = await self._desk.actions.pause_queue(user, name)
        told = f"{name} is paused in all instances; tasks are still accepted." if changed else f"{name} was paused."
        return self._desk.pages.back(request, "/queues", told)

    async def resume(self, request: Request, user: Visitor, name: str) -> Response:
        """Let its tasks start again."""
        changed = await self._desk.actions.resume_queue(user, name)
        return self._desk.pages.back(request, "/queues", f"{name} goes on." if changed else f"{name} was not paused.")

    async def change(self, request: Request, user: Visitor, name: str) -> Response:
        """Change what it allows."""
        form = await read_form(request)
        changes = QueueChanges(
            concurrency=_limit(form, "concurrency"),
            global_concurrency=_limit(form, "global_concurrency"),
            max_size=_limit(form, "max_size"),
        )
        try:
            await self._desk.actions.change_queue(user, name, changes)
        except OutliveError as error:
            return self._desk.pages.back(request, "/queues", str(error), bad=True)
        return self._desk.pages.back(request, "/queues", f"{name} has new limits, in all instances.")


def _limit(form: Mapping[str, list[str]], name: str) -> int | None:
    text = field(form, name).strip()
    if not text:
        return None
    if not (text.isascii() and text.isdigit() and len(text) < len(str(_MOST)) + 1):
        raise HTTPException(400, f"{name} is a whole number from 1, or empty for no limit")
    return int(text)
