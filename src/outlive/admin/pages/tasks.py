"""The list of tasks: search, filters, pages, the export."""

import csv
import io
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated
from urllib.parse import urlencode

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import RedirectResponse, StreamingResponse

from outlive.admin.access import Visitor
from outlive.admin.desk import Desk
from outlive.admin.html import HEADERS
from outlive.admin.query import Query as TaskQuery
from outlive.admin.query import QueryError, known_keys
from outlive.admin.search import Found, search
from outlive.core.record import TaskRecord
from outlive.core.states import FINAL, TaskStatus

PAGE = 50
#: Rows that an export may have.
MOST_ROWS = 50_000
_EXPORT_PAGE = 100

#: With these a cell of a spreadsheet begins a formula.
_FORMULA = ("=", "+", "-", "@", "\t", "\r")

Cursor = Annotated[str | None, Query(max_length=64)]
Text = Annotated[str, Query(max_length=2000)]


@dataclass(frozen=True, slots=True)
class Tab:
    """A status with its count, as a link to its list."""

    text: str
    q: str
    count: int
    current: bool


class TasksPage:
    """`{path}/dashboard/tasks`, and its export."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    def add_to(self, router: APIRouter) -> None:
        """Its routes."""
        router.add_api_route("/tasks", self.show, methods=["GET"])
        router.add_api_route("/tasks/filter", self.filter, methods=["GET"])
        router.add_api_route("/export.csv", self.export, methods=["GET"])

    async def show(self, request: Request, user: Visitor, q: Text = "", before: Cursor = None) -> Response:
        """A page of what a query means."""
        desk = self._desk
        query, problem = TaskQuery(), None
        try:
            query = desk.query(q)
            found = await search(desk.manager, query, PAGE, before)
        except QueryError as error:
            problem, found = str(error), Found((), None, 0)
        return await desk.pages.render(
            request,
            "tasks.html",
            user,
            code=400 if problem else 200,
            active="tasks",
            q=q,
            before=before,
            problem=problem,
            found=found,
            keys=known_keys(),
            tabs=await self._tabs(q),
            functions=sorted({one.display_name for one in desk.manager.registry}),
            chosen_function=_value_of(q, "fn"),
            chosen_source=_value_of(q, "source"),
            can_act=desk.actions.access.may(user, "task.retry"),
        )

    async def filter(self, request: Request, _: Visitor, q: Text = "", fn: Text = "", source: Text = "") -> Response:
        """What the drop-down lists choose, as the query that says the same."""
        words = [word for word in q.split() if not word.startswith(("fn:", "source:"))]
        words += [f"{key}:{value}" for key, value in (("fn", fn), ("source", source)) if value]
        query = f"?{urlencode({'q': ' '.join(words)})}" if words else ""
        return RedirectResponse(f"{self._desk.pages.base(request)}/dashboard/tasks{query}", 303, HEADERS)

    async def _tabs(self, q: str) -> list[Tab]:
        counts = await self._desk.manager.counts()
        rest = " ".join(word for word in q.split() if not word.startswith("status:"))
        chosen = _value_of(q, "status")
        tabs = [Tab("All", rest, sum(counts.values()), chosen is None)]
        for status in TaskStatus:
            text = f"status:{status} {rest}".strip()
            tabs.append(Tab(status.capitalize(), text, counts[status], chosen == status))
        return tabs

    async def export(self, _: Visitor, q: Text = "") -> Response:
        """All that matches, as a table for a spreadsheet."""
        query = self._desk.query(q)
        name = f"tasks-{datetime.now(UTC):%Y-%m-%d}.csv"
        headers = HEADERS | {"Content-Disposition": f'attachment; filename="{name}"'}
        return StreamingResponse(self._rows(query), media_type="text/csv; charset=utf-8", headers=headers)

    async def _rows(self, query: TaskQuery) -> AsyncIterator[str]:
        yield _line(["ID", "Function", "Status", "Duration (ms)", "Retries", "Created", "Error"])
        cursor, written = None, 0
        while written < MOST_ROWS:
            page = await search(self._desk.manager, query, _EXPORT_PAGE, cursor)
            yield "".join(_line(_cells(record)) for record in page.records)
            written += len(page.records)
            cursor = page.after
            if cursor is None:
                return


def _cells(record: TaskRecord) -> list[str]:
    duration = "" if record.duration is None or record.status not in FINAL else f"{record.duration * 1000:.3f}"
    return [
        record.id,
        record.func_name,
        record.status.value,
        duration,
        str(record.retries_used),
        record.created_at.isoformat(),
        record.error or "",
    ]


def _line(cells: list[str]) -> str:
    text = io.StringIO()
    csv.writer(text).writerow(neutral(cell) for cell in cells)
    return text.getvalue()


def neutral(cell: str) -> str:
    """A cell that no spreadsheet takes for a formula."""
    return f"'{cell}" if cell.startswith(_FORMULA) else cell


def _value_of(q: str, key: str) -> str | None:
    start = f"{key}:"
    return next((word.removeprefix(start) for word in q.split() if word.startswith(start)), None)
