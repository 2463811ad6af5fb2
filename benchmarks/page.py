"""Writes a run down as `docs/benchmarks.md`."""

from collections.abc import Iterator, Sequence
from itertools import chain
from pathlib import Path

from benchmarks.bars import overview
from benchmarks.measure import Row, Section, Table

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
- PostgreSQL and Valkey (for Redis) are those of the tests' wheels, one server of each for the whole run, on the same
  processors as everything else: PostgreSQL with fsync, its own settings and a unix socket, Valkey without persistence.
- The tasks do nothing. A real one dwarfs every figure here; these are the costs that come on top.
- A bar is what the project has set itself. A missed one is shown as such; nothing fails because of it.
- "Cited" figures of other systems are from an earlier, separate measurement on a comparable machine: an order
  of magnitude.
- Where "Files on" says tmpfs an fsync costs nothing; `make bench ARGS="--folder /path"` measures another disk.

`make bench ARGS="--only queues"` takes one measure and writes nothing, `--full` takes three times the rounds. What the
figures mean for a system that grows is on the page about [scaling](scaling.md).
"""

#: Why bars are missed, by hand: what a run cannot know.
WHY = Path(__file__).with_name("why.md")


def page(about: Sequence[tuple[str, str]], sections: Sequence[Section], pictures: Sequence[str]) -> str:
    """The whole page."""
    lines = [INTRO, "| run | |", "|---|---|", *(f"| {name} | {value} |" for name, value in [*about, *_peers(sections)])]
    lines += ["", "## What is met, and what is missed", "", summary(sections), "", *wide(overview(sections)), ""]
    lines += [f"{picture}\n" for picture in pictures]
    lines += chain.from_iterable(_section(section) for section in sections)
    return "\n".join([*lines, WHY.read_text(encoding="utf-8")])


def _section(section: Section) -> Iterator[str]:
    yield from (f"## {section.title}", "", section.method, "")
    for one in section.tables:
        yield from (f"### {one.title}", "", *wide(one), "")
    if section.rows:
        yield from (*table(section), "")


def _peers(sections: Sequence[Section]) -> Iterator[tuple[str, str]]:
    found = {name: version for section in sections for name, version in section.versions.items()}
    if found:
        yield "Other systems", ", ".join(f"{name} {version}" for name, version in sorted(found.items()))


def summary(sections: Sequence[Section]) -> str:
    """How many bars were met."""
    verdicts = [row.verdict for section in sections for row in section.rows if row.verdict]
    met = sum(verdict.startswith("met") for verdict in verdicts)
    return f"Of {len(verdicts)} figures with a bar {met} meet it."


def table(section: Section) -> Iterator[str]:
    """A section's rows as a Markdown table."""
    yield f"| | measured | {section.beside} | bar | |"
    yield "|---|---|---|---|---|"
    for row in section.rows:
        yield "| " + " | ".join(cells(row)) + " |"


def wide(one: Table) -> Iterator[str]:
    """A table of its own width."""
    yield "| " + " | ".join(one.header) + " |"
    yield "|---" * len(one.header) + "|"
    for line in one.lines:
        yield "| " + " | ".join(line) + " |"


def cells(row: Row) -> tuple[str, ...]:
    """A row's texts in the order of the columns."""
    return row.what, row.measured, row.beside, row.bar, row.verdict
