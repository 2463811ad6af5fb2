"""Runs statements on a connection of the caller's, inside its transaction, whichever driver made it.

No driver is imported here: a connection that is given has already brought its own.
"""

import re
from collections.abc import Iterable, Sequence
from typing import Any, Literal

from outlive.errors import ConfigError
from outlive.ports import Statement

_PARAMETER = re.compile(r"\?")
_Style = Literal["?", "%s", "$", ":"]

_KNOWN = "sqlite3, aiosqlite, psycopg, asyncpg, or SQLAlchemy (connections and sessions, asynchronous ones too)"


class CallersConnection:
    """A connection that is in the caller's hands: what it does is done when the caller commits."""

    def __init__(self, connection: Any) -> None:
        self._connection = connection
        self._style, self.is_async = _kind_of(connection)

    async def accept(self, statements: Sequence[Statement]) -> None:
        """Run the statements until one takes effect."""
        for statement in statements:
            if _count(await self._start(statement)):
                return
        raise _nothing_done()

    def accept_now(self, statements: Sequence[Statement]) -> None:
        """Do the same on a connection that blocks."""
        for statement in statements:
            if _count(self._start(statement)):
                return
        raise _nothing_done()

    def _start(self, statement: Statement) -> Any:
        text, values = statement.text, statement.values
        if self._style == "$":
            return self._connection.execute(
                _replaced(text, (f"${number}" for number in range(1, len(values) + 1))), *values
            )
        if self._style == ":":
            names = [f"outlive_{number}" for number in range(len(values))]
            sql = _sqlalchemy_text(_replaced(text, (f":{name}" for name in names)))
            return self._connection.execute(sql, dict(zip(names, values, strict=True)))
        return self._connection.execute(text.replace("?", self._style), values)


def _kind_of(connection: Any) -> tuple[_Style, bool]:
    names = {(one.__module__.partition(".")[0], one.__name__) for one in type(connection).__mro__}
    for (module, name), kind in _KINDS.items():
        if (module, name) in names:
            return kind
    raise ConfigError(f"connection={connection!r} is not known; give one of {_KNOWN}")


#: The classes of connections, the asynchronous ones first where both share a base.
_KINDS: dict[tuple[str, str], tuple[_Style, bool]] = {
    ("sqlite3", "Connection"): ("?", False),
    ("aiosqlite", "Connection"): ("?", True),
    ("psycopg", "AsyncConnection"): ("%s", True),
    ("psycopg", "Connection"): ("%s", False),
    ("asyncpg", "Connection"): ("$", True),
    ("asyncpg", "PoolConnectionProxy"): ("$", True),
    ("sqlalchemy", "AsyncConnection"): (":", True),
    ("sqlalchemy", "AsyncSession"): (":", True),
    ("sqlalchemy", "Connection"): (":", False),
    ("sqlalchemy", "Session"): (":", False),
}


def _sqlalchemy_text(text: str) -> Any:
    from sqlalchemy import text as sqlalchemy_text  # noqa: PLC0415 - whoever gave its connection has it

    return sqlalchemy_text(text)


def _replaced(text: str, placeholders: Iterable[str]) -> str:
    given = iter(placeholders)
    return _PARAMETER.sub(lambda _: next(given), text)


def _count(answer: Any) -> int:
    """How many rows changed: of a cursor or a result, or as the tag of a command (`INSERT 0 1`)."""
    return int(answer.rpartition(" ")[2]) if isinstance(answer, str) else int(answer.rowcount)


def _nothing_done() -> ConfigError:
    return ConfigError("the record could be accepted neither as itself nor under its idempotency key; try again")
