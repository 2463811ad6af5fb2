"""Deleting finished tasks."""

from datetime import UTC, datetime, timedelta

from fastapi import APIRouter, HTTPException, Request, Response

from outlive.admin.access import Visitor
from outlive.admin.desk import Desk
from outlive.admin.html import field, read_form

#: Seconds of a unit, by its name in forms and addresses.
UNITS = {"min": 60.0, "hour": 3600.0, "day": 86_400.0}
#: A century of days.
MOST = 36_525


def ended_before(value: int, unit: str, now: datetime) -> datetime:
    """The moment that lies so many units back."""
    return now - timedelta(seconds=min(value, MOST) * UNITS[unit])


class HistoryPage:
    """`{path}/dashboard/history/delete`."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    def add_to(self, router: APIRouter) -> None:
        """Its route."""
        router.add_api_route("/history/delete", self.delete, methods=["POST"])

    async def delete(self, request: Request, user: Visitor) -> Response:
        """Delete what ended earlier than that."""
        form = await read_form(request)
        value, unit = field(form, "value"), field(form, "unit")
        if not (value.isascii() and value.isdigit() and int(value[:9]) > 0) or unit not in UNITS:
            raise HTTPException(400, "Say how old tasks must be: a number from 1, and min, hour or day.")
        before = ended_before(int(value[:9]), unit, datetime.now(UTC))
        deleted = await self._desk.actions.delete_history(user, before)
        return self._desk.pages.back(request, "/tasks", f"{deleted:,} finished tasks were deleted.")
