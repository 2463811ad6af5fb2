"""Failures in groups: what fails, since when, how often; and another run for a whole group."""

import sys
from collections.abc import Sequence
from datetime import UTC, datetime

from fastapi import APIRouter, HTTPException, Request, Response

from outlive.admin import tracebacks
from outlive.admin.access import Visitor
from outlive.admin.desk import Desk
from outlive.admin.failures import Failure, grouped
from outlive.admin.parts import in_parts
from outlive.admin.sampler import FAILURES

#: Bars of the drawing of a group in time.
_BARS = 30
#: Records of a group that its page shows.
_SHOWN = 20


class ErrorsPage:
    """`{path}/dashboard/errors`."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    def add_to(self, router: APIRouter) -> None:
        """Its routes."""
        router.add_api_route("/errors", self.show, methods=["GET"])
        router.add_api_route("/errors/{fingerprint}", self.one, methods=["GET"])

    async def show(self, request: Request, user: Visitor) -> Response:
        """The groups among the newest failures."""
        failed = await self._desk.sampler.failed()
        failures = await grouped(failed)
        now = datetime.now(UTC)
        return await self._desk.pages.render(
            request,
            "errors.html",
            user,
            active="errors",
            failures=await in_parts((failure, bars(failure, now)) for failure in failures),
            looked_at=len(failed),
            is_cut=len(failed) == FAILURES,
        )

    async def one(self, request: Request, user: Visitor, fingerprint: str) -> Response:
        """One group."""
        groups = {failure.fingerprint: failure for failure in await grouped(await self._desk.sampler.failed())}
        failure = groups.get(fingerprint)
        if failure is None:
            raise HTTPException(404, "No failure of this kind is among the newest; it was retried, or is long past.")
        return await self._desk.pages.render(
            request,
            "error.html",
            user,
            active="errors",
            failure=failure,
            bars=bars(failure, datetime.now(UTC)),
            trace=tracebacks.parts(failure.newest.stacktrace or "", sys.path),
            records=failure.records[:_SHOWN],
            q=f"status:failed fn:{failure.newest.func} group:{fingerprint}",
        )


def bars(failure: Failure, now: datetime) -> Sequence[float]:
    """How many in each part of the time since the first, as shares of the most."""
    total = max((now - failure.first).total_seconds(), 1.0)
    counts = [0] * _BARS
    for record in failure.records:
        at = ((record.end_time or record.created_at) - failure.first).total_seconds() / total
        counts[min(int(at * _BARS), _BARS - 1)] += 1
    most = max(counts)
    return [count / most for count in counts]
