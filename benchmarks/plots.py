"""Draws a run as SVG, readable on a light and on a dark page."""

import statistics
from collections.abc import Callable, Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from benchmarks.measure import Section

#: Mid tones, which stand out from white and from black alike.
OWN, OTHER, RAW, INK = "#e8590c", "#6c8ebf", "#8a8f98", "#808080"
BACKENDS = ("SQLite", "PostgreSQL", "Redis")


def draw(sections: Sequence[Section], folder: Path) -> dict[str, str]:
    """Draw what there are figures for; the Markdown that shows each. Nothing without matplotlib."""
    if find_spec("matplotlib") is None:
        print("No pictures: matplotlib is not installed (dependency group `bench`).")
        return {}
    figures = {section.title: section.data for section in sections if section.data}
    folder.mkdir(exist_ok=True)
    found = {}
    for name, (beginning, drawn, words) in PICTURES.items():
        data = next((data for title, data in figures.items() if title.startswith(beginning)), None)
        if data is not None:
            drawn(data, folder / f"{name}.svg")
            found[name] = f"![{words}](plots/{name}.svg)"
    return found


def canvas(count: int, height: float) -> tuple[Any, list[Any]]:
    """A transparent figure with axes side by side."""
    import matplotlib as mpl  # noqa: PLC0415 - only `make bench` has it
    from matplotlib.figure import Figure  # noqa: PLC0415

    names = ("text.color", "axes.labelcolor", "xtick.color", "ytick.color", "axes.edgecolor")
    ink: dict[Any, Any] = dict.fromkeys(names, INK)
    # Text stays text, and the ids in the file do not change with every run.
    mpl.rcParams.update(ink | {"svg.fonttype": "none", "svg.hashsalt": "outlive", "font.size": 9})
    figure = Figure(figsize=(10, height), layout="constrained")
    axes = list(figure.subplots(1, count, squeeze=False)[0])
    for axis in axes:
        axis.patch.set_alpha(0)
        axis.spines[["top", "right"]].set_visible(False)
    return figure, axes


def save(figure: Any, path: Path) -> None:
    """Without a date, so that the same figures give the same file."""
    figure.savefig(path, format="svg", transparent=True, metadata={"Date": None})


def queues(data: Mapping[str, Mapping[str, list[float]]], path: Path) -> None:
    """One panel for each backend: what a worker drains, least to greatest as a line."""
    figure, axes = canvas(len(BACKENDS), 3.4)
    for axis, backend in zip(axes, BACKENDS, strict=True):
        found = {
            name.removeprefix(f"{backend} "): each["drain"]
            for name, each in data.items()
            if name.startswith(f"{backend} ")
        }
        names = sorted(found, key=lambda name: statistics.median(found[name]))
        for at, name in enumerate(names):
            _bar(axis, at, name, found[name])
        axis.set_yticks(range(len(names)), names)
        axis.set_xscale("log")
        axis.set_xlim(left=10, right=1e6)
        axis.set_title(backend, color=INK)
        axis.set_xlabel("tasks per second, drained by one worker")
    save(figure, path)


def _bar(axis: Any, at: int, name: str, values: list[float]) -> None:
    middle = statistics.median(values)
    color = OWN if name.startswith("outlive") else RAW if name == "raw" else OTHER
    axis.barh(at, middle, color=color)
    axis.plot([min(values), max(values)], [at, at], color=INK, linewidth=1.5)
    axis.text(max(values), at, f"  {middle:,.0f}", va="center", fontsize=8)


def requests(data: Mapping[str, Any], path: Path) -> None:
    """What a task adds to a request, by system and moment."""
    figure, (axis,) = canvas(1, 4.2)
    added = dict(sorted(data["added"].items(), key=lambda pair: pair[1], reverse=True))
    for at, (name, value) in enumerate(added.items()):
        _bar(axis, at, name, [value])
    axis.set_yticks(range(len(added)), list(added))
    axis.set_xscale("log")
    axis.set_xlim(left=1)
    axis.set_xlabel("microseconds added to one request")
    save(figure, path)


def waits(data: Mapping[str, Any], path: Path) -> None:
    """The wait by load, as measured and as the model says."""
    figure, axes = canvas(len(data), 2.8)
    for axis, (name, found) in zip(axes, data.items(), strict=True):
        model, busiest = found["fitted"], found["loads"][-1]["rate"]
        rates = [busiest * share / 100 for share in range(1, 111)]
        axis.plot(rates, [model.wait(rate) for rate in rates], color=OTHER, label="model")
        axis.plot([one["rate"] for one in found["loads"]], [one["wait"] for one in found["loads"]], "o", color=OWN)
        axis.set_title(name, color=INK)
        axis.set_xlabel("tasks per second")
        axis.set_ylim(bottom=0)
    axes[0].set_ylabel("ms from call to start, p50")
    save(figure, path)


PICTURES: dict[str, tuple[str, Callable[[Any, Path], None], str]] = {
    "queues": ("Queues", queues, "Tasks per second that one worker drains, by backend and system"),
    "requests": ("Requests beside", requests, "Microseconds that one task adds to a request, by system and moment"),
    "scaling": ("What one process", waits, "Wait of a task by load, as measured and as the model says"),
}
