"""What fires by itself: when, what became of it, and a hand on the switch."""

from datetime import datetime
from itertools import pairwise
from urllib.parse import urlencode

from fastapi import APIRouter, Request, Response

from outlive.admin.access import Visitor
from outlive.admin.desk import Desk
from outlive.admin.html import field, place, read_form
from outlive.admin.pages.tasks import Text
from outlive.admin.stats import spread
from outlive.errors import OutliveError
from outlive.runtime.schedule_info import ScheduleInfo

#: Runs that a list and a page show.
_TICKS, _RUNS = 10, 20
#: Schedules on one page.
_PAGE = 50


class SchedulesPage:
    """`{path}/dashboard/schedules`."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    def add_to(self, router: APIRouter) -> None:
        """Its routes."""
        router.add_api_route("/schedules", self.show, methods=["GET"])
        router.add_api_route("/schedules/{name:path}/pause", self.pause, methods=["POST"])
        router.add_api_route("/schedules/{name:path}/resume", self.resume, methods=["POST"])
        router.add_api_route("/schedules/{name:path}/run", self.run, methods=["POST"])
        router.add_api_route("/schedules/{name:path}/reset", self.reset, methods=["POST"])
        router.add_api_route("/schedules/{name:path}/remove", self.remove, methods=["POST"])
        router.add_api_route("/schedules/{name:path}", self.one, methods=["GET"])
        router.add_api_route("/scheduled/cancel", self.cancel, methods=["POST"])

    async def show(self, request: Request, user: Visitor, after: Text = "") -> Response:
        """A page of them, by name; on the first also what is to run once."""
        found = await self._desk.manager.schedules(runs=_TICKS, limit=_PAGE + 1, after=after or None)
        return await self._desk.pages.render(
            request,
            "schedules.html",
            user,
            active="schedules",
            schedules=found[:_PAGE],
            here=f"/schedules?{urlencode({'after': after})}" if after else "/schedules",
            next=found[_PAGE - 1].name if len(found) > _PAGE else None,
            after=after,
            planned=() if after else await self._desk.manager.list_scheduled(limit=_PAGE + 1),
            most=_PAGE,
        )

    async def one(self, request: Request, user: Visitor, name: str) -> Response:
        """One of them, with its next times and its last runs."""
        info = await self._desk.manager.schedule_info(name, runs=_RUNS)
        return await self._desk.pages.render(
            request,
            "schedule.html",
            user,
            active="schedules",
            schedule=info,
            runs=list(zip(info.last_runs, info.lateness, strict=True)),
            drift=spread(late for late in info.lateness if late is not None),
            coming=_coming(info),
        )

    async def pause(self, request: Request, user: Visitor, name: str) -> Response:
        """Let it fire no more."""
        form = await read_form(request)
        changed = await self._desk.actions.pause(user, name)
        told = f"{name} is paused in all instances." if changed else f"{name} was paused already."
        return self._desk.pages.back(request, place(form, "/schedules"), told)

    async def resume(self, request: Request, user: Visitor, name: str) -> Response:
        """Let it go on."""
        form = await read_form(request)
        changed = await self._desk.actions.resume(user, name)
        told = f"{name} goes on with its next slot." if changed else f"{name} was not paused."
        return self._desk.pages.back(request, place(form, "/schedules"), told)

    async def run(self, request: Request, user: Visitor, name: str) -> Response:
        """Run its function now."""
        form = await read_form(request)
        try:
            task_id = await self._desk.actions.trigger(user, name)
        except OutliveError as error:
            return self._desk.pages.back(request, place(form, "/schedules"), str(error), bad=True)
        return self._desk.pages.back(request, f"/tasks/{task_id}", f"This is the run of {name} that you asked for.")

    async def reset(self, request: Request, user: Visitor, name: str) -> Response:
        """Let it fire as the code says."""
        form = await read_form(request)
        info = await self._desk.actions.reset_schedule(user, name)
        return self._desk.pages.back(
            request, place(form, "/schedules"), f"{name} fires {info.trigger}, as the code says."
        )

    async def remove(self, request: Request, user: Visitor, name: str) -> Response:
        """Forget it."""
        form = await read_form(request)
        await self._desk.actions.remove_schedule(user, name)
        return self._desk.pages.back(request, place(form, "/schedules"), f"{name} is removed; its records stay.")

    async def cancel(self, request: Request, user: Visitor) -> Response:
        """Cancel what is to run once."""
        run_key = field(await read_form(request), "run_key")
        await self._desk.actions.cancel_scheduled(user, run_key)
        return self._desk.pages.back(request, "/schedules", f"{run_key} is cancelled.")


def _coming(info: ScheduleInfo) -> list[tuple[datetime, str]]:
    """The next times, with what the zone's clock does before one."""
    notes = ["", *(change_of_clocks(before, after) for before, after in pairwise(info.next_fires))]
    return list(zip(info.next_fires, notes, strict=False))


def change_of_clocks(before: datetime, after: datetime) -> str:
    """What the clocks of their zone do between two moments, in words; empty where they go on."""
    was, will_be = before.utcoffset(), after.utcoffset()
    if was is None or will_be is None or was == will_be:
        return ""
    return "clocks go forward before it" if will_be > was else "clocks go back before it"
