"""Commands for who runs the system: migrate, prune, rotate-keys, config, doctor."""

from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from typing import Annotated

import typer

from outlive.cli.doctor import examine
from outlive.cli.printing import as_json, console, table
from outlive.cli.target import App, AsJson, Backend, choose, opened, run
from outlive.runtime.pruner import BATCH, PRUNED
from outlive.settings import settings_in_environment


def add_to(app: typer.Typer) -> None:
    """Add these commands."""
    for command in (migrate, prune, rotate_keys, config, doctor):
        app.command()(command)


def migrate(app: App = None, backend: Backend = None) -> None:
    """Bring the schema of the backend up to date; an older release can go on working on it."""

    async def command() -> None:
        chosen = choose(app, backend).backend
        await chosen.open()
        await chosen.close()
        console.print("the schema is up to date")

    run(command)


def prune(
    older_than_days: Annotated[float, typer.Option(min=0, help="Age at which a finished record is deleted.")],
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,  # noqa: FBT002 - an option
    app: App = None,
    backend: Backend = None,
) -> None:
    """Delete old finished records; interrupted ones stay, they wait for a person."""
    before = datetime.now(UTC) - timedelta(days=older_than_days)
    if not yes:
        typer.confirm(f"delete records that ended before {before:%Y-%m-%d %H:%M} UTC?", abort=True)

    async def command() -> None:
        deleted = 0
        async with opened(app, backend) as manager:
            with console.status("deleting"):
                while count := await manager.backend.prune(PRUNED, before.timestamp(), BATCH):
                    deleted += count
        console.print(f"{deleted} deleted")

    run(command)


def rotate_keys(app: App = None, backend: Backend = None) -> None:
    """Write all that is encrypted, and what is not yet, under the first of the application's keys; 1 if some has none.

    Once it ends with 0 the other keys can go.
    """

    async def command() -> bool:
        async with opened(app, backend) as manager:
            with console.status("writing"):
                rotation = await manager.rotate_keys()
        console.print(f"{rotation.rewritten} of {rotation.seen} records written under the newest key")
        for task_id in rotation.unreadable:
            console.print(f"no key decrypts {task_id}", style="red")
        return bool(rotation.unreadable)

    if run(command):
        raise typer.Exit(1)


def config(json: AsJson = False) -> None:  # noqa: FBT002 - an option
    """Show what the environment sets of a manager that is made with `TaskManager.from_env`; keys stay hidden."""

    async def command() -> None:
        found = settings_in_environment()
        if json:
            as_json([asdict(one) for one in found])
        else:
            table(("option", "variable", "value"), ((one.name, one.variable, one.value or "") for one in found), "")

    run(command)


def doctor(app: App = None, backend: Backend = None, json: AsJson = False) -> None:  # noqa: FBT002 - an option
    """Look for what would go wrong: 0 if nothing is, 1 if something is. For a gate before a deploy."""

    async def command() -> bool:
        async with opened(app, backend) as manager:
            findings = await examine(manager)
        if json:
            as_json([finding.to_dict() for finding in findings])
        else:
            table(("", "what", "finding"), ((one.verdict, one.what, one.text) for one in findings), "")
        return any(one.verdict == "wrong" for one in findings)

    if run(command):
        raise typer.Exit(1)
