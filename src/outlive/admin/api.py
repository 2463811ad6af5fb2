"""The admin's JSON: tasks, schedules, runs that come once, queues, and what can be done to them."""

import re
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Annotated, Any, Literal
from urllib.parse import quote, urlencode
from uuid import UUID

from fastapi import APIRouter, Body, Depends, HTTPException, Query, Request, params
from pydantic import BeforeValidator

from outlive.admin.access import Visitor
from outlive.admin.actions import MOST, Result
from outlive.admin.desk import Desk
from outlive.admin.json_route import AdminRoute, Json
from outlive.admin.limits import Limits
from outlive.admin.pages.history import ended_before
from outlive.admin.sampler import SAMPLE, newest
from outlive.admin.search import every_match
from outlive.admin.timings import Timings
from outlive.core.filter import Page, TaskFilter
from outlive.core.record import TaskRecord
from outlive.core.states import FINAL, TaskStatus


def _split(values: list[str] | None) -> list[str]:
    """`?status=failed,interrupted` means the same as `?status=failed&status=interrupted`."""
    return [part.strip() for value in values or () for part in value.split(",") if part.strip()]


async def read_filter(
    status: Annotated[list[TaskStatus] | None, BeforeValidator(_split), Query()] = None,
    func: str | None = None,
    queue: str | None = None,
    source: Literal["manual", "scheduled", ""] | None = None,
) -> TaskFilter:
    """The conditions of a list; an empty value, as a form sends it, is no condition."""
    return TaskFilter(frozenset(status) if status else None, func or None, queue or None, source or None)


Conditions = Annotated[TaskFilter, Depends(read_filter)]
Limit = Annotated[int, Query(ge=1, le=1000)]
Runs = Annotated[int, Query(ge=0, le=100)]


class AdminApi:
    """The endpoints, over one manager."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._manager = desk.manager
        self._actions = desk.actions

    def router(self, path: str, guards: Sequence[params.Depends]) -> APIRouter:
        """All routes below `path`, each behind the guards and none in the application's own schema."""
        router = APIRouter(prefix=path, dependencies=guards, include_in_schema=False, route_class=AdminRoute)
        router.add_api_route("", self.list_tasks, methods=["GET"])
        router.add_api_route("/metrics", self.metrics, methods=["GET"])
        router.add_api_route("/scheduled", self.scheduled, methods=["GET"])
        router.add_api_route("/scheduled/{run_key:path}", self.cancel_scheduled, methods=["DELETE"])
        router.add_api_route("/queues", self.queues, methods=["GET"])
        router.add_api_route("/queues/{name:path}", self.change_queue, methods=["PATCH"])
        router.add_api_route("/audit", self.audit, methods=["GET"])
        router.add_api_route("/bulk-retry", self.bulk_retry, methods=["POST"])
        router.add_api_route("/retry-failed", self.retry_failed, methods=["POST"])
        router.add_api_route("/history", self.delete_history, methods=["DELETE"])
        router.add_api_route("/schedules", self.schedules, methods=["GET"])
        router.add_api_route("/schedules/{name:path}", self.schedule, methods=["GET"])
        router.add_api_route("/schedules/{name:path}/pause", self.pause, methods=["POST"])
        router.add_api_route("/schedules/{name:path}/resume", self.resume, methods=["POST"])
        router.add_api_route("/schedules/{name:path}/trigger", self.trigger, methods=["POST"])
        router.add_api_route("/schedules/{name:path}/reset", self.reset, methods=["POST"])
        router.add_api_route("/schedules/{name:path}", self.change, methods=["PATCH"])
        router.add_api_route("/schedules/{name:path}", self.remove, methods=["DELETE"])
        router.add_api_route("/{task_id}", self.one_task, methods=["GET"])
        router.add_api_route("/{task_id}/cancel", self.cancel, methods=["POST"])
        router.add_api_route("/{task_id}/retry", self.retry, methods=["POST"])
        return router

    # -- looking ---------------------------------------------------------------------------------

    async def list_tasks(
        self, request: Request, conditions: Conditions, limit: Limit = 100, before: UUID | None = None
    ) -> Json:
        """A page of records, newest first and without logs; `Link` leads to the next page where there is one."""
        page = Page(limit + 1, None if before is None else str(before))
        records = await self._manager.find(conditions, page)
        headers = {"Link": next_link(request, records[limit - 1].id)} if len(records) > limit else None
        return Json([self._desk.show(record) for record in records[:limit]], headers=headers)

    async def one_task(self, task_id: str) -> Json:
        """One record with its logs and attempts."""
        record = await self._actions.known(task_id)
        return Json(self._desk.show_whole(record))

    async def metrics(self) -> Json:
        """How many records have each status, the share of success, and the mean duration in seconds.

        `success_rate` is success / (success + failed), from 0 to 1. `avg_duration_seconds` is the mean over the newest
        1,000 finished records. Both are 0 where there is nothing to divide.
        """
        counts = await self._manager.counts()
        success, failed = counts[TaskStatus.SUCCESS], counts[TaskStatus.FAILED]
        return Json(
            {"total": sum(counts.values())}
            | {status.value: count for status, count in counts.items()}
            | {"success_rate": success / (success + failed) if success + failed else 0.0}
            | {"avg_duration_seconds": round(await self._mean_duration(), 6)}
        )

    async def _mean_duration(self) -> float:
        finished = await newest(self._manager, TaskFilter(statuses=FINAL), SAMPLE)
        durations = [record.duration for record in finished if record.duration is not None]
        return sum(durations) / len(durations) if durations else 0.0

    async def schedules(self, request: Request, limit: Limit = 100, after: str | None = None, runs: Runs = 5) -> Json:
        """A page of schedules and intervals by name, each with its next ten times, newest runs, and missed slots.

        `Link` leads to the next page where there is one.
        """
        found = await self._manager.schedules(runs=runs, limit=limit + 1, after=after)
        headers = {"Link": next_link(request, found[limit - 1].name, "after")} if len(found) > limit else None
        return Json([schedule.to_dict() for schedule in found[:limit]], headers=headers)

    async def schedule(self, name: str, runs: Runs = 20) -> Json:
        """One schedule with its newest runs and missed slots."""
        return Json((await self._manager.schedule_info(name, runs=runs)).to_dict())

    async def scheduled(self, before: datetime | None = None) -> Json:
        """What is to run once, the earliest 1,000; up to a year ahead unless told otherwise."""
        return Json([planned.to_dict() for planned in await self._manager.list_scheduled(before)])

    # -- acting ----------------------------------------------------------------------------------

    async def cancel(self, user: Visitor, task_id: str) -> Json:
        """Cancel what has not started, ask what runs to end."""
        return self._outcome(await self._actions.cancel(user, task_id))

    async def retry(self, user: Visitor, task_id: str) -> Json:
        """Run an ended record again, under its id."""
        return self._outcome(await self._actions.retry(user, task_id))

    async def pause(self, user: Visitor, name: str) -> Json:
        """Let a schedule fire no more; `changed` is false where it is paused already."""
        return Json({"schedule": name, "paused": True, "changed": await self._actions.pause(user, name)})

    async def resume(self, user: Visitor, name: str) -> Json:
        """Let a schedule go on; `changed` is false where it is not paused."""
        return Json({"schedule": name, "paused": False, "changed": await self._actions.resume(user, name)})

    async def trigger(self, user: Visitor, name: str) -> Json:
        """Run the function of a schedule now."""
        return Json({"schedule": name, "task_id": await self._actions.trigger(user, name)})

    async def change(self, user: Visitor, name: str, timings: Timings) -> Json:
        """Give a schedule another timing, in all instances; what is left out stays."""
        return Json((await self._actions.change_schedule(user, name, timings.options())).to_dict())

    async def reset(self, user: Visitor, name: str) -> Json:
        """Let a schedule that was changed fire as the code says."""
        return Json((await self._actions.reset_schedule(user, name)).to_dict())

    async def remove(self, user: Visitor, name: str) -> Json:
        """Forget a schedule that this application does not declare; its records stay."""
        await self._actions.remove_schedule(user, name)
        return Json({"schedule": name, "removed": True})

    async def cancel_scheduled(self, user: Visitor, run_key: str) -> Json:
        """Cancel what is to run once under this key."""
        await self._actions.cancel_scheduled(user, run_key)
        return Json({"run_key": run_key, "cancelled": True})

    async def bulk_retry(
        self, user: Visitor, task_ids: Annotated[list[str], Body(embed=True, max_length=1000)]
    ) -> Json:
        """Run these again."""
        found = [await self._manager.get(task_id) for task_id in task_ids]
        records = [record for record in found if record is not None]
        result = await self._actions.retry_many(user, records)
        return Json(_dispatched(result, len(task_ids) - len(result.done)))

    async def retry_failed(self, user: Visitor, since: str = "all", func_name: str | None = None) -> Json:
        """Run what failed or was interrupted again, accepted within `<N>h`, `<N>d` or at any time."""
        if since != "all" and not re.fullmatch(r"[1-9]\d{0,5}[hd]", since):
            raise HTTPException(400, f"since={since!r} is no window; write it like 6h, 7d or all")
        query = self._desk.query("status:failed,interrupted" + ("" if since == "all" else f" age:<{since}"))
        query = replace(query, conditions=replace(query.conditions, func=func_name or None))
        records, _ = await every_match(self._manager, query, MOST)
        result = await self._actions.retry_many(user, records)
        return Json(_dispatched(result, len(result.skipped)))

    async def delete_history(
        self, user: Visitor, value: Annotated[int, Query(gt=0)], unit: Literal["min", "hour", "day"]
    ) -> Json:
        """Delete finished records that ended earlier than that, interrupted ones excepted."""
        before = ended_before(value, unit, datetime.now(UTC))
        deleted = await self._actions.delete_history(user, before)
        return Json({"deleted": deleted, "store": 0, "backend": deleted})

    async def queues(self) -> Json:
        """What each declared queue has done in this process since it started."""
        return Json(self._manager.queue_stats())

    async def change_queue(self, user: Visitor, name: str, limits: Limits) -> Json:
        """Change what a queue allows, in all instances; what is left out stays, null is no limit."""
        return Json(await self._actions.change_queue(user, name, limits.changes()))

    async def audit(self) -> Json:
        """What people did: the newest 1,000 actions."""
        return Json([entry.to_dict() for entry in await self._manager.backend.notes(1000)])

    # -- showing ---------------------------------------------------------------------------------

    def _outcome(self, record: TaskRecord) -> Json:
        return Json({"task_id": record.id, "task": self._desk.show(record)})


def _dispatched(result: Result, skipped: int) -> dict[str, Any]:
    results = [{"original_task_id": task_id, "new_task_id": task_id} for task_id in result.done]
    return {"dispatched": len(result.done), "skipped": skipped, "results": results}


def next_link(request: Request, last: str, parameter: str = "before") -> str:
    """The `Link` header to the page that goes on from `last`, with the query as it is.

    The address has no host, so that it is right whatever name and scheme the client used.
    """
    query = [(name, value) for name, value in request.query_params.multi_items() if name != parameter]
    return f'<{quote(_path_of(request))}?{urlencode([*query, (parameter, last)])}>; rel="next"'


def _path_of(request: Request) -> str:
    """The path as the client asked for it. A server puts `root_path` in front, a proxy that cut it off has not."""
    path, root = request.scope["path"], request.scope.get("root_path", "").rstrip("/")
    return str(path) if path == root or path.startswith(f"{root}/") else f"{root}{path}"
