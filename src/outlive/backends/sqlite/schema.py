"""Brings the schema of a file up to date."""

import sqlite3
from collections.abc import Iterator
from pathlib import Path

from outlive.backends.sqlite.statements import migrations, sql
from outlive.core.exchange import Layout
from outlive.errors import BackendError

#: UPDATE ... FROM came with 3.33, and the library may use RETURNING.
OLDEST_SQLITE = (3, 35, 0)

_COMPATIBLE = "-- compatible from:"


def check_library() -> None:
    """Refuse a SQLite library that is too old."""
    if sqlite3.sqlite_version_info < OLDEST_SQLITE:
        raise BackendError(
            f"outlive needs SQLite 3.35 or newer, this Python has {sqlite3.sqlite_version}; "
            "use a Python that was built with a newer one"
        )


def is_current(connection: sqlite3.Connection, path: Path) -> bool:
    """Say whether the file has every migration; raise where it is too new for this release."""
    version, compatible_from = _version(connection)
    known = migrations()[-1][0]
    if compatible_from > known:
        raise BackendError(
            f"{path} has schema {version}, which needs a release that knows schema {compatible_from}; "
            f"this one knows {known}: upgrade outlive"
        )
    return version >= known


def layout(connection: sqlite3.Connection | None, path: Path) -> Layout:
    """What `migrate` would do to the file; None stands for one that is not there."""
    known = migrations()[-1][0]
    if connection is None:
        return Layout(0, known, script(0))
    is_current(connection, path)
    version, _ = _version(connection)
    return Layout(version, known, script(version))


def script(present: int) -> str:
    """What `migrate` would do to a file with this schema, for a person who wants to see it or do it."""
    parts: list[str] = []
    for version, text in migrations():
        if version > present:
            noted = sql("schema_note").replace("?, ?", f"{version}, {compatible_from(text)}")
            parts += [f"-- {version}", text.strip(), f"{noted};", ""]
    return "\n".join(["begin immediate;", f"{sql('schema_create')};", "", *parts, "commit;"]) if parts else ""


def migrate(connection: sqlite3.Connection) -> None:
    """Apply the migrations that the file lacks; the caller holds the write lock."""
    connection.execute(sql("schema_create"))
    present, _ = _version(connection)
    for version, text in migrations():
        if version > present:
            for statement in statements(text):
                connection.execute(statement)
            connection.execute(sql("schema_note"), (version, compatible_from(text)))


def compatible_from(text: str) -> int:
    """The oldest schema whose release can work on the file after this migration, as its header says."""
    for line in text.splitlines():
        if line.startswith(_COMPATIBLE):
            return int(line.removeprefix(_COMPATIBLE))
    raise BackendError(f"a migration has no header '{_COMPATIBLE} <number>'")


def statements(text: str) -> Iterator[str]:
    """The statements of a script one by one: `executescript` would commit the transaction they belong to."""
    statement = ""
    for line in text.splitlines(keepends=True):
        statement += line
        if sqlite3.complete_statement(statement):
            yield statement
            statement = ""


def _version(connection: sqlite3.Connection) -> tuple[int, int]:
    if not connection.execute(sql("schema_exists")).fetchone()[0]:
        return 0, 0
    version: tuple[int, int] | None = connection.execute(sql("schema_version")).fetchone()
    return version or (0, 0)
