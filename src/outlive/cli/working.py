"""Commands that run tasks: worker, and whether one is healthy; demo."""

import subprocess
import sys
import time
from json import loads as parse
from pathlib import Path
from typing import Annotated

import typer

from outlive.cli.printing import as_json
from outlive.cli.serve import fastest_loop, work
from outlive.cli.supervisor import Supervisor
from outlive.cli.target import AsJson, load, run

#: Seconds without a word from a worker after which it is not healthy.
_SILENT = 30.0


def add_to(app: typer.Typer) -> None:
    """Add these commands."""
    for command in (worker, health, demo):
        app.command()(command)


def worker(
    app: Annotated[str, typer.Argument(envvar="OUTLIVE_APP", help="The task manager: module:attribute.")],
    queues: Annotated[str | None, typer.Option(help="Names of queues, divided by commas; all if left out.")] = None,
    concurrency: Annotated[int | None, typer.Option(min=1, help="Coroutines that run at once.")] = None,
    processes: Annotated[int, typer.Option(min=1, help="How many workers, each in its own process.")] = 1,
    health_file: Annotated[Path | None, typer.Option(help="File that says that the worker is healthy.")] = None,
) -> None:
    """Run tasks without a web server, until SIGTERM or Ctrl-C; a second one ends them at once."""
    if processes > 1:
        raise typer.Exit(Supervisor(processes, _arguments(app, queues, concurrency), health_file).run())
    names = None if queues is None else [name.strip() for name in queues.split(",") if name.strip()]

    async def command() -> None:
        manager = load(app)
        manager.run_as(run_tasks=True, run_queues=names, max_concurrent_tasks=concurrency)
        await work(manager, health_file)

    run(command, fastest_loop())


def health(
    file: Annotated[Path, typer.Argument(help="The --health-file of a worker.")],
    max_age: Annotated[float, typer.Option(help="Seconds without a word after which it is not healthy.")] = _SILENT,
    json: AsJson = False,  # noqa: FBT002 - an option
) -> None:
    """Say whether a worker is healthy: 0 if it is, 1 if not. For the health check of a container."""
    try:
        said = parse(file.read_text(encoding="utf-8"))
        age = time.time() - file.stat().st_mtime
    except (OSError, ValueError) as error:
        typer.echo(f"no worker has written {file}: {error}", err=True)
        raise typer.Exit(1) from None
    healthy = age <= max_age and said["backend"] == "ok"
    if json:
        as_json({"healthy": healthy, "age": age, **said})
    else:
        typer.echo(f"{'healthy' if healthy else 'not healthy'}: {said}, {age:.0f} s ago")
    raise typer.Exit(0 if healthy else 1)


def demo(
    folder: Annotated[Path, typer.Option(help="Where everything is kept.")] = Path("outlive-demo"),
    port: Annotated[int, typer.Option(min=0, max=65535)] = 8000,
) -> None:
    """Run the print shop that shows what outlive does."""
    command = [sys.executable, "-m", "outlive.demo", "--folder", str(folder), "--port", str(port)]
    raise typer.Exit(subprocess.call(command))  # noqa: S603 - our own module


def _arguments(app: str, queues: str | None, concurrency: int | None) -> list[str]:
    arguments = [app]
    if queues is not None:
        arguments += ["--queues", queues]
    if concurrency is not None:
        arguments += ["--concurrency", str(concurrency)]
    return arguments
