"""Puts the figures of a run into `docs/scaling.md`."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from benchmarks.measure import Section, number
from benchmarks.model import Model
from benchmarks.page import table, wide

BEGIN, END = "<!-- figures:begin -->", "<!-- figures:end -->"
TITLE = "What one process and one server carry"


def updated(text: str, sections: Sequence[Section], about: Sequence[tuple[str, str]], picture: str) -> str:
    """The page with the figures of this run; as it was where the run has none."""
    section = next((one for one in sections if one.title == TITLE and one.data), None)
    if section is None:
        return text
    before, _, rest = text.partition(BEGIN)
    return "\n".join(
        [f"{before}{BEGIN}", *_figures(section, sections, dict(about), picture), END + rest.partition(END)[2]]
    )


def _figures(section: Section, sections: Sequence[Section], about: Mapping[str, str], picture: str) -> Iterator[str]:
    loads, demands = section.tables
    yield f"Measured {about['Date']} on {about['Machine']}."
    yield from ("", f"## {TITLE}", "", section.method, "", *wide(demands), "")
    yield from (picture, "") if picture else ()
    yield from _sentences(section.data)
    yield from ("", "### How far the model holds", "", *wide(loads), "", *table(section), "")
    growth = next((one for one in sections if one.title == "How cost grows"), None)
    if growth is not None:
        yield from ("### By size", "", growth.method, "", *(line for one in growth.tables for line in wide(one)))


def _sentences(data: Mapping[str, Any]) -> Iterator[str]:
    for name, found in data.items():
        model: Model = found["fitted"]
        half = model.rate_at(0.5)
        text = f"- **{name}**: one process runs {number(found['most']['rate'])} tasks a second at most, if many are"
        text += f" accepted at once; half of its event loop is used by {number(half)} a second that arrive one by one,"
        text += f" and the model says that one of them waits {number(model.wait(half))} ms"
        if found["most"]["server"]:
            share = found["most"]["loop"] / found["most"]["server"]
            text += f"; one processor of the server keeps up with {share:.1f} processes that are full"
        yield f"{text}."
