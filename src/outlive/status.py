"""For clients that wait: answer `202 Accepted`, and tell how the task gets on."""

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from typing import Any

from fastapi import APIRouter, HTTPException, Request, Response
from fastapi.params import Depends
from fastapi.responses import JSONResponse
from sse_starlette import EventSourceResponse, ServerSentEvent
from starlette.types import Receive, Scope, Send

from outlive.core.record import TaskRecord
from outlive.definitions.results import shown_result
from outlive.definitions.task import Task
from outlive.manager import TaskManager
from outlive.web.stopping import server_is_stopping

#: Seconds between two looks at a record, and between two signs of life to a client.
LOOK, PING = 0.25, 15.0

_HEADERS = {"Cache-Control": "no-cache", "X-Accel-Buffering": "no"}


class StatusRouter(APIRouter):
    """Tells whoever knows the id of a task how it gets on: `GET {path}/{id}` as JSON, `{path}/{id}/events` as a stream.

    `jobs = StatusRouter(manager)`, `app.include_router(jobs)`, and in an endpoint `return jobs.accepted(task)`.

    Ids are not guessable, but whoever has one sees the result, the progress and the error of its task, and nothing
    else of it; `dependencies=[Depends(...)]` guards it further. `functions` limits it to tasks of these names.
    """

    def __init__(
        self,
        manager: TaskManager,
        path: str = "/jobs",
        *,
        functions: Sequence[str] | None = None,
        dependencies: Sequence[Depends] | None = None,
    ) -> None:
        super().__init__(dependencies=dependencies, tags=["jobs"])
        self._manager = manager
        self._path = path.rstrip("/")
        self._functions = functions
        self.add_api_route(f"{self._path}/{{task_id}}", self._status, name="job status")
        events = f"{self._path}/{{task_id}}/events"
        self.add_api_route(events, self._events, name="job events", response_class=EventSourceResponse)

    def accepted(self, task: Task[Any] | str) -> Response:
        """The answer `202 Accepted`, with the id of the task and the address of its status.

        The task is stored before the answer leaves.
        """
        return _Accepted(self._path, task if isinstance(task, str) else task.id)

    async def _status(self, task_id: str) -> JSONResponse:
        return JSONResponse(self._shown(await self._known(task_id)), headers={"Cache-Control": "no-store"})

    async def _events(self, task_id: str, request: Request) -> EventSourceResponse:
        return EventSourceResponse(self._changes(await self._known(task_id), request), headers=_HEADERS, ping=int(PING))

    async def _changes(self, record: TaskRecord, request: Request) -> AsyncIterator[ServerSentEvent]:
        told: dict[str, Any] | None = None
        while True:
            shown = self._shown(record)
            if shown != told:
                told = shown
                yield ServerSentEvent(json.dumps(shown), event="end" if record.is_final else "status")
            if record.is_final or server_is_stopping() or await request.is_disconnected():
                return
            await asyncio.sleep(LOOK)
            found = await self._manager.get(record.id)
            if found is None:
                return
            record = found

    async def _known(self, task_id: str) -> TaskRecord:
        record = await self._manager.get(task_id)
        if record is None or (self._functions is not None and not {record.func, record.func_name} & {*self._functions}):
            raise HTTPException(404, f"there is no job {task_id!r}")
        return record

    def _shown(self, record: TaskRecord) -> dict[str, Any]:
        return {
            "id": record.id,
            "status": record.status.value,
            "progress": record.progress.to_dict() if record.progress else None,
            "result": shown_result(self._manager.registry.find(record.func), record.result),
            "error": record.error,
        }


class _Accepted(Response):
    """Its addresses are complete only when it is sent: then it is known below which path the application is served."""

    def __init__(self, path: str, task_id: str) -> None:
        super().__init__(status_code=202)
        self._path, self._id = path, task_id

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        status = f"{scope.get('root_path', '').rstrip('/')}{self._path}/{self._id}"
        content = {"id": self._id, "status": status, "events": f"{status}/events"}
        await JSONResponse(content, 202, {"Location": status}, background=self.background)(scope, receive, send)
