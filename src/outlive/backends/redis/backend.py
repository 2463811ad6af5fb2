"""The backend: each verb of the port is one script."""

import asyncio
import json
import os
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict
from typing import Any

from redis.asyncio import Redis

from outlive.backends import presence
from outlive.backends.hints import Hints
from outlive.backends.redis import rows
from outlive.backends.redis.address import client_for, close_client
from outlive.backends.redis.batches import Batch, Claims, Tokens
from outlive.backends.redis.clock import ServerClock
from outlive.backends.redis.hearing import Hearing
from outlive.backends.redis.leases import RedisLeases
from outlive.backends.redis.link import REPEATS, Link
from outlive.backends.redis.schema import bring_up_to_date, layout
from outlive.backends.redis.server import check_server, exposures
from outlive.backends.redis.wire import as_told, optional, to_text
from outlive.core.audit import AuditEntry
from outlive.core.filter import Page, TaskFilter
from outlive.core.moves import Move
from outlive.core.queues import QueueDepth, QueueState
from outlive.core.record import TaskRecord
from outlive.core.schedule import Gap, ScheduleEntry, ScheduleState
from outlive.core.states import TaskStatus
from outlive.errors import BackendError, BackendUnavailableError, ConfigError
from outlive.ports import Claim, Due, Instance, InstanceState, Layout, Rescue, Wanted

#: Records that one script takes from an owner or deletes, and moves of a batch: 2 to 3 ms, in which nobody is served.
AT_ONCE = 200

#: Records that one script looks at in vain before it lets others be served.
PATIENCE = 2000


class RedisBackend:
    """Keeps records in Redis or Valkey 6.2 or newer, which any number of instances may share.

    `url`: `redis://`, `rediss://` (TLS), `unix://`, or `redis+sentinel://one:26379,two:26379/service`; other options
    are passed to the client (`max_connections`, default 16; `socket_timeout`, default 10 s; `ssl_ca_certs`).
    `client`: one of `redis.asyncio` to use instead; it stays open when the backend is closed, which holds two of its
    connections until then.
    `prefix`: what all keys begin with, in braces; applications that share a server have different ones.
    """

    durable = True
    batch_size = AT_ONCE

    def __init__(
        self,
        url: str = "redis://localhost:6379/0",
        prefix: str = "outlive",
        *,
        client: Redis | None = None,
        **options: Any,
    ) -> None:
        if not prefix or set(prefix) & set("{}"):
            raise ConfigError(f"prefix={prefix!r} must be a text without braces; they are put around it")
        if client is not None and not isinstance(client, Redis):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise ConfigError(f"client={type(client).__name__} must be a redis.asyncio.Redis; or give a url")
        if client is not None and options:
            raise ConfigError(f"{min(options)}= belongs to a connection; give it to the client that you pass")
        self._given = client
        self._url, self._options = url, options
        self._make_client()  # what is wrong with the URL is said here
        #: What a forked child leaves to its parent: letting go of it would close connections that are not its own.
        self._parents: list[object] = []
        self._prefix = prefix
        self._clock = ServerClock()
        #: Hints to and from the other processes.
        self.notifier = Hints(self._publish)
        #: Locks and leaderships of all instances.
        self.leases = RedisLeases(self._linked, self._clock, self.notifier)
        self._begin()

    def _begin(self) -> None:
        self._pid = os.getpid()
        self._client: Redis | None = None
        self._link: Link | None = None
        self._hearing: Hearing | None = None
        self._joined: set[str] = set()
        self._presence = presence.of_this_user()
        self._tokens = Tokens()
        self._claims = Claims(self._tokens)

    async def open(self) -> None:
        """Connect, look at the server and bring the layout of the keys up to date."""
        if self._pid != os.getpid():
            self._leave_to_parent()
        if self._link is not None:
            return
        client = self._make_client()
        link = Link(client, self._prefix)
        try:
            await check_server(link)
            await bring_up_to_date(link)
            await self._clock.measure(link)
        except BaseException:
            await link.close()
            await self._close_client(client)
            raise
        self._client, self._link = client, link
        self._hearing = Hearing(link, self.notifier)

    async def layout(self) -> Layout:
        """Look at the layout of the keys."""
        client = self._make_client()
        try:
            link = Link(client, self._prefix)
            await check_server(link)
            return await layout(link)
        finally:
            await self._close_client(client)

    async def exposures(self) -> Sequence[str]:
        """What the settings of the server let be lost."""
        return await exposures(self._linked())

    @property
    def clock_ahead(self) -> float:
        """How far the server's clock is ahead."""
        return self._clock.ahead

    async def close(self) -> None:
        """Forget the instances that joined here and close the connections."""
        link, hearing, client = self._link, self._hearing, self._client
        if link is None or hearing is None or client is None or self._pid != os.getpid():
            return
        await hearing.stop()  # what is heard sets off questions
        await self.leases.close()
        try:
            await self.notifier.close()
            if self._joined:
                await link.run("leave", {"ids": list(self._joined)}, repeats=REPEATS)
                await asyncio.to_thread(self._presence.remove, *self._joined)
        except BackendUnavailableError:
            pass  # they beat no more, and are seen to be dead
        finally:
            self._presence.drop_all()
            self._joined.clear()
            self._link = self._hearing = self._client = None
            await link.close()
            await self._close_client(client)

    def _leave_to_parent(self) -> None:
        if self._given is not None:
            raise BackendError(
                "the client that this backend was given belongs to the process that forked this one; "
                "make the RedisBackend and its client in the child, or give it a URL"
            )
        self._parents.append((self._client, self._link, self._hearing))
        self._begin()

    def _make_client(self) -> Redis:
        return self._given or client_for(self._url, self._options)

    async def _close_client(self, client: Redis) -> None:
        if self._given is None:
            await close_client(client)

    # -- writing ---------------------------------------------------------------------------------

    async def apply(self, moves: Sequence[Move]) -> Sequence[bool]:
        """Apply the moves as one script, once, also where the connection breaks meanwhile."""
        return await Batch(self._linked(), self._tokens, moves, self._clock.ahead).apply()

    async def claim(self, wanted: Wanted) -> Claim:
        """Hand over due unowned records."""
        return await self._claims.claim(self._linked(), wanted, self._clock.ahead)

    async def explain(self, functions: Collection[str], reason: str) -> int:
        """Say why records of unknown functions wait."""
        return await self._change("explain", functions=list(functions), reason=reason)

    async def rescue(self, instance: str, now: float, reason: str, *, if_lost: bool = False) -> Rescue:
        """Take everything from a dead instance; from the first step on it is none any more."""
        if_lost = if_lost and not await asyncio.to_thread(self._presence.is_dead, instance)
        asked: dict[str, Any] = {"instance": instance, "now": self._server_time(now), "reason": reason}
        asked |= {"limit": AT_ONCE, "if_lost": if_lost}
        requeued: list[str] = []
        interrupted: list[str] = []
        more, is_alive = True, False
        while more:
            back, ended, more, is_alive = await self._linked().ask("rescue", asked)
            requeued += back
            interrupted += ended
        if not is_alive:
            self._joined.discard(instance)
            await asyncio.to_thread(self._presence.remove, instance)
        return Rescue(requeued, interrupted, is_alive)

    async def prune(
        self,
        statuses: Collection[TaskStatus],
        before: float,
        limit: int,
        functions: Collection[str] | None = None,
        without: Collection[str] = (),
    ) -> int:
        """Delete old ended records."""
        asked: dict[str, Any] = {
            "statuses": [status.value for status in statuses],
            "before": self._server_time(before),
            "functions": None if functions is None else list(functions),
            "without": list(without),
            "patience": PATIENCE,
        }
        count, skipped, more = 0, [0] * len(statuses), True
        while more and count < limit:
            here = {"skipped": skipped, "limit": min(AT_ONCE, limit - count)}
            gone, skipped, more = await self._linked().ask("prune", asked | here)
            count += gone
            more = more or gone == AT_ONCE
        return count

    # -- reading ---------------------------------------------------------------------------------

    async def get(self, task_id: str) -> TaskRecord | None:
        """One record."""
        found = await self._linked().ask("get", {"id": task_id})
        return None if found is None else rows.whole_record(found, self._clock.ahead)

    async def find(self, conditions: TaskFilter, page: Page) -> Sequence[TaskRecord]:
        """A page of records, newest first."""
        statuses = conditions.statuses
        asked = {
            "statuses": None if statuses is None else [status.value for status in statuses],
            "func": conditions.func,
            "queue": conditions.queue,
            "source": conditions.source,
            "schedule": conditions.schedule,
            "patience": PATIENCE,
        }
        found: list[TaskRecord] = []
        before, more = page.before, page.limit > 0
        while more:
            here = {"before": before, "limit": page.limit - len(found)}
            replies, before = await self._linked().ask("find", asked | here)
            found += [rows.record(reply, self._clock.ahead) for reply in replies]
            more = bool(before) and len(found) < page.limit
        return found

    async def planned(self, before: float, limit: int) -> Sequence[TaskRecord]:
        """What is to run once, earliest first."""
        asked = {"before": self._server_time(before), "limit": limit}
        return [rows.record(reply, self._clock.ahead) for reply in await self._linked().ask("planned", asked)]

    async def counts(self) -> Mapping[TaskStatus, int]:
        """How many records have each status."""
        return {TaskStatus(status): count for status, count in await self._linked().ask("counts", {})}

    async def asked_to_cancel(self, owner: str) -> Mapping[str, str | None]:
        """What an owner was asked to cancel and has not ended yet."""
        found = await self._linked().ask("asked_to_cancel", {"owner": owner})
        return {task_id: reason or None for task_id, reason in found}

    # -- schedules -------------------------------------------------------------------------------

    async def register(self, entries: Sequence[ScheduleEntry], now: float) -> None:
        """Take over what an instance declares."""
        told = [as_told(entry) for entry in entries]
        for at in range(0, len(told), AT_ONCE):
            await self._change("register", entries=told[at : at + AT_ONCE], now=repr(now))

    async def due(self, now: float, limit: int, without: Collection[str] = ()) -> Due:
        """What is due, earliest first."""
        asked = {"now": repr(now), "limit": limit, "without": list(without)}
        found, next_at = await self._linked().ask("due", asked)
        return Due([rows.schedule(reply) for reply in found], rows.number(next_at))

    async def schedules(self, names: Collection[str] | None = None) -> Sequence[ScheduleState]:
        """All schedules, or those with these names, by name."""
        asked = {} if names is None else {"names": sorted(set(names))}
        return [rows.schedule(reply) for reply in await self._linked().ask("schedules", asked)]

    async def pause(self, schedule: str, next_at: float | None, *, paused: bool) -> bool:
        """Pause or resume."""
        asked = {"name": schedule, "next_at": optional(next_at), "paused": paused}
        return bool(await self._linked().run("pause", asked))

    async def put(self, entry: ScheduleEntry, *, new: bool) -> bool:
        """Add or change a schedule at run time."""
        return bool(await self._linked().run("put", {"entry": as_told(entry), "new": new}))

    async def remove(self, schedule: str) -> bool:
        """Forget a schedule."""
        return bool(await self._linked().run("remove", {"name": schedule}))

    async def gaps(self, schedule: str, limit: int) -> Sequence[Gap]:
        """The newest gaps."""
        return [rows.gap(text) for text in await self._linked().ask("gaps", {"name": schedule, "limit": limit})]

    # -- queues ----------------------------------------------------------------------------------

    async def queues(self) -> Sequence[QueueState]:
        """What was set at run time."""
        found = rows.mapping(await self._linked().ask("queues", {}))
        return [rows.queue(name, found[name]) for name in sorted(found)]

    async def set_queue(self, state: QueueState) -> None:
        """Set a queue, or forget it."""
        told = None if state == QueueState(state.name) else to_text(asdict(state))
        await self._change("set_queue", name=state.name, state=told)

    async def depths(self) -> Mapping[str, QueueDepth]:
        """What is live in each queue."""
        found = await self._linked().ask("depths", {})
        return {
            name: QueueDepth(pending, running, rows.number(oldest, self._clock.ahead))
            for name, pending, running, oldest in found
        }

    # -- what people did -------------------------------------------------------------------------

    async def note(self, entry: AuditEntry) -> None:
        """Keep what somebody did."""
        await self._change("note", id=entry.id, target=entry.target, entry=to_text(asdict(entry)))

    async def forget_notes(self, before: float, limit: int) -> int:
        """Delete old ones."""
        return await self._change("forget_notes", before=before, limit=max(limit, 0))

    async def notes(self, limit: int, before: str | None = None, target: str | None = None) -> Sequence[AuditEntry]:
        """What was done, newest first."""
        asked = {"limit": max(limit, 0), "before": before, "target": target}
        return [AuditEntry(**json.loads(text)) for text in await self._linked().ask("notes", asked)]

    # -- instances -------------------------------------------------------------------------------

    async def join(self, instance: Instance, now: float) -> None:
        """Announce an instance and hold its lock, where files can be locked."""
        await self._clock.measure(self._linked())
        await asyncio.to_thread(self._presence.hold_if_possible, instance.id)
        await self._change(
            "join",
            id=instance.id,
            host=instance.host,
            pid=instance.pid,
            started_at=repr(instance.started_at),
            lease=repr(instance.lease),
            version=instance.version,
            slots=json.dumps(dict(instance.slots)),
            now=self._server_time(now),
        )
        self._joined.add(instance.id)

    async def beat(self, instance: str, now: float) -> bool:
        """Renew a lease, and see whether the clocks still agree and the lock still has its file."""
        await self._clock.measure(self._linked())
        await asyncio.to_thread(self._presence.keep, instance)
        return await self._change("beat", id=instance, now=self._server_time(now)) > 0

    async def lost(self, now: float, lease: float, asking: str) -> Sequence[str]:
        """Instances that are dead or have not beaten for their lease, and owners that are no instances."""
        asked = {"now": self._server_time(now), "before": self._server_time(now - lease), "asking": asking}
        return await asyncio.to_thread(self._presence.lost, await self._linked().ask("lost", asked))

    async def instances(self) -> Sequence[InstanceState]:
        """The instances that have joined."""
        found = [rows.instance(reply, self._clock.ahead) for reply in await self._linked().ask("instances", {})]
        return sorted(found, key=lambda state: state.instance.id)

    async def drain(self, instance: str, *, draining: bool) -> bool:
        """Ask an instance to take no new work, or to again."""
        return await self._change("drain", id=instance, draining=draining) > 0

    async def asked_to_drain(self, instance: str) -> bool:
        """Whether it was asked."""
        return bool(await self._linked().ask("asked_to_drain", {"id": instance}))

    # -- the server ------------------------------------------------------------------------------

    def _server_time(self, now: float) -> str:
        return repr(now + self._clock.ahead)

    def _linked(self) -> Link:
        if self._link is None:
            raise BackendError("the backend on Redis is not open; await its open() first")
        if self._pid != os.getpid():
            raise BackendError(
                "the backend on Redis was opened by the process that forked this one; await its open() here, too"
            )
        return self._link

    async def _change(self, name: str, /, **asked: Any) -> int:
        """Run a script that may run twice and answers with a number."""
        changed: int = await self._linked().run(name, asked, repeats=REPEATS)
        return changed

    async def _publish(self, texts: Sequence[str]) -> None:
        link = self._linked()
        for text in texts:
            await link.command("PUBLISH", link.channel, text)


async def erase(url: str, prefix: str) -> None:
    """Delete all keys under a prefix."""
    client: Any = client_for(url, {})
    try:
        keys = [key async for key in client.scan_iter(match=f"{{{prefix}}}:*", count=1000)]
        for start in range(0, len(keys), 1000):
            await client.unlink(*keys[start : start + 1000])
    finally:
        await close_client(client)
