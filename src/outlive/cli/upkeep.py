"""Commands for who runs the system: migrate, prune, rotate-keys."""

from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from importlib.resources import files
from pathlib import Path
from typing import Annotated

import typer

from outlive.cli.printing import as_json, console, progress
from outlive.cli.target import App, AsJson, Backend, Yes, choose, opened, run
from outlive.errors import ConfigError
from outlive.ports import Backend as Store
from outlive.ports import LaidOutBackend, Layout
from outlive.runtime.pruner import BATCH, PRUNED


def add_to(app: typer.Typer) -> None:
    """Add these commands."""
    for command in (migrate, prune, rotate_keys, grafana):
        app.command()(command)


def migrate(
    sql: Annotated[bool, typer.Option("--sql", help="Print what would be applied, and change nothing.")] = False,  # noqa: FBT002 - an option
    check: Annotated[bool, typer.Option("--check", help="Change nothing; 1 if the schema is behind.")] = False,  # noqa: FBT002
    app: App = None,
    backend: Backend = None,
    json: AsJson = False,  # noqa: FBT002
) -> None:
    """Bring the schema of the backend up to date; an older release can go on working on it."""

    async def command() -> bool:
        store = choose(app, backend).backend
        before = await _layout(store)
        if sql:
            print(before.script or f"-- nothing to do: {_standing(before)}")  # noqa: T201 - a script for a program
            return True
        if not check:
            await store.open()
            await store.close()
        after = before if check else await _layout(store)
        if json:
            as_json({"before": before.version, "version": after.version, "known": after.known})
        else:
            console.print(_told(before, after))
        return after.is_current

    if not run(command):
        raise typer.Exit(1)


async def _layout(store: Store) -> Layout:
    if not isinstance(store, LaidOutBackend):
        raise ConfigError(f"{type(store).__name__} has no schema that outlive knows of")
    return await store.layout()


def _standing(layout: Layout) -> str:
    return f"schema {layout.version}, and this release knows {layout.known}"


def _told(before: Layout, after: Layout) -> str:
    if not after.is_current:
        return f"behind: {_standing(after)}; `outlive migrate` or the first start brings it up to date"
    if before.version == after.version:
        return f"up to date: {_standing(after)}"
    return f"brought up to date: from schema {before.version} to {after.version}"


def prune(
    older_than_days: Annotated[float, typer.Option(min=0, help="Age at which a finished record is deleted.")],
    yes: Yes = False,  # noqa: FBT002 - an option
    app: App = None,
    backend: Backend = None,
    json: AsJson = False,  # noqa: FBT002
) -> None:
    """Delete old finished records; interrupted ones stay, they wait for a person."""
    before = datetime.now(UTC) - timedelta(days=older_than_days)
    if not yes:
        typer.confirm(f"delete records that ended before {before:%Y-%m-%d %H:%M} UTC?", abort=True, err=True)

    async def command() -> None:
        deleted = 0
        async with opened(app, backend) as manager:
            with progress("deleting", quiet=json) as done:
                while count := await manager.backend.prune(PRUNED, before.timestamp(), BATCH):
                    deleted += count
                    done(deleted)
        as_json({"deleted": deleted}) if json else console.print(f"{deleted} deleted")

    run(command)


def rotate_keys(app: App = None, backend: Backend = None, json: AsJson = False) -> None:  # noqa: FBT002 - an option
    """Write all that is encrypted, and what is not yet, under the first of the application's keys; 1 if some has none.

    Once it ends with 0 the other keys can go.
    """

    async def command() -> bool:
        async with opened(app, backend) as manager:
            total = sum((await manager.counts()).values())
            with progress("writing", total, quiet=json) as done:
                rotation = await manager.rotate_keys(done)
        if json:
            as_json(asdict(rotation))
            return not rotation.unreadable
        console.print(f"{rotation.rewritten} of {rotation.seen} records written under the newest key")
        for task_id in rotation.unreadable:
            console.print(f"no key decrypts {task_id}", style="red")
        return not rotation.unreadable

    if not run(command):
        raise typer.Exit(1)


def grafana(
    output: Annotated[Path | None, typer.Option("--output", "-o", help="A file instead of the terminal.")] = None,
) -> None:
    """Write a board for Grafana, over the metrics of `outlive.integrations.prometheus`."""
    board = files("outlive.integrations").joinpath("grafana.json").read_text(encoding="utf-8")
    if output is None:
        print(board, end="")  # noqa: T201 - this is what was asked for
    else:
        output.write_text(board, encoding="utf-8")
