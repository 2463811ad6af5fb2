"""The backend: each verb of the port, handed to the thread that does it."""

import asyncio
import json
import os
import sqlite3
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any, Literal, TypeVar

from outlive.backends.lists import list_for
from outlive.backends.presence import Presence
from outlive.backends.sqlite import handover, queues, rows, schedules, schema
from outlive.backends.sqlite.batches import NotAllTookEffectError, apply_carefully, apply_fast
from outlive.backends.sqlite.leases import SqliteLeases
from outlive.backends.sqlite.link import Link
from outlive.backends.sqlite.pipes import Pipes
from outlive.backends.sqlite.statements import sql
from outlive.backends.sqlite.worker import Workers
from outlive.backends.sqlite.writer import Writer, forked
from outlive.core.audit import AuditEntry
from outlive.core.filter import Page, TaskFilter
from outlive.core.moves import Enqueue, Move
from outlive.core.queues import QueueDepth, QueueState
from outlive.core.record import TaskRecord
from outlive.core.schedule import Gap, ScheduleEntry, ScheduleState
from outlive.core.states import TaskStatus
from outlive.errors import BackendError, BackendUnavailableError, ConfigError
from outlive.ports import Claim, Due, Instance, InstanceState, Layout, Notifier, Rescue, Statement, Wanted

W = TypeVar("W", bound=Workers[Any])

#: Above every text, since SQLite sorts blobs after texts: the page before it is the first.
_AFTER_ALL = b""


class SqliteBackend:
    """Keeps records in a SQLite file, which the processes of one host may share.

    `db_path`: the file; it is created, its folder is not. Beside it appear `-wal` and `-shm` of SQLite, lock files
    `-outlive-writer` and `-outlive-writer-next`, and a folder `.instances` with locks and named pipes.
    `synchronous`: "FULL", the default, survives power loss; "NORMAL" saves the fsync of each commit and survives the
    death of processes.
    `busy_timeout`: seconds to wait for the transactions of other processes, default 5.
    `max_readers`: threads for reading, default 2.
    """

    durable = True

    def __init__(
        self,
        db_path: str | Path = "tasks.db",
        *,
        synchronous: Literal["FULL", "NORMAL"] = "FULL",
        busy_timeout: float = 5.0,
        max_readers: int = 2,
    ) -> None:
        if str(db_path) in ("", ":memory:"):
            raise ConfigError(f"db_path={str(db_path)!r} is no file; use MemoryBackend to keep records in memory")
        if synchronous not in ("FULL", "NORMAL"):
            raise ConfigError(f'synchronous={synchronous!r} is not known; use "FULL" or "NORMAL"')
        if max_readers < 1:
            raise ConfigError(f"max_readers={max_readers} leaves nobody to read; use 1 or more")
        # Absolute now, so that a later change of the working directory cannot split the file from its locks.
        self.path = Path(db_path).absolute()
        self._synchronous = synchronous
        self._busy_timeout = busy_timeout
        self._max_readers = max_readers
        folder = Path(f"{self.path}.instances")
        self._presence = Presence(folder)
        self._pipes = Pipes(folder)
        self._pid = os.getpid()
        self._writers: Workers[Writer] | None = None
        self._readers: Workers[Link] | None = None
        #: Locks and leaderships of the processes of this host.
        self.leases = SqliteLeases(lambda: self._writing, lambda: self._reading, self._pipes)

    @property
    def notifier(self) -> Notifier:
        """What carries hints to the other processes."""
        return self._pipes.hints

    async def open(self) -> None:
        """Create the file if there is none, bring its schema up to date and start the threads."""
        if self._writers is not None:
            self._here(self._writers)
            return
        self._pid = os.getpid()
        writers = Workers("outlive-sqlite-writer", [Writer(self.path, self._synchronous, self._busy_timeout)])
        try:
            await writers.call(Writer.prepare)
        except BaseException:
            await writers.stop()
            raise
        self._writers = writers
        self._readers = Workers("outlive-sqlite-reader", [self._reader() for _ in range(self._max_readers)])
        await self._pipes.open()

    async def close(self) -> None:
        """Forget the instances that joined here and end the threads."""
        writers, readers = self._writers, self._readers
        if writers is None or readers is None or self._pid != os.getpid():
            return
        await self.leases.close()
        await self._pipes.close()
        try:
            await writers.call(self._leave_all)
        except BackendUnavailableError:
            pass  # without their locks the instances are seen to be dead, which is as good
        finally:
            self._writers = self._readers = None
            await readers.stop()
            await writers.stop()

    async def layout(self) -> Layout:
        """Look at the schema of the file."""
        return await asyncio.to_thread(self._layout)

    def _layout(self) -> Layout:
        if self.path.parent.is_dir() and not self.path.exists():
            return schema.layout(None, self.path)
        link = self._reader()
        try:
            return link.use(partial(schema.layout, path=self.path))
        finally:
            link.close()

    async def exposures(self) -> Sequence[str]:
        """What the way of writing lets be lost."""
        if self._synchronous == "FULL":
            return []
        return ["synchronous=NORMAL: a power cut may lose the last moments; FULL, the default, keeps them"]

    # -- writing ---------------------------------------------------------------------------------

    def apply(self, moves: Sequence[Move]) -> Awaitable[Sequence[bool]]:
        """Apply the moves as one transaction."""
        return self._writing.call(lambda writer: _apply(writer, moves))

    def accepting(self, facts: Enqueue) -> list[Statement]:
        """Accept a record on a connection of the caller's to this file."""
        return handover.accepting(facts)

    async def claim(self, wanted: Wanted) -> Claim:
        """Hand over due unowned records."""
        return await self._writing.call(lambda writer: _claim(writer, wanted))

    async def explain(self, functions: Collection[str], reason: str) -> int:
        """Say why records of unknown functions wait."""
        return await self._writing.call(lambda writer: _explain(writer, functions, reason))

    async def rescue(self, instance: str, now: float, reason: str, *, if_lost: bool = False) -> Rescue:
        """Take everything from a dead instance."""
        taking = self._take_if_lost if if_lost else handover.rescue
        return await self._writing.call(
            lambda writer: self._rescue(writer, lambda connection: taking(connection, instance, now, reason), instance)
        )

    async def prune(
        self,
        statuses: Collection[TaskStatus],
        before: float,
        limit: int,
        functions: Collection[str] | None = None,
        without: Collection[str] = (),
    ) -> int:
        """Delete old ended records."""
        return await self._change(
            "prune",
            statuses=handover.json_list(statuses),
            before=before,
            limit=limit,
            functions=None if functions is None else handover.json_list(functions),
            without=handover.json_list(without),
        )

    # -- reading ---------------------------------------------------------------------------------

    async def get(self, task_id: str) -> TaskRecord | None:
        """One record."""
        found = await self._query("get", id=task_id)
        return None if found is None else rows.whole_record(*found)

    async def find(self, conditions: TaskFilter, page: Page) -> Sequence[TaskRecord]:
        """A page of records, newest first."""
        statuses = None if conditions.statuses is None else handover.json_list(conditions.statuses)
        found = await self._query(
            list_for(conditions),
            statuses=statuses,
            func=conditions.func,
            queue=conditions.queue,
            source=conditions.source,
            schedule=conditions.schedule,
            before=_AFTER_ALL if page.before is None else page.before,
            limit=max(page.limit, 0),
        )
        assert found is not None
        return rows.records(found[0])

    async def planned(self, before: float, limit: int) -> Sequence[TaskRecord]:
        """What is to run once, earliest first."""
        found = await self._query("planned", before=before, limit=limit)
        assert found is not None
        return rows.records(found[0])

    async def counts(self) -> Mapping[TaskStatus, int]:
        """How many records have each status."""
        found = await self._query("counts")
        assert found is not None
        return {TaskStatus(status): count for status, count in json.loads(found[0]).items()}

    async def asked_to_cancel(self, owner: str) -> Mapping[str, str | None]:
        """What an owner was asked to cancel and has not ended yet."""
        found = await self._query("asked_to_cancel", owner=owner)
        assert found is not None
        asked: dict[str, str | None] = json.loads(found[0])
        return asked

    # -- schedules -------------------------------------------------------------------------------

    async def register(self, entries: Sequence[ScheduleEntry], now: float) -> None:
        """Take over what an instance declares."""
        await self._writing.call(
            lambda writer: writer.write(lambda connection: schedules.register(connection, entries, now))
        )

    async def due(self, now: float, limit: int, without: Collection[str] = ()) -> Due:
        """What is due, earliest first."""
        found = await self._query("schedule_due", now=now, limit=limit, without=handover.json_list(without))
        assert found is not None
        due, next_at = found
        return Due(schedules.states(due), next_at)

    async def schedules(self, names: Collection[str] | None = None) -> Sequence[ScheduleState]:
        """All schedules, or those with these names, by name."""
        if names is None:
            found = await self._query("schedule_list")
        else:
            found = await self._query("schedule_named", names=handover.json_list(names))
        assert found is not None
        return schedules.states(found[0])

    async def pause(self, schedule: str, next_at: float | None, *, paused: bool) -> bool:
        """Pause or resume."""
        return await self._change("schedule_pause", name=schedule, paused=paused, next_at=next_at) > 0

    async def put(self, entry: ScheduleEntry, *, new: bool) -> bool:
        """Add or change a schedule at run time."""
        return await self._writing.call(
            lambda writer: writer.write(lambda connection: schedules.put(connection, entry, new=new))
        )

    async def remove(self, schedule: str) -> bool:
        """Forget a schedule."""
        return await self._change("schedule_remove", name=schedule) > 0

    async def gaps(self, schedule: str, limit: int) -> Sequence[Gap]:
        """The newest gaps."""
        found = await self._query("schedule_gaps", name=schedule, limit=limit)
        assert found is not None
        return schedules.gaps(found[0])

    # -- queues ----------------------------------------------------------------------------------

    async def queues(self) -> Sequence[QueueState]:
        """What was set at run time."""
        found = await self._query("queue_list")
        assert found is not None
        return queues.states(found[0])

    async def set_queue(self, state: QueueState) -> None:
        """Set a queue, or forget it."""
        query, values = queues.setting(state)
        await self._change(query, **values)

    async def depths(self) -> Mapping[str, QueueDepth]:
        """What is live in each queue."""
        found = await self._query("queue_depths")
        assert found is not None
        return queues.depths(found[0])

    # -- instances -------------------------------------------------------------------------------

    async def join(self, instance: Instance, now: float) -> None:
        """Announce an instance and hold its lock."""
        await self._writing.call(lambda writer: self._join(writer, instance, now))

    async def beat(self, instance: str, now: float) -> bool:
        """Renew a lease, and see whether the lock still has its file."""
        await self._writing.call(lambda _: self._presence.keep(instance))
        return await self._change("beat", id=instance, now=now) > 0

    async def lost(self, now: float, lease: float, asking: str) -> Sequence[str]:
        """Instances whose lock is free, any that has not beaten for its lease, and forgotten owners."""
        return await self._reading.call(lambda reader: self._lost(reader, now, lease, asking))

    async def instances(self) -> Sequence[InstanceState]:
        """The instances that have joined."""
        found = await self._query("instance_list")
        assert found is not None
        return rows.instances(found[0])

    async def drain(self, instance: str, *, draining: bool) -> bool:
        """Ask an instance to take no new work, or to again."""
        return await self._change("instance_drain", id=instance, draining=draining) > 0

    async def asked_to_drain(self, instance: str) -> bool:
        """Whether it was asked."""
        found = await self._query("asked_to_drain", id=instance)
        return found is not None and bool(found[0])

    # -- what people did -------------------------------------------------------------------------

    async def note(self, entry: AuditEntry) -> None:
        """Keep what somebody did."""
        await self._change("note", **asdict(entry) | {"detail": json.dumps(dict(entry.detail))})

    async def notes(self, limit: int, before: str | None = None, target: str | None = None) -> Sequence[AuditEntry]:
        """What was done, newest first."""
        found = await self._query(
            "notes" if target is None else "notes_of_target",
            limit=max(limit, 0),
            before=_AFTER_ALL if before is None else before,
            target=target,
        )
        assert found is not None
        return rows.notes(found[0])

    async def forget_notes(self, before: float, limit: int) -> int:
        """Delete old ones."""
        return await self._change("forget_notes", before=before, limit=max(limit, 0))

    # -- in the threads --------------------------------------------------------------------------

    def _join(self, writer: Writer, instance: Instance, now: float) -> None:
        try:
            self._presence.hold(instance.id)
        except OSError as error:
            raise BackendUnavailableError(
                f"cannot lock a file in {self.path}.instances: {error}; let this process write that folder"
            ) from error
        writer.write(partial(_changed, query="join", values=rows.joining(instance) | {"now": now}))

    def _leave(self, writer: Writer, instance: str) -> None:
        writer.write(partial(_changed, query="leave", values={"id": instance}))
        self._presence.remove(instance)

    def _leave_all(self, writer: Writer) -> None:
        try:
            for instance in self._presence.instances:
                self._leave(writer, instance)
        finally:
            self._presence.drop_all()

    def _rescue(self, writer: Writer, taking: Callable[[sqlite3.Connection], Rescue], instance: str) -> Rescue:
        rescued = writer.write(taking)
        if not rescued.is_alive:
            self._presence.remove(instance)
        return rescued

    def _take_if_lost(self, connection: sqlite3.Connection, instance: str, now: float, reason: str) -> Rescue:
        found: tuple[bool] | None = connection.execute(sql("sign_of_life"), {"id": instance, "now": now}).fetchone()
        if found is not None and not self._presence.lost([(instance, found[0])]):
            return Rescue(is_alive=True)
        return handover.rescue(connection, instance, now, reason)

    def _lost(self, reader: Link, now: float, lease: float, asking: str) -> list[str]:
        values = {"now": now, "lease": lease, "asking": asking}
        neighbours = reader.use(partial(_one, query="neighbours", values=values))
        orphans = reader.use(partial(_one, query="orphans", values=values))
        assert neighbours is not None
        assert orphans is not None
        return [*self._presence.lost(json.loads(neighbours[0])), *json.loads(orphans[0])]

    # -- threads ---------------------------------------------------------------------------------

    @property
    def _writing(self) -> Workers[Writer]:
        return self._here(self._writers)

    @property
    def _reading(self) -> Workers[Link]:
        return self._here(self._readers)

    def _here(self, workers: W | None) -> W:
        if workers is None:
            raise BackendError(f"the backend on {self.path} is not open; await its open() first")
        if self._pid != os.getpid():
            raise forked(self.path)
        return workers

    def _reader(self) -> Link:
        return Link(self.path, self._synchronous, self._busy_timeout, reads_only=True)

    async def _change(self, query: str, **values: object) -> int:
        return await self._writing.call(lambda writer: writer.write(partial(_changed, query=query, values=values)))

    async def _query(self, query: str, **values: object) -> tuple[Any, ...] | None:
        return await self._reading.call(lambda reader: reader.use(partial(_one, query=query, values=values)))


def _apply(writer: Writer, moves: Sequence[Move]) -> list[bool]:
    try:
        return writer.write(lambda connection: apply_fast(connection, moves))
    except NotAllTookEffectError:
        return writer.write(lambda connection: apply_carefully(connection, moves))


def _claim(writer: Writer, wanted: Wanted) -> Claim:
    # An idle instance need not take the write lock to learn that there is nothing.
    found, next_at = writer.read(lambda connection: handover.pick(connection, wanted, min(wanted.limit, 1)))
    if found == "[]":
        return Claim([], next_at)
    return writer.write_unsynced(lambda connection: handover.claim(connection, wanted))


def _explain(writer: Writer, functions: Collection[str], reason: str) -> int:
    waiting, silent = writer.read(lambda connection: handover.unexplained(connection, functions, reason))
    if not silent:
        return waiting
    return writer.write(lambda connection: handover.explain(connection, functions, reason))


def _changed(connection: sqlite3.Connection, query: str, values: Mapping[str, object]) -> int:
    return connection.execute(sql(query), dict(values)).rowcount


def _one(connection: sqlite3.Connection, query: str, values: Mapping[str, object]) -> tuple[Any, ...] | None:
    found: tuple[Any, ...] | None = connection.execute(sql(query), dict(values)).fetchone()
    return found
