"""Brings the layout of the keys up to date."""

from typing import Any

import ormsgpack

from outlive.backends.redis.link import REPEATS, Link
from outlive.backends.redis.scripts import compatible_from, migration_script, migrations
from outlive.core.exchange import Layout
from outlive.errors import BackendError


async def layout(link: Link) -> Layout:
    """Which layout the keys have; raise where it is too new for this release."""
    version, oldest = await link.ask("schema_version", {})
    known = migrations()[-1][0]
    if oldest > known:
        raise BackendError(
            f"the keys under {link.prefix!r} at {link.where} have layout {version}, which needs a release that knows "
            f"layout {oldest}; this one knows {known}: upgrade outlive, or give this release another prefix"
        )
    return Layout(version, known)


async def bring_up_to_date(link: Link) -> None:
    """Apply the migrations that the keys lack; raise where they are too new for this release."""
    version = (await layout(link)).version
    for number, text in migrations():
        if number > version:
            await _migrate(link, {"version": number, "compatible_from": compatible_from(text)}, text)


async def _migrate(link: Link, asked: dict[str, Any], text: str) -> None:
    # Only the first of those that start together does it, and whoever repeats it does nothing.
    for _ in range(REPEATS):
        try:
            await link.send(migration_script(text), ormsgpack.packb(asked))
        except BackendError:
            continue
        return
    await link.send(migration_script(text), ormsgpack.packb(asked))
