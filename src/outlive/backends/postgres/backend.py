"""The backend: each verb of the port, as a statement on the connection it belongs to."""

import asyncio
import json
from collections import Counter
from collections.abc import Awaitable, Collection, Mapping, Sequence
from dataclasses import asdict
from typing import Any
from uuid import uuid4

import asyncpg

from outlive.backends import presence
from outlive.backends.lists import list_for
from outlive.backends.postgres import handed, server_time
from outlive.backends.postgres.connections import Connections, Lane
from outlive.backends.postgres.leases import PostgresLeases
from outlive.backends.postgres.listener import Listener
from outlive.backends.postgres.rows import Reader, queue, schedule
from outlive.backends.postgres.schema import layout, prepare, quoted
from outlive.backends.postgres.server_time import ServerTime
from outlive.backends.postgres.statements import query
from outlive.backends.postgres.writer import Claims, Writer, take_all, unhindered
from outlive.core.audit import AuditEntry
from outlive.core.filter import Page, TaskFilter
from outlive.core.moves import Enqueue, Move
from outlive.core.queues import QueueConfig, QueueDepth, QueueState
from outlive.core.record import TaskRecord
from outlive.core.schedule import Gap, ScheduleEntry, ScheduleState
from outlive.core.states import LIVE, TaskStatus
from outlive.errors import BackendError, BackendUnavailableError
from outlive.ports import Claim, Due, Instance, InstanceState, Layout, Notifier, Rescue, Statement, Wanted

#: Above every id, so the page before it is the first.
_AFTER_ALL = chr(0x10FFFF)


class PostgresBackend:
    """Keeps records in PostgreSQL 13 or newer, for any number of instances.

    `source`: the URL of the database, e.g. `postgresql://user:password@host/name` or
    `postgresql:///name?host=/var/run/postgresql`, or a pool of asyncpg that the application keeps open. Of a pool, four
    connections are kept.
    `schema`: where the tables are; it is made if it is not there. Default: the first schema of the `search_path`.
    `max_connections`: at most so many for this process, 8 by default, 5 at least; with a URL.
    """

    durable = True

    def __init__(self, source: "str | asyncpg.Pool", *, schema: str | None = None, max_connections: int = 8) -> None:
        self._source = source
        self._schema = schema
        self._most = max_connections
        #: What a forked child has of its parent: it must neither use nor close it.
        self._of_parent: list[object] = []
        self._is_open = False
        self._equip()

    def _equip(self) -> None:
        settings = {} if self._schema is None else {"search_path": quoted(self._schema)}
        self._connections = Connections(self._source, self._most, settings)
        self._time = ServerTime()
        self._lanes = [Lane(self._connections) for _ in range(3)]
        self._journal, self._claiming, leasing = self._lanes
        self._listener = Listener(self._connections)
        self._instances: set[str] = set()
        self._presence = presence.of_this_user()
        #: Locks and leaderships of all processes on the database.
        self.leases = PostgresLeases(self._connections, leasing, self._listener.hints, self._time)
        self._tables = ""
        self._begin()

    def _begin(self) -> None:
        self._name = uuid4().hex
        self._writer = Writer(self._journal, f"{self._name}:journal", lambda: self._time.ahead)
        self._claims = Claims(self._claiming, f"{self._name}:claims")

    @property
    def notifier(self) -> Notifier:
        """What tells the other processes at once."""
        return self._listener.hints

    async def open(self) -> None:
        """Connect, and bring the schema up to date."""
        if self._connections.is_of_parent:
            self._start_as_child()
        if self._is_open:
            return
        await self._connections.open()
        try:
            async with self._connections.borrowed() as connection:
                schema = await prepare(connection, self._schema)
            await self._learn_time()
            await self._listener.open(schema)
            self._tables = f"{quoted(schema)}."
        except BaseException:
            await self._connections.close()
            raise
        self._is_open = True

    async def layout(self) -> Layout:
        """Look at the schema of the database."""
        await self._connections.open()
        try:
            async with self._connections.borrowed() as connection:
                return await layout(connection, self._schema)
        finally:
            await self._connections.close()

    async def exposures(self) -> Sequence[str]:
        """What the settings of the server let be lost."""
        [settings] = await self._query("durability")
        exposed: list[str] = []
        if settings["fsync"] == "off":
            exposed.append("fsync is off: a crash of the server's machine may lose and damage everything")
        if settings["synchronous_commit"] == "off":
            exposed.append("synchronous_commit is off: a crash of the server may lose the last moments")
        return exposed

    @property
    def clock_ahead(self) -> float:
        """How far the server's clock is ahead."""
        return self._time.ahead

    def _start_as_child(self) -> None:
        if not isinstance(self._source, str):
            raise BackendError(
                "the pool was made before this process was forked, and its connections belong to the parent; start the "
                "manager in the child alone, or give outlive the URL of the database"
            )
        self._of_parent += [self._connections, self._listener, *self._lanes]
        self._is_open = False
        self._equip()

    async def close(self) -> None:
        """Forget the instances that joined here and let go of the connections."""
        if not self._is_open or self._connections.is_of_parent:
            return
        self._is_open = False
        await self._listener.close()
        try:
            await self._change("leave", instances=list(self._instances))
            await asyncio.to_thread(self._presence.remove, *self._instances)
            await self._change("forget_writers", writers=[f"{self._name}:journal", f"{self._name}:claims"])
        except BackendUnavailableError:
            pass  # others find the instances dead or silent, and forget what was written last
        finally:
            self._presence.drop_all()
            self._instances.clear()
            for lane in self._lanes:
                await lane.close()
            await self._connections.close()
            self._begin()

    # -- writing ---------------------------------------------------------------------------------

    def apply(self, moves: Sequence[Move]) -> Awaitable[Sequence[bool]]:
        """Apply the moves as one transaction."""
        return self._writer.apply(moves)

    def accepting(self, facts: Enqueue) -> list[Statement]:
        """Accept a record on a connection of the caller's, whose `search_path` does not matter."""
        return handed.accepting(facts, self._tables)

    async def claim(self, wanted: Wanted) -> Claim:
        """Hand over due unowned records."""
        ahead = self._time.ahead
        rows = await self._claims.claim(
            {
                "owner": wanted.owner,
                "functions": list(wanted.functions),
                "limit": wanted.limit,
                "now": wanted.now + ahead,
                "refused": list(wanted.refused),
                "queues": None if wanted.queues is None else list(wanted.queues),
                "without_queues": list(wanted.without_queues),
            }
        )
        reader = Reader(ahead)
        records = [reader.record(row[1:]) for row in rows if row[1] is not None]
        next_at = rows[0][0] if rows else None
        return Claim(records, None if next_at is None else next_at - ahead)

    async def explain(self, functions: Collection[str], reason: str) -> int:
        """Say why records of unknown functions wait."""
        return int((await self._query("explain", functions=list(functions), reason=reason))[0][0])

    async def rescue(self, instance: str, now: float, reason: str, *, if_lost: bool = False) -> Rescue:
        """Take everything from a dead instance, after what it was just given."""
        values = {"instance": instance, "now": now + self._time.ahead, "reason": reason}
        if_lost = if_lost and not await asyncio.to_thread(self._presence.is_dead, instance)
        rescued = await self._claiming.run(
            lambda connection: unhindered(lambda: take_all(connection, values, if_lost=if_lost))
        )
        if not rescued.is_alive:
            self._instances.discard(instance)
            await asyncio.to_thread(self._presence.remove, instance)
        return rescued

    async def prune(
        self,
        statuses: Collection[TaskStatus],
        before: float,
        limit: int,
        functions: Collection[str] | None = None,
        without: Collection[str] = (),
    ) -> int:
        """Delete old ended records."""
        rows = await self._query(
            "prune",
            statuses=list(statuses),
            before=before + self._time.ahead,
            limit=limit,
            functions=None if functions is None else list(functions),
            without=list(without),
        )
        return int(rows[0][0])

    # -- reading ---------------------------------------------------------------------------------

    async def get(self, task_id: str) -> TaskRecord | None:
        """One record."""
        async with self._connections.borrowed() as connection:
            row = await connection.fetchrow(query("get").text, task_id)
            if row is None:
                return None
            logs = await connection.fetch(query("get_logs").text, row["id"])
            past = await connection.fetch(query("get_history").text, row["id"])
        return Reader(self._time.ahead).whole(row, logs, past)

    async def find(self, conditions: TaskFilter, page: Page) -> Sequence[TaskRecord]:
        """A page of records, newest first."""
        statuses = conditions.statuses
        rows = await self._query(
            list_for(conditions),
            statuses=None if statuses is None else list(statuses),
            live=statuses is None or not LIVE.isdisjoint(statuses),
            waiting=statuses is None or TaskStatus.PENDING in statuses,
            func=conditions.func,
            queue=conditions.queue,
            source=conditions.source,
            schedule=conditions.schedule,
            before=_AFTER_ALL if page.before is None else page.before,
            limit=max(page.limit, 0),
        )
        reader = Reader(self._time.ahead)
        return [reader.record(row) for row in rows]

    async def planned(self, before: float, limit: int) -> Sequence[TaskRecord]:
        """What is to run once, earliest first."""
        reader = Reader(self._time.ahead)
        rows = await self._query("planned", before=before + self._time.ahead, limit=limit)
        return [reader.record(row) for row in rows]

    async def counts(self) -> Mapping[TaskStatus, int]:
        """How many records have each status."""
        counts: Counter[TaskStatus] = Counter()
        for status, count in await self._query("counts"):
            counts[TaskStatus(status)] += count
        return counts

    async def asked_to_cancel(self, owner: str) -> Mapping[str, str | None]:
        """What an owner was asked to cancel and has not ended yet."""
        return {row[0]: row[1] for row in await self._query("asked_to_cancel", owner=owner)}

    # -- schedules -------------------------------------------------------------------------------

    async def register(self, entries: Sequence[ScheduleEntry], now: float) -> None:
        """Take over what an instance declares."""
        values = {
            "names": [entry.name for entry in entries],
            "funcs": [entry.func for entry in entries],
            "rules": [entry.rule for entry in entries],
            "nexts": [entry.next_at for entry in entries],
            "policies": [entry.policy for entry in entries],
            "declared": [entry.declared for entry in entries],
            "paused": [entry.paused for entry in entries],
            "windows": [entry.startup_window for entry in entries],
            "now": now,
        }
        async with self._connections.borrowed() as connection, connection.transaction():
            for step in (query("schedule_register"), query("schedule_startup")):
                await connection.execute(step.text, *step.values(values))

    async def due(self, now: float, limit: int, without: Collection[str] = ()) -> Due:
        """What is due, earliest first."""
        rows = await self._query("schedule_due", now=now, limit=limit, without=list(without))
        return Due([schedule(row[1:]) for row in rows if row[1] is not None], rows[0][0])

    async def schedules(self, names: Collection[str] | None = None) -> Sequence[ScheduleState]:
        """All schedules, or those with these names, by name."""
        if names is None:
            rows = await self._query("schedule_list")
        else:
            rows = await self._query("schedule_named", names=list(names))
        return [schedule(row) for row in rows]

    async def pause(self, schedule: str, next_at: float | None, *, paused: bool) -> bool:
        """Pause or resume."""
        return bool(await self._query("schedule_pause", name=schedule, paused=paused, next_at=next_at))

    async def put(self, entry: ScheduleEntry, *, new: bool) -> bool:
        """Add or change a schedule at run time."""
        return bool(await self._query("schedule_add" if new else "schedule_change", **asdict(entry)))

    async def remove(self, schedule: str) -> bool:
        """Forget a schedule."""
        return bool(await self._query("schedule_remove", name=schedule))

    async def gaps(self, schedule: str, limit: int) -> Sequence[Gap]:
        """The newest gaps."""
        return [Gap(*row) for row in await self._query("schedule_gaps", name=schedule, limit=limit)]

    # -- queues ----------------------------------------------------------------------------------

    async def queues(self) -> Sequence[QueueState]:
        """What was set at run time."""
        return [queue(row) for row in await self._query("queue_list")]

    async def set_queue(self, state: QueueState) -> None:
        """Set a queue, or forget it."""
        if state == QueueState(state.name):
            await self._change("queue_forget", name=state.name)
            return
        given = state.config or QueueConfig()
        await self._change(
            "queue_set",
            name=state.name,
            is_set=state.config is not None,
            concurrency=given.concurrency,
            max_size=given.max_size,
            everywhere=given.global_concurrency,
            paused=state.paused,
        )

    async def depths(self) -> Mapping[str, QueueDepth]:
        """What is live in each queue."""
        return Reader(self._time.ahead).depths(await self._query("queue_depths"))

    # -- instances -------------------------------------------------------------------------------

    async def join(self, instance: Instance, now: float) -> None:
        """Announce an instance and hold its lock, where files can be locked."""
        await asyncio.to_thread(self._presence.hold_if_possible, instance.id)
        ahead = self._time.ahead
        await self._change(
            "join",
            id=instance.id,
            host=instance.host,
            pid=instance.pid,
            started_at=instance.started_at + ahead,
            lease=instance.lease,
            now=now + ahead,
            version=instance.version,
            slots=json.dumps(dict(instance.slots)),
        )
        self._instances.add(instance.id)

    async def beat(self, instance: str, now: float) -> bool:
        """Renew a lease, and see how far the server's clock is ahead and whether the lock still has its file."""
        await self._learn_time()
        await asyncio.to_thread(self._presence.keep, instance)
        return bool(await self._query("beat", instance=instance, now=now + self._time.ahead))

    async def lost(self, now: float, lease: float, asking: str) -> Sequence[str]:
        """Instances that are dead or have not beaten for their lease, and forgotten owners."""
        rows = await self._query("lost", now=now + self._time.ahead, lease=lease, asking=asking)
        return await asyncio.to_thread(self._presence.lost, [(row[0], row[1]) for row in rows])

    async def instances(self) -> Sequence[InstanceState]:
        """The instances that have joined."""
        return Reader(self._time.ahead).instances(await self._query("instance_list"))

    async def drain(self, instance: str, *, draining: bool) -> bool:
        """Ask an instance to take no new work, or to again."""
        return bool(await self._query("instance_drain", instance=instance, draining=draining))

    async def asked_to_drain(self, instance: str) -> bool:
        """Whether it was asked."""
        return any(row[0] for row in await self._query("asked_to_drain", instance=instance))

    # -- what people did -------------------------------------------------------------------------

    async def note(self, entry: AuditEntry) -> None:
        """Keep what somebody did."""
        values = asdict(entry) | {"at": entry.at + self._time.ahead, "detail": json.dumps(dict(entry.detail))}
        await self._change("note", **values)

    async def forget_notes(self, before: float, limit: int) -> int:
        """Delete old ones."""
        rows = await self._query("forget_notes", before=before + self._time.ahead, limit=max(limit, 0))
        return int(rows[0][0])

    async def notes(self, limit: int, before: str | None = None, target: str | None = None) -> Sequence[AuditEntry]:
        """What was done, newest first."""
        rows = await self._query(
            "notes" if target is None else "notes_of_target",
            limit=max(limit, 0),
            before=_AFTER_ALL if before is None else before,
            target=target,
        )
        return Reader(self._time.ahead).notes(rows)

    async def _learn_time(self) -> None:
        async with self._connections.borrowed() as connection:
            asked = server_time.now()
            server = await connection.fetchval(query("clock").text)
            self._time.compare(asked, server_time.now(), server)

    # -- statements ------------------------------------------------------------------------------

    async def _query(self, name: str, /, **values: Any) -> Sequence[Any]:
        verb = query(name)
        async with self._connections.borrowed() as connection:
            return await unhindered(lambda: connection.fetch(verb.text, *verb.values(values)))

    async def _change(self, name: str, /, **values: Any) -> None:
        await self._query(name, **values)
