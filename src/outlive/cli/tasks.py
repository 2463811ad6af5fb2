"""Commands about tasks: list, show, retry, cancel, enqueue, export."""

import csv
import json
import sys
from collections.abc import Awaitable, Callable, Generator, Iterable, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, TextIO

import typer

from outlive.admin.pages.tasks import neutral
from outlive.admin.query import QueryError, parse
from outlive.admin.search import every_match, matches, search
from outlive.cli.printing import ago, as_json, console, details, progress, span, table
from outlive.cli.target import App, AsJson, Backend, Yes, opened, run
from outlive.core.record import TaskRecord
from outlive.errors import ConfigError, OutliveError, UnknownTaskError
from outlive.manager import TaskManager

#: How many tasks one command may act on.
_MOST = 10_000

Words = Annotated[
    list[str] | None,
    typer.Argument(help="What to look for, as in the dashboard: status:failed fn:send_email age:<1h tag.region:eu"),
]
Ids = Annotated[list[str] | None, typer.Argument(help="Ids of tasks.")]
Where = Annotated[str | None, typer.Option("--where", help="All tasks that match, as in `outlive tasks`.")]


def add_to(app: typer.Typer) -> None:
    """Add these commands."""
    for command in (tasks, show, retry, cancel, enqueue, export):
        app.command()(command)


def tasks(
    words: Words = None,
    limit: Annotated[int, typer.Option(min=1, max=1000)] = 20,
    app: App = None,
    backend: Backend = None,
    json: AsJson = False,  # noqa: FBT002 - an option
) -> None:
    """List tasks, newest first."""

    async def command() -> None:
        async with opened(app, backend) as manager:
            found = await search(manager, _query(words), limit)
            if json:
                as_json([record.to_dict() for record in found.records])
                return
            _print(found.records)
            if found.after is not None:
                console.print("[dim]there are more; narrow the search or raise --limit[/]")

    run(command)


def show(task_id: str, app: App = None, backend: Backend = None, json: AsJson = False) -> None:  # noqa: FBT002
    """Show one task with its log and attempts."""

    async def command() -> None:
        async with opened(app, backend) as manager:
            record = await manager.get(task_id)
        if record is None:
            raise UnknownTaskError(f"there is no task {task_id!r}")
        if json:
            as_json(record.to_dict() | {"trace_id": record.trace_id})
        else:
            _print_one(record)

    run(command)


def retry(
    ids: Ids = None,
    where: Where = None,
    yes: Yes = False,  # noqa: FBT002 - an option
    app: App = None,
    backend: Backend = None,
    json: AsJson = False,  # noqa: FBT002
) -> None:
    """Run ended tasks again under the same id."""
    _act("retry", TaskManager.requeue, ids, where, app, backend, yes=yes, json=json)


def cancel(
    ids: Ids = None,
    where: Where = None,
    yes: Yes = False,  # noqa: FBT002 - an option
    app: App = None,
    backend: Backend = None,
    json: AsJson = False,  # noqa: FBT002
) -> None:
    """Cancel what has not started, and ask what runs to end."""

    async def end(manager: TaskManager, task_id: str) -> None:
        if not await manager.cancel(task_id, "cancelled from the command line"):
            raise OutliveError(f"task {task_id} has already ended")

    _act("cancel", end, ids, where, app, backend, yes=yes, json=json)


def enqueue(
    function: Annotated[str, typer.Argument(help="Name of a declared function.")],
    args: Annotated[str, typer.Option(help="Positional arguments as a JSON list.")] = "[]",
    kwargs: Annotated[str, typer.Option(help="Keyword arguments as a JSON object.")] = "{}",
    queue: str | None = None,
    app: App = None,
    json: AsJson = False,  # noqa: FBT002
) -> None:
    """Accept one run of a declared function; who runs tasks on this backend runs it."""

    async def command() -> None:
        positional, named = _arguments("args", args, list), _arguments("kwargs", kwargs, dict)
        async with opened(app, None) as manager:
            known = manager.registry.get_by_name(function)
            if known is None:
                names = ", ".join(sorted(definition.display_name for definition in manager.registry))
                raise ConfigError(f"no function {function!r} is declared; there are {names}")
            try:
                task = await manager.using(queue=queue).enqueue(known[0], *positional, **named)
            except TypeError as error:  # what a wrong call in code is
                raise ConfigError(f"{function} cannot be called so: {error}") from error
        as_json({"task_id": task.id}) if json else console.print(task.id)

    run(command)


def export(
    words: Words = None,
    output: Annotated[Path | None, typer.Option("--output", "-o", help="A file instead of the terminal.")] = None,
    format: Annotated[str, typer.Option(help="csv or jsonl")] = "csv",  # noqa: A002 - the option's name
    limit: Annotated[int, typer.Option(min=1)] = 100_000,
    app: App = None,
    backend: Backend = None,
) -> None:
    """Write the tasks that match as CSV or as lines of JSON."""
    if format not in _WRITERS:
        raise typer.BadParameter(f"{format!r} is not known; use csv or jsonl", param_hint="--format")

    async def command() -> None:
        async with opened(app, backend) as manager:
            with _opened_for_writing(output) as file, progress("writing", quiet=output is None) as done:
                write, written = _WRITERS[format](file), 0
                async for record in matches(manager, _query(words), limit):
                    write(record)
                    written += 1
                    done(written)

    run(command)


@contextmanager
def _opened_for_writing(output: Path | None) -> Generator[TextIO]:
    if output is None:
        yield sys.stdout
        return
    try:
        file = output.open("w", newline="", encoding="utf-8")
    except OSError as error:
        raise ConfigError(f"{output} cannot be written: {error.strerror}") from error
    with file:
        yield file


# -- acting on many ------------------------------------------------------------------------------


def _act(
    verb: str,
    action: Callable[[TaskManager, str], Awaitable[object]],
    ids: list[str] | None,
    where: str | None,
    app: str | None,
    backend: str | None,
    *,
    yes: bool,
    json: bool,
) -> None:
    async def command() -> Mapping[str, str]:
        async with opened(app, backend) as manager:
            chosen = await _chosen(manager, ids, where)
            if where is not None and not yes:
                typer.confirm(f"{verb} {len(chosen)} tasks?", abort=True, err=True)
            with progress(verb, len(chosen), quiet=json) as done:
                refused = await _each(manager, chosen, action, done)
        if json:
            as_json({"done": len(chosen) - len(refused), "refused": refused})
        else:
            console.print(f"{len(chosen) - len(refused)} done, {len(refused)} refused")
        return refused

    if run(command):
        raise typer.Exit(1)


async def _chosen(manager: TaskManager, ids: list[str] | None, where: str | None) -> list[str]:
    if bool(ids) == (where is not None):
        raise ConfigError("name tasks by their ids, or with --where, one of them")
    if where is None:
        return ids or []
    records, _ = await every_match(manager, _query([where]), _MOST)
    return [record.id for record in records]


async def _each(
    manager: TaskManager,
    ids: Iterable[str],
    action: Callable[[TaskManager, str], Awaitable[object]],
    done: Callable[[int], None],
) -> dict[str, str]:
    """Do it to each, say what could not be done, and give why, by the ids."""
    refused: dict[str, str] = {}
    for count, task_id in enumerate(ids, 1):
        try:
            await action(manager, task_id)
        except OutliveError as error:
            refused[task_id] = str(error)
            typer.secho(f"outlive: {error}", fg=typer.colors.RED, err=True)
        done(count)
    return refused


# -- reading and printing ------------------------------------------------------------------------


def _query(words: list[str] | None) -> Any:
    try:
        return parse(" ".join(words or []), datetime.now(UTC), arguments=True)
    except QueryError as error:
        raise ConfigError(str(error)) from error


def _arguments(name: str, text: str, kind: type) -> Any:
    try:
        value = json.loads(text)
    except ValueError as error:
        raise ConfigError(f"--{name} {text!r} is not JSON: {error}") from error
    if not isinstance(value, kind):
        raise ConfigError(f"--{name} {text!r} must be a JSON {'list' if kind is list else 'object'}")
    return value


def _print(records: Iterable[TaskRecord]) -> None:
    rows = (
        (one.id, one.func_name, one.status.value, ago(one.created_at), span(one.duration), one.queue, one.error)
        for one in records
    )
    table(("id", "function", "status", "accepted", "took", "queue", "error"), rows, "no tasks match")


def _print_one(record: TaskRecord) -> None:
    shown = record.to_dict() | {"trace_id": record.trace_id}
    for name in ("logs", "stacktrace", "history"):
        shown.pop(name, None)
    details(shown)
    for attempt in record.history:
        console.rule(f"attempt {attempt.number}: {attempt.outcome or 'running'}", align="left")
        error = None if attempt.stacktrace else attempt.error
        details({"began": attempt.started_at, "ended": attempt.ended_at, "owner": attempt.owner, "error": error})
        if attempt.stacktrace:
            console.print(attempt.stacktrace, markup=False, highlight=False)
    if record.logs:
        console.rule("log", align="left")
        for line in record.logs:
            console.print(f"{line.at:%H:%M:%S} {line.level:<7} {line.message}", markup=False, highlight=False)


_COLUMNS = (
    "task_id",
    "func_name",
    "status",
    "created_at",
    "start_time",
    "end_time",
    "duration",
    "attempts",
    "queue",
    "error",
)


def _csv(file: TextIO) -> Callable[[TaskRecord], object]:
    writer = csv.writer(file)
    writer.writerow(_COLUMNS)

    def write(record: TaskRecord) -> None:
        values = record.to_dict()
        cells = (values.get(name) for name in _COLUMNS)
        writer.writerow(neutral(cell) if isinstance(cell, str) else cell for cell in cells)

    return write


def _jsonl(file: TextIO) -> Callable[[TaskRecord], object]:
    return lambda record: file.write(json.dumps(record.to_dict(), ensure_ascii=False) + "\n")


_WRITERS = {"csv": _csv, "jsonl": _jsonl}
