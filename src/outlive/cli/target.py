"""Which application or backend a command is about, and how it is opened."""

import asyncio
import os
import sys
from collections.abc import AsyncGenerator, Callable, Coroutine
from contextlib import asynccontextmanager
from importlib import import_module
from typing import Annotated, Any, TypeVar

import typer
from fastapi import FastAPI

from outlive.errors import ConfigError, OutliveError
from outlive.manager import TaskManager
from outlive.ports import Backend as Store
from outlive.ports import LaidOutBackend

R = TypeVar("R")

App = Annotated[
    str | None,
    typer.Option("--app", "-a", envvar="OUTLIVE_APP", help="The manager or application in your code: module:name."),
]
Backend = Annotated[
    str | None,
    typer.Option("--backend", "-b", envvar="OUTLIVE_BACKEND", help="URL of the backend, where no --app is needed."),
]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]


def load(path: str) -> TaskManager:
    """The manager that `module:name` names, or that of the application; `ConfigError` where there is none."""
    found = _find(path)
    manager = manager_of(found) if isinstance(found, FastAPI) else found
    if not isinstance(manager, TaskManager):
        raise ConfigError(f"{path!r} is {type(found).__name__}, not a TaskManager or an application that has one")
    return manager


def manager_of(application: FastAPI) -> TaskManager | None:
    """The manager that lives with an application, the first of several."""
    hosts = (middleware.kwargs.get("host") for middleware in application.user_middleware)
    return next((host for host in hosts if isinstance(host, TaskManager)), None)


def _find(path: str) -> Any:
    module_name, colon, attribute = path.partition(":")
    if not (module_name and colon and attribute):
        raise ConfigError(f"{path!r} must be module:attribute, such as app.main:manager")
    sys.path.insert(0, os.getcwd())  # noqa: PTH109 - what Python itself does for `python -m`
    try:
        found: Any = import_module(module_name)
    except ModuleNotFoundError as error:
        if error.name is None or not module_name.startswith(error.name):
            raise  # the module is there; what it imports is not
        raise ConfigError(f"{path!r}: there is no module {error.name!r} here or on the path") from error
    for part in attribute.split("."):
        if not hasattr(found, part):
            raise ConfigError(f"{path!r}: {module_name} has no {attribute!r}")
        found = getattr(found, part)
    return found


def choose(app: str | None, backend: str | None) -> TaskManager:
    """The manager of the application, or one that knows only the backend; it will not run tasks."""
    if app is not None and backend == os.environ.get("OUTLIVE_BACKEND"):
        backend = None  # meant for the application, which reads it itself
    if (app is None) == (backend is None):
        raise ConfigError("name the application (--app module:attribute) or its backend (--backend URL), one of them")
    manager = load(app) if app is not None else TaskManager(backend)
    if not manager.backend.durable:
        raise ConfigError("this manager keeps its records in its own process, so there is nothing to see from here")
    manager.run_as(run_tasks=False)
    return manager


@asynccontextmanager
async def opened(app: str | None, backend: str | None) -> AsyncGenerator[TaskManager]:
    """The manager, open as long as the command lasts."""
    chosen = choose(app, backend)
    if app is None:
        await _check_there_is_something(chosen.backend)
    async with chosen as manager:
        yield manager


async def _check_there_is_something(store: Store) -> None:
    """Refuse what looks like a slip: to open it would make a new file, or new tables in somebody's database."""
    if isinstance(store, LaidOutBackend) and not (await store.layout()).version:
        raise ConfigError(
            "there is nothing of outlive at this backend; is the URL right? `outlive migrate` prepares it"
        )


def run(
    command: Callable[[], Coroutine[Any, Any, R]],
    loop_factory: Callable[[], asyncio.AbstractEventLoop] | None = None,
) -> R:
    """Run a command's coroutine; an error of ours ends it with its message and 1."""
    try:
        with asyncio.Runner(loop_factory=loop_factory) as runner:
            return runner.run(command())
    except OutliveError as error:
        typer.secho(f"outlive: {error}", fg=typer.colors.RED, err=True)
        raise typer.Exit(1) from None
