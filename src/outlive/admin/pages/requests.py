"""Requests with tasks: what each started, by timing mode, and how long the client waited because of it."""

import asyncio
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from fastapi import APIRouter, HTTPException, Request, Response

from outlive.admin.access import Visitor
from outlive.admin.desk import Desk
from outlive.core.record import TaskRecord
from outlive.web.moments import AFTER_RESPONSE, AFTER_ROUTE, IMMEDIATE
from outlive.web.traces import REQUESTS, Step, Trace

#: In the order in which they happen, with what each costs the client.
MODES = (
    (IMMEDIATE, "Started at once, beside the endpoint; the response waits until they are stored."),
    (AFTER_ROUTE, "Started when the endpoint had returned; the response waits for the first attempt."),
    (AFTER_RESPONSE, "Started when the response was sent, which waits until they are stored."),
)


@dataclass(frozen=True, slots=True)
class ModeView:
    """The tasks of one timing mode, each with its record where there still is one."""

    name: str
    told: str
    steps: Sequence[tuple[Step, TaskRecord | None]]
    added: float


@dataclass(frozen=True, slots=True)
class Shares:
    """What a response took, in seconds, and in parts of a thousand."""

    own: float
    stored: float
    ran: float
    widths: tuple[float, float, float]


class RequestsPage:
    """`{path}/dashboard/requests` and one of them."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    def add_to(self, router: APIRouter) -> None:
        """Its routes."""
        router.add_api_route("/requests", self.show, methods=["GET"])
        router.add_api_route("/requests/{trace_id}", self.show_one, methods=["GET"])

    async def show(self, request: Request, user: Visitor) -> Response:
        """The newest ones of this process."""
        traces = self._desk.manager.traces
        found: Sequence[Trace] = () if traces is None else traces.newest()
        return await self._desk.pages.render(
            request,
            "requests.html",
            user,
            active="requests",
            traces=[(one, Counter(step.timing for step in list(one.steps.values()))) for one in found],
            modes=[name for name, _ in MODES],
            most=REQUESTS,
            here=self._desk.here,
        )

    async def show_one(self, request: Request, user: Visitor, trace_id: str) -> Response:
        """One of them, with its tasks."""
        traces = self._desk.manager.traces
        trace = None if traces is None else traces.find(trace_id)
        if trace is None:
            raise HTTPException(404, f"This process does not remember the request; it keeps the newest {REQUESTS}.")
        return await self._desk.pages.render(
            request,
            "request.html",
            user,
            active="requests",
            trace=trace,
            modes=await self._modes(trace),
            shares=shares(trace),
        )

    async def _modes(self, trace: Trace) -> list[ModeView]:
        steps = list(trace.steps.values())
        records = await asyncio.gather(*(self._desk.manager.get(step.task_id) for step in steps))
        both = list(zip(steps, records, strict=True))
        of_mode = {name: [one for one in both if one[0].timing == name] for name, _ in MODES}
        return [
            ModeView(name, told, of_mode[name], sum(step.added for step, _ in of_mode[name]))
            for name, told in MODES
            if of_mode[name]
        ]


def shares(trace: Trace) -> Shares | None:
    """What the time of a response was spent on; None before it is complete."""
    if trace.took is None:
        return None
    steps = list(trace.steps.values())
    stored, ran = sum(step.stored for step in steps), sum(step.ran for step in steps)
    own = max(0.0, trace.took - stored - ran)
    whole = max(own + stored + ran, 1e-9)
    widths = (round(own / whole * 1000, 1), round(stored / whole * 1000, 1), round(ran / whole * 1000, 1))
    return Shares(own, stored, ran, widths)
