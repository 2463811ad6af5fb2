"""Rounds, percentiles and the verdict on a bar: what every measure shares."""

import gc
import random
import statistics
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any


@dataclass(frozen=True, slots=True)
class Options:
    """How long and where a run measures."""

    #: The long form: more rounds, a million records.
    full: bool
    #: Where files are made; the file system is part of what is measured.
    folder: Path

    def rounds(self, usual: int) -> int:
        """How many rounds: three times the usual in the long form, and in the short one what ten minutes allow."""
        return usual * 3 if self.full else max(min(usual, 3), round(usual * 0.5))


@dataclass(frozen=True, slots=True)
class Row:
    """One line of a table; a measure without a bar says what it is compared with, or nothing."""

    what: str
    measured: str
    beside: str = ""
    bar: str = ""
    verdict: str = ""


@dataclass(frozen=True, slots=True)
class Table:
    """A table of its own width, for what is no single figure with a bar."""

    title: str
    header: Sequence[str]
    lines: Sequence[Sequence[str]]


@dataclass(slots=True)
class Section:
    """One measure: how it was taken, and its rows."""

    title: str
    method: str
    beside: str = "beside"
    rows: list[Row] = field(default_factory=list)
    tables: list[Table] = field(default_factory=list)
    #: What pictures and other pages are made of.
    data: dict[str, Any] = field(default_factory=dict)
    #: Of the systems that it measured.
    versions: dict[str, str] = field(default_factory=dict)


@contextmanager
def scratch(options: Options) -> Iterator[Path]:
    """A folder of its own for the files of one sample."""
    with TemporaryDirectory(prefix="outlive-bench-", dir=options.folder) as name:
        yield Path(name)


async def interleave(
    cases: Mapping[str, Callable[[], Awaitable[float]]], rounds: int, *, young_only: bool = False
) -> dict[str, list[float]]:
    """One sample of every case in each round, in an order drawn anew, so that the machine's drift meets all alike.

    Garbage is collected before each sample; with `young_only`, for samples that are shorter than that takes, all of it
    only before each round.
    """
    samples: dict[str, list[float]] = {name: [] for name in cases}
    names = list(cases)
    for _ in range(rounds):
        random.shuffle(names)
        gc.collect()
        for name in names:
            gc.collect(1 if young_only else 2)
            samples[name].append(await cases[name]())
    return samples


def percentile(values: Sequence[float], percent: float) -> float:
    """The value below which this share of the values lies (nearest rank)."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * percent / 100))]


def ratios(values: Sequence[float], base: Sequence[float]) -> list[float]:
    """Each value over the one of the same round."""
    return [value / other for value, other in zip(values, base, strict=True)]


def number(value: float) -> str:
    """A figure with three digits that count."""
    if abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}"


def spread(values: Sequence[float], unit: str = "") -> str:
    """`median [min..max] unit`."""
    text = f"{number(statistics.median(values))} [{number(min(values))}..{number(max(values))}]"
    return f"{text} {unit}".rstrip()


def at_most(what: str, value: float, bar: float, unit: str, measured: str = "", beside: str = "") -> Row:
    """A row whose bar is an upper one."""
    return Row(
        what, measured or f"{number(value)} {unit}", beside, f"at most {_bar(bar)} {unit}", _verdict(bar - value, unit)
    )


def at_least(what: str, value: float, bar: float, unit: str, measured: str = "", beside: str = "") -> Row:
    """A row whose bar is a lower one."""
    return Row(
        what, measured or f"{number(value)} {unit}", beside, f"at least {_bar(bar)} {unit}", _verdict(value - bar, unit)
    )


def _bar(value: float) -> str:
    return f"{value:.0f}" if value >= 100 else f"{value:g}"


def _verdict(margin: float, unit: str) -> str:
    return f"met, {number(margin)} {unit} to spare" if margin >= 0 else f"**missed** by {number(-margin)} {unit}"
