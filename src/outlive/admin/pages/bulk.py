"""One action on many tasks: first how many and which, then what became of it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import urlencode

from fastapi import APIRouter, HTTPException, Request, Response
from uuid_utils import uuid7

from outlive.admin.access import AdminUser, Visitor
from outlive.admin.actions import MOST, Result
from outlive.admin.bulk import STATUSES, chosen, narrowed
from outlive.admin.desk import Desk
from outlive.admin.html import field, place, read_form
from outlive.admin.search import every_match
from outlive.core.record import TaskRecord
from outlive.core.states import TaskStatus

#: How many are shown before the action.
_SAMPLE = 20

_EXPLANATIONS = {
    "retry": "They run again under their ids, with the arguments they were accepted with.",
    "cancel": "Those that wait never start; those that run are asked to end.",
}
_DONE = {"retry": "run again", "cancel": "were cancelled or asked to end"}


@dataclass(frozen=True, slots=True)
class Choice:
    """Which action on which tasks."""

    action: str
    scope: str
    q: str
    #: Only tasks accepted before this id, so that the count that was shown holds.
    until: str | None
    records: Sequence[TaskRecord]
    is_all: bool


class BulkPage:
    """`{path}/dashboard/bulk`."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    def add_to(self, router: APIRouter) -> None:
        """Its routes."""
        router.add_api_route("/bulk", self.preview, methods=["POST"])
        router.add_api_route("/bulk/run", self.run, methods=["POST"])

    async def preview(self, request: Request, user: Visitor) -> Response:
        """How many tasks it would be, and some of them."""
        form = await read_form(request)
        choice = await self._choice(form)
        await self._desk.actions.access.check(user, f"task.{choice.action}")
        back = f"/tasks?{urlencode({'q': choice.q})}" if choice.q else "/tasks"
        return await self._desk.pages.render(
            request,
            "bulk.html",
            user,
            active="tasks",
            action=choice.action,
            verb=choice.action,
            explanation=_EXPLANATIONS[choice.action],
            scope=choice.scope,
            q=choice.q,
            next=place(form, back),
            until=choice.until,
            records=choice.records,
            count=len(choice.records),
            is_all=choice.is_all,
            interrupted=sum(record.status is TaskStatus.INTERRUPTED for record in choice.records),
            sample=choice.records[:_SAMPLE],
        )

    async def run(self, request: Request, user: Visitor) -> Response:
        """Do it, and tell what became of it."""
        form = await read_form(request)
        choice = await self._choice(form)
        result = await self._act(user, choice)
        told = f"{len(result.done):,} tasks {_DONE[choice.action]}."
        if result.skipped:
            told += f" {len(result.skipped):,} were left as they are: they had moved on, or cannot be rebuilt here."
        return self._desk.pages.back(request, place(form, "/tasks"), told, bad=not result.done)

    async def _act(self, user: AdminUser, choice: Choice) -> Result:
        actions = self._desk.actions
        act = actions.retry_many if choice.action == "retry" else actions.cancel_many
        return await act(user, choice.records)

    async def _choice(self, form: Mapping[str, list[str]]) -> Choice:
        action, scope, q = field(form, "action"), field(form, "scope", "ticked"), field(form, "q")
        wanted = STATUSES.get(action)
        if wanted is None:
            raise HTTPException(400, f"{action!r} is no action on many tasks; they are {', '.join(STATUSES)}")
        if scope == "ticked":
            records = await chosen(self._desk.manager, form.get("id", [])[:1000], wanted)
            return Choice(action, scope, q, None, records, is_all=True)
        until = field(form, "until") or str(uuid7())
        query = narrowed(self._desk.query(q), wanted)
        records, is_all = await every_match(self._desk.manager, query, MOST, until)
        return Choice(action, scope, q, until, records, is_all)
