"""Queues in the file: what was set for them, how deep they are, and who holds a place under which limit."""

import json
import sqlite3
from collections.abc import Mapping

from outlive.backends.sqlite.statements import sql
from outlive.core.moves import Permit
from outlive.core.queues import Limit, QueueConfig, QueueDepth, QueueState


def states(text: str) -> list[QueueState]:
    """What was set, from its JSON."""
    return [
        QueueState(name, QueueConfig(concurrency, max_size, everywhere) if is_set else None, bool(paused))
        for name, is_set, concurrency, max_size, everywhere, paused in json.loads(text)
    ]


def setting(state: QueueState) -> tuple[str, dict[str, object]]:
    """The query that sets a queue, or forgets it, and its values."""
    config = state.config
    if config is None and not state.paused:
        return "queue_forget", {"name": state.name}
    given = config or QueueConfig()
    return "queue_set", {
        "name": state.name,
        "is_set": config is not None,
        "concurrency": given.concurrency,
        "max_size": given.max_size,
        "everywhere": given.global_concurrency,
        "paused": state.paused,
    }


def depths(text: str) -> Mapping[str, QueueDepth]:
    """The depth of each queue, from its JSON."""
    return {queue: QueueDepth(pending, running, oldest) for queue, pending, running, oldest in json.loads(text)}


def permit(connection: sqlite3.Connection, move: Permit) -> bool:
    """Take a place under each limit, or none."""
    attempt = {"id": move.id, "fence": move.fence, "owner": move.owner, "now": move.at}
    if connection.execute(sql("permit_asks"), attempt).fetchone() is None:
        return False
    if not all(_has_room(connection, limit, move.at) for limit in move.limits):
        return False
    if move.asks:
        return True
    connection.execute(sql("permit"), attempt)
    for limit in move.limits:
        query = "permit_place" if limit.per is None else "permit_use"
        connection.execute(sql(query), attempt | {"key": limit.key, "pace": limit.pace})
    return True


def _has_room(connection: sqlite3.Connection, limit: Limit, now: float) -> bool:
    if limit.per is None:
        connection.execute(sql("permit_clear"), {"key": limit.key})
        (held,) = connection.execute(sql("permit_held"), {"key": limit.key}).fetchone()
        return bool(held < limit.most)
    used = connection.execute(sql("permit_used"), {"key": limit.key}).fetchone()
    return max(used[0] if used else 0.0, now) + limit.pace <= now + limit.per
