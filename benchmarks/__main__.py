"""Runs the measures, prints them, and writes `docs/benchmarks.md` and `docs/scaling.md`: `python -m benchmarks`."""

import argparse
import importlib
import json
import signal
import sys
import tempfile
import time
import traceback
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from benchmarks import plots
from benchmarks.machine import machine
from benchmarks.measure import Options, Section
from benchmarks.page import cells, page
from benchmarks.scaling_page import updated

ROOT = Path(__file__).resolve().parent.parent
PAGE, SCALING = ROOT / "docs" / "benchmarks.md", ROOT / "docs" / "scaling.md"
#: The figures of the last run, for whoever draws something else from them.
FIGURES = ROOT / ".cache" / "benchmarks.json"
MEASURES = (
    "request",
    "requests_per_second",
    "requests_peers",
    "drain",
    "sqlite_journal",
    "latency",
    "processes",
    "queues",
    "memory",
    "postgres",
    "redis_backend",
    "lists",
    "growth",
    "scaling",
    "killed",
    "locks",
    "schedules",
    "on_uvloop",
    "with_dashboard",
    "dashboard",
)
#: Seconds that a measure may take in the short form, many times what it does take.
LONGEST = 400.0
#: Seconds that it takes to see that every environment is there.
PREPARED = 15.0


def main() -> None:
    """Measure, print, write."""
    given = _arguments()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # as Ctrl-C does: what was started is ended
    options = Options(given.full, given.folder)
    names = given.only or MEASURES
    made = prepare(names)
    began, about = time.monotonic(), list(machine(given.folder))
    sections: list[Section] = []
    for name in names:
        sections.append(measure(name, options))
        if not given.only:
            took = "Took", f"{time.monotonic() - began:.0f} s, {_form(options)}{made}"
            write([*about, took], sections)  # each time: a run that is cut short has written what it has
    if given.only:
        print("Only a run of all measures writes docs/benchmarks.md.")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--only", nargs="+", metavar="MEASURE", help=f"only these: {', '.join(MEASURES)}")
    parser.add_argument("--full", action="store_true", help="three times the rounds")
    parser.add_argument("--folder", type=Path, default=Path(tempfile.gettempdir()), help="where files are made")
    given = parser.parse_args()
    if unknown := [name for name in given.only or () if name not in MEASURES]:
        parser.error(f"{unknown[0]!r} is no measure; choose from {', '.join(MEASURES)}")
    return given


def _form(options: Options) -> str:
    return f"the {'long' if options.full else 'short'} form"


def prepare(names: Sequence[str]) -> str:
    """Make the environments of other systems, which is no part of a measure; how long that took, if it did."""
    began = time.monotonic()
    for name in names:
        with suppress(ImportError):  # its measure will say so
            getattr(importlib.import_module(f"benchmarks.{name}"), "prepare", int)()
    took = time.monotonic() - began
    return f", after {took:.0f} s in which environments of other systems were made" if took > PREPARED else ""


def measure(name: str, options: Options) -> Section:
    """Run one measure and print it; one that fails or hangs says so on the page and stops no other."""
    began = time.monotonic()
    try:
        with at_most_seconds(LONGEST * (5 if options.full else 1)):
            section: Section = importlib.import_module(f"benchmarks.{name}").run(options)
    except Exception as error:  # noqa: BLE001 - the others have figures worth writing
        traceback.print_exc()
        section = Section(name.replace("_", " ").capitalize(), f"Not measured: {type(error).__name__}: {error}")
    print(f"\n{section.title} ({time.monotonic() - began:.0f} s)")
    for one in section.tables:
        print(f"  {one.title}", *(" | ".join(line) for line in one.lines), sep="\n    ")
    for row in section.rows:
        print("  " + " | ".join(cell for cell in cells(row) if cell), flush=True)
    return section


@contextmanager
def at_most_seconds(seconds: float) -> Iterator[None]:
    """Raise `TimeoutError` in what takes longer; in the main thread of a system that has such signals."""

    def end(*_: object) -> None:
        raise TimeoutError(f"not done after {seconds:g} s")

    if not hasattr(signal, "setitimer"):
        yield
        return
    before = signal.signal(signal.SIGALRM, end)
    signal.setitimer(signal.ITIMER_REAL, seconds, 10)  # again, where the first was taken for an error of a task
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def write(about: Sequence[tuple[str, str]], sections: Sequence[Section]) -> None:
    """The page, its pictures, and the figures as JSON."""
    FIGURES.parent.mkdir(exist_ok=True)
    FIGURES.write_text(
        json.dumps({section.title: section.data for section in sections}, indent=1, default=str), encoding="utf-8"
    )
    pictures = plots.draw(sections, PAGE.parent / "plots")
    PAGE.write_text(page(about, sections, list(pictures.values())), encoding="utf-8")
    there = SCALING.read_text(encoding="utf-8")
    SCALING.write_text(updated(there, sections, about, pictures.get("scaling", "")), encoding="utf-8")


if __name__ == "__main__":
    main()
