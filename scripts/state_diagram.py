"""Draw the state table of `outlive.core.states` in docs/architecture.md.

The diagram stands between the markers `<!-- states:begin -->` and `<!-- states:end -->`.
With --check nothing is written; the run fails when the page does not show the table.
"""

import argparse
import re
import sys
from collections.abc import Iterable
from enum import Enum
from pathlib import Path

from outlive.core.states import TRANSITIONS

PAGE = Path(__file__).resolve().parent.parent / "docs" / "architecture.md"
BEGIN, END = "<!-- states:begin -->", "<!-- states:end -->"


def rank(member: Enum | None) -> int:
    """Order by definition, with "not there yet" first."""
    return -1 if member is None else list(type(member)).index(member)


def state(member: Enum | None) -> str:
    """Name a status the way Mermaid takes it; `[*]` is a task that is not there yet."""
    return "[*]" if member is None else re.sub(r"\W", "_", str(member.value))


def diagram() -> str:
    """Return the Mermaid block: one arrow for each pair of states, with its events."""
    table: Iterable[tuple[tuple[Enum, Enum | None], frozenset[Enum]]] = TRANSITIONS.items()
    arrows: dict[tuple[Enum | None, Enum], list[Enum]] = {}
    for (event, source), targets in table:
        for target in targets:
            arrows.setdefault((source, target), []).append(event)
    lines = ["```mermaid", "stateDiagram-v2"]
    for source, target in sorted(arrows, key=lambda pair: (rank(pair[0]), rank(pair[1]))):
        events = ", ".join(str(event.value) for event in sorted(arrows[source, target], key=rank))
        lines.append(f"    {state(source)} --> {state(target)}: {events}")
    left = {source for source, _ in arrows}
    ends = {target for _, target in arrows if target not in left}
    lines += [f"    {state(end)} --> [*]" for end in sorted(ends, key=rank)]
    return "\n".join([*lines, "```"])


def main() -> int:
    """Write the diagram, or check that it is the one on the page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing, fail when the page is stale")
    check = parser.parse_args().check
    old = PAGE.read_text(encoding="utf-8") if PAGE.exists() else ""
    before, begin, rest = old.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        print(f"state diagram: docs/{PAGE.name} lacks the markers {BEGIN} and {END}. Put them where it belongs.")
        return 1
    new = f"{before}{BEGIN}\n{diagram()}\n{END}{after}"
    if new == old:
        print("state diagram: up to date")
        return 0
    if check:
        print(f"state diagram: docs/{PAGE.name} does not show TRANSITIONS. Run: make fix")
        return 1
    PAGE.write_text(new, encoding="utf-8")
    print(f"state diagram: wrote docs/{PAGE.name}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
