"""What the admin can do, for its pages and its API alike. Every action is checked, done, and noted."""

import asyncio
import json
import logging
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from uuid_utils import uuid7

from outlive.admin.access import Access, AdminUser
from outlive.admin.sessions import PREFIX
from outlive.core.audit import AuditEntry
from outlive.core.record import TaskRecord
from outlive.core.states import REQUEUABLE, TaskStatus
from outlive.definitions.schedule import TimingOptions
from outlive.errors import (
    BackendUnavailableError,
    EncryptionError,
    TaskArgumentError,
    TaskConflictError,
    TaskStateError,
    UnknownTaskError,
)
from outlive.manager import TaskManager
from outlive.runtime.pruner import BATCH, PRUNED
from outlive.runtime.queue_control import QueueChanges
from outlive.runtime.schedule_info import ScheduleInfo

#: How many records one action may be done to.
MOST = 10_000
#: Written together.
_TOGETHER = 500
#: What a change of a schedule may change.
_TIMING = ("trigger", "timezone", "misfire", "grace", "overlap", "jitter")

_log = logging.getLogger("outlive.admin")


@dataclass(frozen=True, slots=True)
class Result:
    """What became of an action on many."""

    done: Sequence[str]
    skipped: Sequence[str]


class Actions:
    """Acts for somebody whom the guard has let in."""

    def __init__(self, manager: TaskManager, access: Access) -> None:
        self._manager = manager
        self.access = access

    async def known(self, task_id: str) -> TaskRecord:
        """One record with logs and attempts; `UnknownTaskError` where there is none."""
        record = await self._manager.get(task_id)
        if record is None:
            raise UnknownTaskError(f"there is no task {task_id!r}")
        return record

    # -- one task --------------------------------------------------------------------------------

    async def retry(self, user: AdminUser, task_id: str) -> TaskRecord:
        """Run an ended record again, under its id."""
        await self.access.check(user, "task.retry", task_id)
        record = await self.known(task_id)
        if record.is_final:
            self.check_rebuilds(record)
        await self._manager.requeue(task_id)
        await self.note(user, "task.retry", task_id, before=record.status, after=TaskStatus.PENDING)
        return await self.known(task_id)

    async def cancel(self, user: AdminUser, task_id: str) -> TaskRecord:
        """Cancel what has not started, ask what runs to end."""
        await self.access.check(user, "task.cancel", task_id)
        record = await self.known(task_id)
        if record.is_final or not await self._manager.cancel(task_id, f"cancelled by {user.name}"):
            raise TaskStateError(f"task {task_id} has already ended; there is nothing to cancel")
        now = await self.known(task_id)
        await self.note(user, "task.cancel", task_id, before=record.status, after=now.status)
        return now

    async def run_edited(self, user: AdminUser, task_id: str, arguments: str) -> str:
        """Accept a new run of the same function with other arguments; its id."""
        await self.access.check(user, "task.edit", task_id)
        record = await self.known(task_id)
        definition = self._manager.registry.find(record.func)
        if definition is None:
            raise TaskConflictError(f"this application declares no task {record.func!r}; declare it and try again")
        try:
            args, kwargs = definition.codec.decode(arguments)
        except (TypeError, ValueError) as error:
            raise TaskArgumentError(f"{record.func_name} does not take these arguments: {error}") from error
        tags = dict(record.tags)
        task = await self._manager.using(tags=tags, name=record.label).enqueue(definition.func, *args, **kwargs)
        await self.note(user, "task.edit", task_id, new_task=task.id)
        return task.id

    # -- many tasks ------------------------------------------------------------------------------

    async def retry_many(self, user: AdminUser, records: Sequence[TaskRecord]) -> Result:
        """Run those again that have ended and that this application can rebuild."""
        await self.access.check(user, "task.retry")
        ready = [record.id for record in records if record.status in REQUEUABLE and self._rebuilds(record)]
        answers: list[bool] = []
        for chunk in _chunks(ready):
            answers += await self._manager.requeue_many(chunk)
        return await self._noted(user, "task.retry", records, zip(ready, answers, strict=True))

    async def cancel_many(self, user: AdminUser, records: Sequence[TaskRecord]) -> Result:
        """Cancel those that have not ended."""
        await self.access.check(user, "task.cancel")
        live = [record.id for record in records if not record.is_final]
        answers: list[bool] = []
        for chunk in _chunks(live):
            cancels = (self._manager.cancel(task_id, f"cancelled by {user.name}") for task_id in chunk)
            answers += [answer is True for answer in await asyncio.gather(*cancels, return_exceptions=True)]
        return await self._noted(user, "task.cancel", records, zip(live, answers, strict=True))

    async def _noted(
        self, user: AdminUser, action: str, records: Sequence[TaskRecord], answers: Iterable[tuple[str, bool]]
    ) -> Result:
        done = [task_id for task_id, was_done in answers if was_done]
        acted = set(done)
        skipped = [record.id for record in records if record.id not in acted]
        await self.note(user, action, None, done=len(done), skipped=len(skipped), tasks=done[:100])
        return Result(done, skipped)

    # -- schedules, locks, history ---------------------------------------------------------------

    async def pause(self, user: AdminUser, name: str) -> bool:
        """Let a schedule fire no more; False where it is paused already."""
        await self.access.check(user, "schedule.pause", name)
        changed = await self._manager.pause_schedule(name)
        await self.note(user, "schedule.pause", name, changed=changed)
        return changed

    async def resume(self, user: AdminUser, name: str) -> bool:
        """Let a schedule go on; False where it is not paused."""
        await self.access.check(user, "schedule.resume", name)
        changed = await self._manager.resume_schedule(name)
        await self.note(user, "schedule.resume", name, changed=changed)
        return changed

    async def trigger(self, user: AdminUser, name: str) -> str:
        """Run the function of a schedule now; the id of the run."""
        await self.access.check(user, "schedule.run", name)
        task = await self._manager.trigger_schedule(name)
        await self.note(user, "schedule.run", name, new_task=task.id)
        return task.id

    async def change_schedule(self, user: AdminUser, name: str, timing: TimingOptions) -> ScheduleInfo:
        """Give a schedule another timing, in all instances; how it is then."""
        await self.access.check(user, "schedule.change", name)
        before = await self._manager.schedule_info(name, runs=0)
        return await self._noted_timing(
            user, "schedule.change", before, await self._manager.change_schedule(name, **timing)
        )

    async def reset_schedule(self, user: AdminUser, name: str) -> ScheduleInfo:
        """Let a schedule that was changed fire as the code says; how it is then."""
        await self.access.check(user, "schedule.reset", name)
        before = await self._manager.schedule_info(name, runs=0)
        return await self._noted_timing(user, "schedule.reset", before, await self._manager.reset_schedule(name))

    async def _noted_timing(
        self, user: AdminUser, action: str, before: ScheduleInfo, after: ScheduleInfo
    ) -> ScheduleInfo:
        was, now = before.to_dict(), after.to_dict()
        changed = [key for key in _TIMING if was[key] != now[key]]
        was_now = {"before": {key: was[key] for key in changed}, "after": {key: now[key] for key in changed}}
        await self.note(user, action, before.name, **was_now)
        return after

    async def remove_schedule(self, user: AdminUser, name: str) -> None:
        """Forget a schedule that this application does not declare; its records stay."""
        await self.access.check(user, "schedule.remove", name)
        before = await self._manager.schedule_info(name, runs=0)
        await self._manager.remove_schedule(name)
        await self.note(user, "schedule.remove", name, func=before.func, trigger=before.trigger)

    async def cancel_scheduled(self, user: AdminUser, run_key: str) -> None:
        """Cancel the run that waits under a key; `UnknownTaskError` where none does (any more)."""
        await self.access.check(user, "scheduled.cancel", run_key)
        if not await self._manager.cancel_scheduled(run_key):
            raise UnknownTaskError(f"nothing waits under run_key={run_key!r} (any more); see manager.list_scheduled()")
        await self.note(user, "scheduled.cancel", run_key)

    async def pause_queue(self, user: AdminUser, name: str) -> bool:
        """Let no more tasks of a queue start; False where it is paused already."""
        await self.access.check(user, "queue.pause", name)
        changed = await self._manager.pause_queue(name)
        await self.note(user, "queue.pause", name, changed=changed)
        return changed

    async def resume_queue(self, user: AdminUser, name: str) -> bool:
        """Let the tasks of a queue start again; False where it is not paused."""
        await self.access.check(user, "queue.resume", name)
        changed = await self._manager.resume_queue(name)
        await self.note(user, "queue.resume", name, changed=changed)
        return changed

    async def change_queue(self, user: AdminUser, name: str, changes: QueueChanges) -> dict[str, Any]:
        """Change what a queue allows, in all instances; how it is then."""
        await self.access.check(user, "queue.change", name)
        before = {one.name: one.to_dict() for one in await self._manager.queues()}.get(name, {})
        after = await self._manager.update_queue_config(name, **changes)
        was = {key: before.get(key) for key in changes}
        await self.note(user, "queue.change", name, before=was, after={key: after[key] for key in changes})
        return after

    async def drain(self, user: AdminUser, instance: str) -> bool:
        """Ask an instance to take no new work; False where it was asked already, or there is none."""
        await self.access.check(user, "instance.drain", instance)
        changed = await self._manager.drain_instance(instance)
        await self.note(user, "instance.drain", instance, changed=changed)
        return changed

    async def resume_instance(self, user: AdminUser, instance: str) -> bool:
        """Let an instance take work again; False where it does."""
        await self.access.check(user, "instance.resume", instance)
        changed = await self._manager.resume_instance(instance)
        await self.note(user, "instance.resume", instance, changed=changed)
        return changed

    async def release(self, user: AdminUser, key: str, reason: str) -> bool:
        """Take a lease from whoever holds it; False where nobody does."""
        await self.access.check(user, "lock.release", key)
        if key.startswith(PREFIX):
            return False
        leases, now = self._manager.backend.leases, time.time()
        held = await leases.held(now, key)
        released = await leases.force(key, f"{user.name}: {reason}", now)
        if released:
            holder, token = (held[0].holder, held[0].fence) if held else (None, None)
            await self.note(user, "lock.release", key, holder=holder, token=token, reason=reason)
        return released

    async def delete_history(self, user: AdminUser, before: datetime) -> int:
        """Delete finished records that ended before this moment, interrupted ones excepted; how many."""
        await self.access.check(user, "history.delete")
        deleted = 0
        while True:
            count = await self._manager.backend.prune(PRUNED, before.timestamp(), BATCH)
            deleted += count
            if count < BATCH:
                break
        await self.note(user, "history.delete", None, ended_before=before.isoformat(), deleted=deleted)
        return deleted

    # -- what was done ---------------------------------------------------------------------------

    async def note(self, user: AdminUser, action: str, target: str | None, **detail: Any) -> None:
        """Keep what was done. It has happened: a backend that cannot keep it is reported, not raised."""
        entry = AuditEntry(str(uuid7()), time.time(), user.name, action, target, detail)
        try:
            await self._manager.backend.note(entry)
        except BackendUnavailableError:
            _log.exception("cannot keep in the audit what was done: %s", json.dumps(entry.to_dict()))

    # -- whether it can be -----------------------------------------------------------------------

    def _rebuilds(self, record: TaskRecord) -> bool:
        try:
            self.check_rebuilds(record)
        except TaskConflictError:
            return False
        return True

    def check_rebuilds(self, record: TaskRecord) -> None:
        """A record that nothing here could run would wait for ever; the person who asks had better know."""
        definition = self._manager.registry.find(record.func)
        if definition is None:
            raise TaskConflictError(
                f"task {record.id} cannot run again: this application declares no task {record.func!r} (renamed or "
                f"removed?); declare the function under that name and retry"
            )
        if record.arguments is None:
            return  # the backend refuses it, and the manager says why
        try:
            definition.codec.decode(record.arguments)
        except EncryptionError as error:
            raise TaskConflictError(
                f"task {record.id} cannot run again, because its arguments cannot be read: {error}"
            ) from error
        except (TypeError, ValueError) as error:
            raise TaskConflictError(
                f"task {record.id} cannot run again: {record.func} no longer takes its arguments ({error}); let the "
                f"function accept them and retry"
            ) from error


def _chunks(ids: Sequence[str]) -> Iterable[Sequence[str]]:
    return (ids[at : at + _TOGETHER] for at in range(0, len(ids), _TOGETHER))
