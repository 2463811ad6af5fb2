"""One task: what happened to it, attempt by attempt, and what can be done."""

import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from fastapi import APIRouter, Request, Response

from outlive.admin import arguments, tracebacks, waiting
from outlive.admin.access import Visitor
from outlive.admin.desk import Desk
from outlive.admin.html import field, place, read_form
from outlive.admin.stats import wait_of
from outlive.core.filter import Page, TaskFilter
from outlive.core.record import AttemptRecord, LogLine, TaskRecord, moment
from outlive.core.states import TaskStatus
from outlive.definitions.definition import Definition
from outlive.errors import OutliveError

#: Width of the drawing of attempts; what is shorter is still seen.
_WIDTH, _LEAST = 1000.0, 4.0


@dataclass(frozen=True, slots=True)
class Lane:
    """One attempt, with its place on the common line of time."""

    attempt: AttemptRecord
    logs: Sequence[LogLine]
    trace: Sequence[tracebacks.Part]
    waited: float
    ran: float
    wait_x: float
    wait_width: float
    x: float
    width: float


@dataclass(frozen=True, slots=True)
class NoteView:
    """What somebody did, for a line of a table."""

    action: str
    actor: str
    moment: datetime


class TaskPage:
    """`{path}/dashboard/tasks/{id}` and what its buttons do."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    def add_to(self, router: APIRouter) -> None:
        """Its routes."""
        router.add_api_route("/tasks/{task_id}", self.show, methods=["GET"])
        router.add_api_route("/tasks/{task_id}/retry", self.retry, methods=["POST"])
        router.add_api_route("/tasks/{task_id}/cancel", self.cancel, methods=["POST"])
        router.add_api_route("/tasks/{task_id}/edit", self.edit, methods=["POST"])

    async def show(self, request: Request, user: Visitor, task_id: str) -> Response:
        """Everything about one record."""
        desk = self._desk
        record = await desk.actions.known(task_id)
        definition = desk.manager.registry.find(record.func)
        now = datetime.now(UTC)
        editable = arguments.redacted(record, definition) if record.arguments is not None else None
        return await desk.pages.render(
            request,
            "task.html",
            user,
            active="tasks",
            record=record,
            waited=wait_of(record),
            waiting=await self._reasons(record, now),
            lanes=draw(record, now, sys.path),
            arguments=arguments.shown(record, definition, values=desk.shows_arguments),
            result=arguments.result(record, values=desk.shows_arguments),
            can_edit=self._can_edit(record, definition) and desk.actions.access.may(user, "task.edit"),
            editable=editable,
            most_attempts=None if definition is None else definition.effective.retry.retries + 1,
            older=await self._older(record),
            trace=None if desk.manager.traces is None else desk.manager.traces.of_task(task_id),
            notes=await self._notes(task_id),
            raw=json.dumps(desk.show_whole(record), indent=2),
        )

    async def retry(self, request: Request, user: Visitor, task_id: str) -> Response:
        """Run it again."""
        form = await read_form(request)
        try:
            record = await self._desk.actions.retry(user, task_id)
        except OutliveError as error:
            return self._desk.pages.back(request, place(form, f"/tasks/{task_id}"), str(error), bad=True)
        told = f"{record.func_name} runs again."
        return self._desk.pages.back(request, place(form, f"/tasks/{task_id}"), told)

    async def cancel(self, request: Request, user: Visitor, task_id: str) -> Response:
        """Let it not run, or end."""
        form = await read_form(request)
        try:
            record = await self._desk.actions.cancel(user, task_id)
        except OutliveError as error:
            return self._desk.pages.back(request, place(form, f"/tasks/{task_id}"), str(error), bad=True)
        told = "It is cancelled." if record.status is TaskStatus.CANCELLED else "It was asked to end."
        return self._desk.pages.back(request, place(form, f"/tasks/{task_id}"), told)

    async def edit(self, request: Request, user: Visitor, task_id: str) -> Response:
        """Run the function again with other arguments."""
        form = await read_form(request)
        try:
            new = await self._desk.actions.run_edited(user, task_id, field(form, "arguments"))
        except OutliveError as error:
            return self._desk.pages.back(request, f"/tasks/{task_id}", str(error), bad=True)
        return self._desk.pages.back(request, f"/tasks/{new}", "This is the new run.")

    def _can_edit(self, record: TaskRecord, definition: Definition | None) -> bool:
        if not self._desk.shows_arguments or definition is None or record.arguments is None:
            return False
        return not arguments.has_secrets(record, definition)

    async def _reasons(self, record: TaskRecord, now: datetime) -> list[str]:
        if record.status is not TaskStatus.PENDING:
            return []
        desk = self._desk
        states = await desk.manager.backend.instances()
        functions = desk.manager.registry.identities()
        queue = next((one for one in await desk.manager.queues() if one.name == record.queue), None)
        around = waiting.Surroundings(now, functions, desk.lanes(), desk.here, *desk.alive(states, now), queue)
        return waiting.reasons(record, around)

    async def _older(self, record: TaskRecord) -> str | None:
        found = await self._desk.manager.find(TaskFilter(func=record.func), Page(1, record.id))
        return found[0].id if found else None

    async def _notes(self, task_id: str) -> list[NoteView]:
        notes = await self._desk.manager.backend.notes(20, target=task_id)
        return [NoteView(one.action, one.actor, at) for one in notes if (at := moment(one.at)) is not None]


def draw(record: TaskRecord, now: datetime, roots: Sequence[str] = ()) -> list[Lane]:
    """The attempts on one line of time, from acceptance to the end."""
    start, end = record.created_at, record.end_time or now
    total = max((end - start).total_seconds(), 1e-6)

    def at(when: datetime) -> float:
        return min(max((when - start).total_seconds() / total, 0.0), 1.0) * _WIDTH

    lanes: list[Lane] = []
    free_at = start
    starts = [attempt.started_at for attempt in record.history]
    for attempt, until in zip(record.history, [*starts[1:], datetime.max.replace(tzinfo=UTC)], strict=False):
        ended = attempt.ended_at or now
        width = max(at(ended) - at(attempt.started_at), _LEAST)
        x = min(at(attempt.started_at), _WIDTH - width)
        lanes.append(
            Lane(
                attempt,
                [line for line in record.logs if attempt.started_at <= line.at < until],
                tracebacks.parts(attempt.stacktrace or "", roots),
                max(0.0, (attempt.started_at - free_at).total_seconds()),
                max(0.0, (ended - attempt.started_at).total_seconds()),
                round(at(free_at), 1),
                round(max(0.0, x - at(free_at)), 1),
                round(x, 1),
                round(width, 1),
            )
        )
        free_at = ended
    return lanes
