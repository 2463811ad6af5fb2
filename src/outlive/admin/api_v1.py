"""The versioned JSON API: the screens as data, pages with a cursor, errors as problem+json, its own description."""

import time
from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Annotated, Any, Literal

from fastapi import APIRouter, HTTPException, Query, params
from fastapi.openapi.utils import get_openapi
from pydantic import BaseModel, Field

from outlive.admin import stats
from outlive.admin.access import Visitor
from outlive.admin.actions import MOST
from outlive.admin.bulk import STATUSES, chosen, narrowed
from outlive.admin.desk import Desk
from outlive.admin.failures import grouped
from outlive.admin.json_route import Json, ProblemRoute
from outlive.admin.limits import Limits
from outlive.admin.pages.instances import list_instances
from outlive.admin.search import every_match, search
from outlive.admin.sessions import PREFIX
from outlive.admin.timings import Timings

Limit = Annotated[int, Query(ge=1, le=500)]
Cursor = Annotated[str | None, Query(max_length=64)]
Text = Annotated[str, Query(max_length=2000)]


class Bulk(BaseModel):
    """One action on many tasks: those with these ids, or all that a query means."""

    action: Literal["retry", "cancel"]
    ids: Annotated[list[str], Field(max_length=1000)] | None = None
    q: Annotated[str, Field(max_length=2000)] | None = None
    #: Count, and do nothing.
    dry_run: bool = False


class Release(BaseModel):
    """A lease to take from whoever holds it."""

    key: Annotated[str, Field(min_length=1, max_length=1000)]
    reason: Annotated[str, Field(min_length=1, max_length=200)]


class ApiV1:
    """`{path}/api/v1`."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._manager = desk.manager

    def router(self, path: str, guards: Sequence[params.Depends]) -> APIRouter:
        """All routes, each behind the guards."""
        router = APIRouter(prefix=f"{path}/api/v1", dependencies=guards, route_class=ProblemRoute, tags=["tasks"])
        router.add_api_route("/tasks", self.tasks, methods=["GET"])
        router.add_api_route("/tasks/bulk", self.bulk, methods=["POST"])
        router.add_api_route("/tasks/{task_id}", self.task, methods=["GET"])
        router.add_api_route("/tasks/{task_id}/retry", self.retry, methods=["POST"])
        router.add_api_route("/tasks/{task_id}/cancel", self.cancel, methods=["POST"])
        router.add_api_route("/errors", self.errors, methods=["GET"])
        router.add_api_route("/functions", self.functions, methods=["GET"])
        router.add_api_route("/schedules", self.schedules, methods=["GET"])
        router.add_api_route("/schedules/{name:path}/pause", self.pause, methods=["POST"])
        router.add_api_route("/schedules/{name:path}/resume", self.resume, methods=["POST"])
        router.add_api_route("/schedules/{name:path}/run", self.run, methods=["POST"])
        router.add_api_route("/schedules/{name:path}/reset", self.reset, methods=["POST"])
        router.add_api_route("/schedules/{name:path}", self.change, methods=["PATCH"])
        router.add_api_route("/schedules/{name:path}", self.remove, methods=["DELETE"])
        router.add_api_route("/scheduled", self.scheduled, methods=["GET"])
        router.add_api_route("/scheduled/{run_key:path}", self.cancel_scheduled, methods=["DELETE"])
        router.add_api_route("/queues", self.queues, methods=["GET"])
        router.add_api_route("/queues/{name:path}/pause", self.pause_queue, methods=["POST"])
        router.add_api_route("/queues/{name:path}/resume", self.resume_queue, methods=["POST"])
        router.add_api_route("/queues/{name:path}", self.change_queue, methods=["PATCH"])
        router.add_api_route("/instances", self.instances, methods=["GET"])
        router.add_api_route("/instances/{instance}/drain", self.drain, methods=["POST"])
        router.add_api_route("/instances/{instance}/resume", self.resume_instance, methods=["POST"])
        router.add_api_route("/locks", self.locks, methods=["GET"])
        router.add_api_route("/locks/release", self.release, methods=["POST"])
        router.add_api_route("/audit", self.audit, methods=["GET"])

        async def openapi() -> Json:
            """This description."""
            return Json(get_openapi(title=self._desk.pages.frame.title, version="1", routes=router.routes))

        router.add_api_route("/openapi.json", openapi, methods=["GET"], include_in_schema=False)
        return router

    # -- looking ---------------------------------------------------------------------------------

    async def tasks(self, q: Text = "", limit: Limit = 50, before: Cursor = None) -> Json:
        """Records that a query means, newest first; `next` is the cursor of the next page."""
        found = await search(self._manager, self._desk.query(q), limit, before)
        items = [self._desk.show(record) for record in found.records]
        return Json({"items": items, "next": found.after, "looked_at": found.looked_at})

    async def task(self, task_id: str) -> Json:
        """One record with its logs and attempts."""
        return Json(self._desk.show_whole(await self._desk.actions.known(task_id)))

    async def errors(self) -> Json:
        """The newest failures in groups."""
        return Json(
            {
                "items": [
                    {
                        "fingerprint": one.fingerprint,
                        "kind": one.kind,
                        "error": one.error,
                        "functions": list(one.functions),
                        "count": one.count,
                        "first": one.first.isoformat(),
                        "last": one.last.isoformat(),
                        "newest_task_id": one.newest.id,
                    }
                    for one in await grouped(await self._desk.sampler.failed())
                ]
            }
        )

    async def functions(self) -> Json:
        """The declared functions, with figures from the newest finished records."""
        known = {one.func: one for one in stats.by_function(await self._desk.sampler.finished())}
        items: list[dict[str, Any]] = []
        for definition in self._manager.registry:
            one = known.get(definition.identity)
            figures = {"runs": one.runs, "failure_rate": one.failure_rate, "run": asdict(one.run)} if one else None
            items.append(
                {
                    "func": definition.identity,
                    "func_name": definition.display_name,
                    "executor": definition.executor,
                    "figures": figures,
                }
            )
        return Json({"items": items})

    async def schedules(self, limit: Limit = 50, after: Text = "") -> Json:
        """Schedules and intervals by name; `next` is the cursor (`after`) of the next page."""
        found = await self._manager.schedules(limit=limit + 1, after=after or None)
        cursor = found[limit - 1].name if len(found) > limit else None
        return Json({"items": [one.to_dict() for one in found[:limit]], "next": cursor})

    async def scheduled(self, before: datetime | None = None, limit: Limit = 50) -> Json:
        """What is to run once, earliest first, up to a year ahead unless told otherwise; `more` where it is not all."""
        found = await self._manager.list_scheduled(before, limit=limit + 1)
        return Json({"items": [one.to_dict() for one in found[:limit]], "more": len(found) > limit})

    async def queues(self) -> Json:
        """What waits and runs in each queue, and what it allows."""
        return Json({"items": [one.to_dict() for one in await self._manager.queues()]})

    async def instances(self) -> Json:
        """The processes, and what each holds."""
        items = [
            {
                "id": one.id,
                "host": one.host,
                "pid": one.pid,
                "started_at": one.started.isoformat(),
                "last_sign": one.beat.isoformat(),
                "alive": not one.is_late,
                "draining": one.is_draining,
                "version": one.version,
                "slots": {lane.name: {"busy": lane.busy, "limit": lane.limit} for lane in one.slots},
                "running": one.running,
                "waiting": one.waiting,
            }
            for one in await list_instances(self._desk)
        ]
        return Json({"items": items})

    async def locks(self) -> Json:
        """Who holds what, and who waits."""
        now = time.time()
        items = [
            {
                "key": lease.key,
                "holder": lease.holder,
                "token": lease.fence,
                "since": datetime.fromtimestamp(lease.taken_at, UTC).isoformat(),
                "seconds_left": round(lease.time_left(now), 3),
                "waiting": list(lease.waiting),
            }
            for lease in await self._manager.backend.leases.held(now)
            if not lease.key.startswith(PREFIX)
        ]
        return Json({"items": items})

    async def audit(self, limit: Limit = 50, before: Cursor = None) -> Json:
        """What people did, newest first."""
        entries = await self._manager.backend.notes(limit + 1, before)
        after = entries[limit - 1].id if len(entries) > limit else None
        return Json({"items": [entry.to_dict() for entry in entries[:limit]], "next": after})

    # -- acting ----------------------------------------------------------------------------------

    async def retry(self, user: Visitor, task_id: str) -> Json:
        """Run an ended record again, under its id."""
        return Json(self._desk.show(await self._desk.actions.retry(user, task_id)))

    async def cancel(self, user: Visitor, task_id: str) -> Json:
        """Cancel what has not started, ask what runs to end."""
        return Json(self._desk.show(await self._desk.actions.cancel(user, task_id)))

    async def bulk(self, user: Visitor, what: Bulk) -> Json:
        """Retry or cancel many; with `dry_run` count them."""
        actions = self._desk.actions
        await actions.access.check(user, f"task.{what.action}")
        if (what.ids is None) == (what.q is None):
            raise HTTPException(400, "give ids, or a query as q; one of them")
        if what.ids is not None:
            records, is_all = await chosen(self._manager, what.ids, STATUSES[what.action]), True
        else:
            query = narrowed(self._desk.query(what.q or ""), STATUSES[what.action])
            records, is_all = await every_match(self._manager, query, MOST)
        if what.dry_run:
            return Json({"matching": len(records), "is_all": is_all})
        act = actions.retry_many if what.action == "retry" else actions.cancel_many
        result = await act(user, records)
        return Json({"done": list(result.done), "skipped": list(result.skipped), "is_all": is_all})

    async def pause(self, user: Visitor, name: str) -> Json:
        """Let a schedule fire no more."""
        return Json({"changed": await self._desk.actions.pause(user, name)})

    async def resume(self, user: Visitor, name: str) -> Json:
        """Let a schedule go on."""
        return Json({"changed": await self._desk.actions.resume(user, name)})

    async def run(self, user: Visitor, name: str) -> Json:
        """Run the function of a schedule now."""
        return Json({"task_id": await self._desk.actions.trigger(user, name)})

    async def change(self, user: Visitor, name: str, timings: Timings) -> Json:
        """Give a schedule another timing, in all instances; what is left out stays."""
        return Json((await self._desk.actions.change_schedule(user, name, timings.options())).to_dict())

    async def reset(self, user: Visitor, name: str) -> Json:
        """Let a schedule that was changed fire as the code says."""
        return Json((await self._desk.actions.reset_schedule(user, name)).to_dict())

    async def remove(self, user: Visitor, name: str) -> Json:
        """Forget a schedule that this application does not declare; its records stay."""
        await self._desk.actions.remove_schedule(user, name)
        return Json({"removed": True})

    async def drain(self, user: Visitor, instance: str) -> Json:
        """Let an instance take no new work; `changed` is false where it was asked already, or there is none."""
        return Json({"changed": await self._desk.actions.drain(user, instance)})

    async def resume_instance(self, user: Visitor, instance: str) -> Json:
        """Let an instance take work again."""
        return Json({"changed": await self._desk.actions.resume_instance(user, instance)})

    async def cancel_scheduled(self, user: Visitor, run_key: str) -> Json:
        """Cancel what is to run once under this key."""
        await self._desk.actions.cancel_scheduled(user, run_key)
        return Json({"cancelled": True})

    async def pause_queue(self, user: Visitor, name: str) -> Json:
        """Let no more tasks of a queue start."""
        return Json({"changed": await self._desk.actions.pause_queue(user, name)})

    async def resume_queue(self, user: Visitor, name: str) -> Json:
        """Let the tasks of a queue start again."""
        return Json({"changed": await self._desk.actions.resume_queue(user, name)})

    async def change_queue(self, user: Visitor, name: str, limits: Limits) -> Json:
        """Change what a queue allows; what is left out stays, null is no limit."""
        return Json(await self._desk.actions.change_queue(user, name, limits.changes()))

    async def release(self, user: Visitor, what: Release) -> Json:
        """Take a lease from whoever holds it."""
        return Json({"released": await self._desk.actions.release(user, what.key, what.reason)})
