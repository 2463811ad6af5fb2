"""How answers are printed: tables for people, JSON for programs."""

import json
from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

#: Colours of the words for how something stands.
_COLOURS = {
    "pending": "cyan",
    "running": "blue",
    "success": "green",
    "failed": "red",
    "interrupted": "magenta",
    "cancelled": "yellow",
    "rejected": "red",
    "ok": "green",
    "warn": "yellow",
    "wrong": "red",
}
_MINUTE, _HOUR, _DAY = 60, 3600, 86_400

console = Console()

#: For what is not the answer.
aside = Console(stderr=True)


def as_json(value: Any) -> None:
    """Print a value as JSON, one whole document."""
    print(json.dumps(value, indent=2, ensure_ascii=False, default=str))  # noqa: T201 - this is what was asked for


def table(columns: Sequence[str], rows: Iterable[Sequence[Any]], empty: str) -> None:
    """Print rows under their headings, or what it means that there are none."""
    drawn = Table(*columns, box=None, pad_edge=False, header_style="dim")
    for row in rows:
        drawn.add_row(*(_cell(value) for value in row))
    console.print(drawn if drawn.row_count else empty)


def details(pairs: Mapping[str, Any]) -> None:
    """Print names and values, those that are there."""
    drawn = Table(box=None, pad_edge=False, show_header=False)
    drawn.add_column(style="dim")
    drawn.add_column(overflow="fold")
    for name, value in pairs.items():
        if value not in (None, "", [], {}):
            drawn.add_row(name, _cell(value))
    console.print(drawn)


@contextmanager
def progress(what: str, total: int | None = None, *, quiet: bool = False) -> Generator[Callable[[int], None]]:
    """A bar, told how much is done of `total`; on a terminal alone, and not where it is to be `quiet`."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=aside, transient=True, disable=quiet or not aside.is_terminal) as bar:
        task = bar.add_task(what, total=total)
        yield lambda done: bar.update(task, completed=done)


def ago(moment: datetime | float | None, now: datetime | None = None) -> str:
    """How long ago a moment was, or how soon it will be."""
    if moment is None:
        return "-"
    then = moment if isinstance(moment, datetime) else datetime.fromtimestamp(moment, UTC)
    seconds = ((now or datetime.now(UTC)) - then).total_seconds()
    return f"{span(seconds)} ago" if seconds >= 0 else f"in {span(-seconds)}"


def span(seconds: float | None) -> str:
    """A length of time in its largest units."""
    if seconds is None:
        return "-"
    if seconds < 1:
        return f"{seconds * 1000:.0f} ms"
    if seconds < _MINUTE:
        return f"{seconds:.1f} s"
    if seconds < _HOUR:
        return f"{seconds // _MINUTE:.0f} min {seconds % _MINUTE:.0f} s"
    if seconds < _DAY:
        return f"{seconds // _HOUR:.0f} h {seconds % _HOUR // _MINUTE:.0f} min"
    return f"{seconds // _DAY:.0f} d {seconds % _DAY // _HOUR:.0f} h"


def _cell(value: Any) -> str:
    text = "-" if value is None else str(value)
    colour = _COLOURS.get(text)
    return f"[{colour}]{text}[/]" if colour else escape(text)
