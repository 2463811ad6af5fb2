"""Dead letters: what failed or was interrupted and waits for a person, to be run again by window of time."""

from typing import Annotated

from fastapi import APIRouter, Query, Request, Response

from outlive.admin.access import Visitor
from outlive.admin.desk import Desk
from outlive.admin.pages.tasks import PAGE, Cursor
from outlive.admin.search import search

#: Windows by their names in the address.
WINDOWS = {"1h": "1 hour", "6h": "6 hours", "24h": "24 hours", "7d": "7 days", "all": "all time"}

Window = Annotated[str, Query(pattern="^(1h|6h|24h|7d|all)$")]


class DeadPage:
    """`{path}/dashboard/dead-letters`."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    def add_to(self, router: APIRouter) -> None:
        """Its route."""
        router.add_api_route("/dead-letters", self.show, methods=["GET"])

    async def show(self, request: Request, user: Visitor, window: Window = "all", before: Cursor = None) -> Response:
        """Those of one window, newest first."""
        q = "status:failed,interrupted" + ("" if window == "all" else f" age:<{window}")
        found = await search(self._desk.manager, self._desk.query(q), PAGE, before)
        return await self._desk.pages.render(
            request,
            "dead.html",
            user,
            active="dead",
            windows=WINDOWS,
            window=window,
            q=q,
            found=found,
            before=before,
            can_act=self._desk.actions.access.may(user, "task.retry"),
        )
