"""Brings the schema of a database up to date."""

from collections.abc import Sequence
from typing import Any

import asyncpg

from outlive.backends.postgres.connections import Connection, told
from outlive.backends.postgres.statements import headers, migrations, query
from outlive.core.exchange import Layout
from outlive.errors import BackendError

#: Generated columns came with 12; 13 is the oldest that is still known to be asked for.
OLDEST = 130_000

_MOST_NAME = 63


async def prepare(connection: Connection, schema: str | None) -> str:
    """Make the schema and its tables, as far as they are not there; its name."""
    version = connection.get_server_version()
    if version.major * 10_000 < OLDEST:
        raise BackendError(f"outlive needs PostgreSQL {OLDEST // 10_000} or newer; the server has {version.major}")
    if schema is not None and not await connection.fetchval(query("schema_known").text, schema):
        await connection.execute(f"create schema if not exists {quoted(schema)}")
    if not await _is_current(connection):
        async with connection.transaction():
            await connection.execute(query("schema_lock").text)
            await _migrate(connection)
    return await _name(connection)


async def layout(connection: Connection, schema: str | None) -> Layout:
    """What `prepare` would do to the database."""
    known, version, text = migrations()[-1][0], 0, ""
    if (await _existing(connection))[0]:
        await _is_current(connection)
        version, _ = await _version(connection)
    if version < known:
        is_there = schema is None or await connection.fetchval(query("schema_known").text, schema)
        text = script(version, schema, is_there=is_there)
    return Layout(version, known, text)


def script(present: int, schema: str | None, *, is_there: bool) -> str:
    """What `prepare` would do to a database with this schema, for a person who wants to see it or do it."""
    parts = ["begin;"]
    if schema is not None:
        parts += [] if is_there else [f"create schema if not exists {quoted(schema)};"]
        parts.append(f"set local search_path to {quoted(schema)};")
    parts += [f"{query('schema_lock').text};", f"{query('schema_create').text};", ""]
    for version, text in migrations():
        if version > present:
            oldest = headers(text, "compatible from")[0]
            noted = query("schema_note").text.replace("$1", str(version)).replace("$2", oldest)
            parts += [f"-- {version}", text.strip(), f"{noted};", ""]
    return "\n".join([*parts, "commit;"])


async def drop(url: str, schema: str) -> None:
    """Delete a schema with all that is in it."""
    try:
        connection = await asyncpg.connect(url)
        try:
            await connection.execute(f"drop schema if exists {quoted(schema)} cascade")
        finally:
            await connection.close()
    except Exception as error:
        raise told(error) from error


def quoted(name: str) -> str:
    """A name as a statement takes it."""
    return '"' + name.replace('"', '""') + '"'


async def _migrate(connection: Connection) -> None:
    await connection.execute(query("schema_create").text)
    present, _ = await _version(connection)
    for version, text in migrations():
        if version > present:
            await connection.execute(text)
            await connection.execute(query("schema_note").text, version, int(headers(text, "compatible from")[0]))


async def _is_current(connection: Connection) -> bool:
    if not (await _existing(connection))[0]:
        return False
    version, compatible_from = await _version(connection)
    known = migrations()[-1][0]
    if compatible_from > known:
        raise BackendError(
            f"the database has schema {version} of outlive, which needs a release that knows schema {compatible_from}; "
            f"this one knows {known}: upgrade outlive"
        )
    return version >= known


async def _version(connection: Connection) -> tuple[int, int]:
    found = await connection.fetchrow(query("schema_version").text)
    return (found[0], found[1]) if found is not None else (0, 0)


async def _name(connection: Connection) -> str:
    return str((await _existing(connection))[1])


async def _existing(connection: Connection) -> Sequence[Any]:
    found = await connection.fetchrow(query("schema_exists").text)
    assert found is not None
    return list(found.values())
