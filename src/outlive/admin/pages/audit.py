"""What people did."""

from dataclasses import dataclass
from datetime import datetime

from fastapi import APIRouter, Request, Response

from outlive.admin.access import Visitor
from outlive.admin.desk import Desk
from outlive.admin.pages.tasks import Cursor
from outlive.core.audit import AuditEntry
from outlive.core.record import moment

_PAGE = 50


@dataclass(frozen=True, slots=True)
class AuditView:
    """One action, as its row shows it."""

    entry: AuditEntry
    at: datetime
    #: What it was done to, below the dashboard; None where that has no page.
    link: str | None
    detail: str


class AuditPage:
    """`{path}/dashboard/audit`."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    def add_to(self, router: APIRouter) -> None:
        """Its route."""
        router.add_api_route("/audit", self.show, methods=["GET"])

    async def show(self, request: Request, user: Visitor, before: Cursor = None) -> Response:
        """A page of it, newest first."""
        entries = await self._desk.manager.backend.notes(_PAGE + 1, before)
        return await self._desk.pages.render(
            request,
            "audit.html",
            user,
            active="audit",
            entries=[_view(entry) for entry in entries[:_PAGE]],
            before=before,
            after=entries[_PAGE - 1].id if len(entries) > _PAGE else None,
        )


def _view(entry: AuditEntry) -> AuditView:
    at = moment(entry.at)
    assert at is not None
    kind = entry.action.partition(".")[0]
    link = {"task": f"/tasks/{entry.target}", "schedule": f"/schedules/{entry.target}"}.get(kind)
    told = {name: value for name, value in entry.detail.items() if name != "tasks"}
    detail = ", ".join(f"{name.replace('_', ' ')}: {value}" for name, value in told.items())
    return AuditView(entry, at, link if entry.target else None, detail)
