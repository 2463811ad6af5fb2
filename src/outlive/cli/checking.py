"""Commands that say how things stand before anything runs: config, doctor."""

import inspect
import os
from collections.abc import Mapping
from dataclasses import asdict, fields
from typing import Any

import typer

from outlive.cli.doctor import Finding, examine
from outlive.cli.printing import as_json, aside, table
from outlive.cli.target import App, AsJson, Backend, choose, load, run
from outlive.core.config import DEFAULTS
from outlive.manager import TaskManager
from outlive.operations import Surroundings
from outlive.settings import settings_of


def add_to(app: typer.Typer) -> None:
    """Add these commands."""
    for command in (config, doctor):
        app.command()(command)


def config(app: App = None, json: AsJson = False) -> None:  # noqa: FBT002 - an option
    """Show each option of the manager, and whether code, the environment or nobody has set it; secrets stay hidden.

    Without --app, those of a manager that is made with `TaskManager.from_env()`.
    """

    async def command() -> None:
        manager = TaskManager.from_env() if app is None else load(app)
        found = settings_of(manager.given, manager.given_by_environment, _defaults())
        unread = [one.variable for one in found if one.variable in os.environ and one.source != "environment"]
        if unread:
            aside.print(f"{', '.join(unread)}: set, but not read by this manager; make it with TaskManager.from_env()")
        if json:
            as_json([asdict(one) for one in found])
        else:
            table(("option", "value", "from"), ((one.name, one.value, _origin(one)) for one in found), "")

    run(command)


def _origin(setting: Any) -> str:
    return setting.variable if setting.source == "environment" else str(setting.source)


def _defaults() -> Mapping[str, Any]:
    """What holds where nothing is said."""
    own = {one.name: one.default for one in inspect.signature(TaskManager.__init__).parameters.values()}
    return {
        **own,
        **{one.name: one.default for one in fields(Surroundings)},
        **DEFAULTS.given(),
        "backend": "memory://",
    }


def doctor(app: App = None, backend: Backend = None, json: AsJson = False) -> None:  # noqa: FBT002 - an option
    """Look for what would go wrong: 0 if nothing is, 1 if something is. For a gate before a deploy; changes nothing."""

    async def command() -> list[Finding]:
        return await examine(choose(app, backend), app)

    findings = run(command)
    if json:
        as_json([finding.to_dict() for finding in findings])
    else:
        table(("", "what", "finding"), ((one.verdict, one.what, one.text) for one in findings), "")
    if any(one.verdict == "wrong" for one in findings):
        raise typer.Exit(1)
