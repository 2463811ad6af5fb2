"""Accepting a record on a connection of the caller's. One parameter, so that every driver can hand it over."""

import json

from outlive.backends.postgres.statements import bare, source
from outlive.core.moves import Enqueue
from outlive.ports import Statement

#: How often a record is offered whose key another transaction may be about to take or to free.
_OFFERS = 3

_COLUMNS = (
    "id", "func", "func_name", "source", "timing", "queue", "priority", "executor", "label", "idempotency_key",
    "arguments", "summary", "options", "recoverable", "requeue_on_interrupt",
)  # fmt: skip


def accepting(facts: Enqueue, tables: str) -> list[Statement]:
    """The statements that accept a record, each for the case that the one before had no effect.

    `tables` stands before the name of each table.
    """
    given = {column: getattr(facts, column) for column in _COLUMNS}
    given |= {"tags": json.dumps(dict(facts.tags)) if facts.tags else None, "wait": facts.run_at - facts.created_at}
    values = (json.dumps(given),)
    accept = Statement(_text("accept", tables), values)
    if facts.idempotency_key is None:
        return [accept]
    return [accept, Statement(_text("accept_as", tables), values)] * _OFFERS


def _text(name: str, tables: str) -> str:
    return bare(source(name, "callers")).replace("{tables}", tables)
