"""What moves records between instances: claims, rescues, and the word on what nobody here can claim."""

import json
import sqlite3
from collections.abc import Collection

from outlive.backends.sqlite.kinds import KINDS
from outlive.backends.sqlite.rows import records
from outlive.backends.sqlite.statements import sql, sql_for
from outlive.core.moves import Enqueue
from outlive.ports import Claim, Rescue, Statement, Wanted


def pick(connection: sqlite3.Connection, wanted: Wanted, limit: int) -> tuple[str, float | None]:
    """What a claim of so many would take, and when the next record can be claimed."""
    found: tuple[str, float | None] = connection.execute(
        sql("claim_pick"), _values(wanted) | {"limit": limit}
    ).fetchone()
    return found


def claim(connection: sqlite3.Connection, wanted: Wanted) -> Claim:
    """Hand records over."""
    picked, next_at = pick(connection, wanted, wanted.limit)
    connection.execute(sql("claim_take"), {"picked": picked, "owner": wanted.owner})
    rows = connection.execute(sql("claim_read"), {"picked": picked}).fetchone()[0]
    return Claim(records(rows), next_at)


def _values(wanted: Wanted) -> dict[str, object]:
    return {
        "functions": json_list(wanted.functions),
        "refused": json_list(wanted.refused),
        "now": wanted.now,
        "queues": None if wanted.queues is None else json_list(wanted.queues),
        "without_queues": json_list(wanted.without_queues),
    }


def accepting(facts: Enqueue) -> list[Statement]:
    """The statements that accept a record, each for the case that the one before had no effect."""
    kind = next(kind for kind in KINDS if kind.queries == ("enqueue",))
    assert kind.otherwise is not None
    accept = Statement(sql_for("enqueue", 1), tuple(kind.row(facts)))
    if facts.idempotency_key is None:
        return [accept]
    return [accept, Statement(sql_for("stand_for", 1), tuple(kind.otherwise.row(facts)))]


def rescue(connection: sqlite3.Connection, instance: str, now: float, reason: str) -> Rescue:
    """Take everything from a dead instance."""
    values = {"instance": instance, "now": now, "reason": reason, "id": instance}
    requeued, interrupted = connection.execute(sql("rescue_plan"), values).fetchone()
    for step in ("rescue_attempt", "rescue_running", "rescue_pending", "rescue_rest", "leave"):
        connection.execute(sql(step), values)
    return Rescue(json.loads(requeued), json.loads(interrupted))


def unexplained(connection: sqlite3.Connection, functions: Collection[str], reason: str) -> tuple[int, int]:
    """How many records wait for other functions than these, and how many of them do not say `reason` yet."""
    counts: tuple[int, int] = connection.execute(
        sql("explain_count"), {"functions": json_list(functions), "reason": reason}
    ).fetchone()
    return counts


def explain(connection: sqlite3.Connection, functions: Collection[str], reason: str) -> int:
    """Say why records of other functions wait."""
    values = {"functions": json_list(functions), "reason": reason}
    waiting, _ = unexplained(connection, functions, reason)
    connection.execute(sql("explain"), values)
    return waiting


def json_list(values: Collection[str]) -> str:
    """A list as one parameter, which the queries read with json_each."""
    return json.dumps(list(values))
