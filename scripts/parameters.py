"""Keep docs/parameters.md: what outlive has taken over from other libraries, each with the test that shows it at work.

The list is scripts/parameters.toml. Fails where a test does not exist, and where a name that outlive has names none.
With --check nothing is written; the run fails when the page is stale.
"""

import argparse
import ast
import importlib
import inspect
import sys
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Unpack, get_args, get_origin

ROOT = Path(__file__).resolve().parent.parent
LIST, PAGE, TESTS = ROOT / "scripts" / "parameters.toml", ROOT / "docs" / "parameters.md", ROOT / "tests"
INTRODUCTION = """# Parameters

Parameters, methods and attributes that outlive has taken over from other libraries as these document them, each with
the test that shows it at work. `make fix` writes this page, `make check` looks whether the tests exist.
"""


@dataclass(frozen=True)
class Row:
    """One name, where it is to be found, and its test."""

    section: str
    of: str
    name: str
    test: str


def main() -> int:
    """Write the page, or check it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing, fail when the page is stale")
    check = parser.parse_args().check
    rows = list(read())
    troubles = [trouble for row in rows for trouble in troubles_of(row)]
    old = PAGE.read_text(encoding="utf-8") if PAGE.exists() else ""
    new = page(rows)
    if check and new != old:
        troubles.append("docs/parameters.md is stale. Run: make fix")
    elif new != old:
        PAGE.write_text(new, encoding="utf-8")
    for trouble in troubles:
        print(f"parameters: {trouble}")
    missing = sum(not row.test for row in rows)
    print(f"parameters: {len(rows)} names, {missing} of them not there, {len(troubles)} to mend")
    return 1 if troubles else 0


def read() -> Iterator[Row]:
    """The rows of the list, in its order."""
    for section in tomllib.loads(LIST.read_text(encoding="utf-8"))["section"]:
        title, of = section.pop("title"), section.pop("of")
        yield from (Row(title, of, name, test) for name, test in section.items())


def troubles_of(row: Row) -> Iterator[str]:
    """What is wrong with a row."""
    exists = row.name in names_of(row.of)
    if row.test and not exists:
        yield f"{row.of} has no {row.name}, which {row.test} is said to test"
    elif exists and not row.test:
        yield f"{row.of} has {row.name} now: name its test in {LIST.relative_to(ROOT)}"
    file, _, test = row.test.partition("::")
    if row.test and test not in tests_in(file):
        yield f"there is no test {row.test} (for {row.name} of {row.of})"


@cache
def names_of(path: str) -> frozenset[str]:
    """The parameters of a callable, options included, and for a class its attributes, too."""
    module, *parts = path.split(".")
    found: Any = importlib.import_module(module)
    for part in parts:
        found = getattr(found, part)
    parameters = inspect.signature(found).parameters
    names = set(parameters)
    for parameter in parameters.values():
        if parameter.kind is inspect.Parameter.VAR_KEYWORD and get_origin(parameter.annotation) is Unpack:
            names |= set(get_args(parameter.annotation)[0].__annotations__)
    if isinstance(found, type):
        names |= {name for name in dir(found) if not name.startswith("_")} | assigned_in(found)
    return frozenset(names)


def assigned_in(cls: type) -> set[str]:
    """The attributes that a class and its bases set on themselves."""
    sources = [inspect.getsource(base) for base in cls.__mro__ if base.__module__.startswith("outlive")]
    nodes = (node for source in sources for node in ast.walk(ast.parse(source)))
    targets = (node for node in nodes if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store))
    return {node.attr for node in targets if isinstance(node.value, ast.Name) and node.value.id == "self"}


@cache
def tests_in(file: str) -> frozenset[str]:
    """The names of the tests of a file below tests/."""
    path = TESTS / file
    if not path.is_file():
        return frozenset()
    body = ast.parse(path.read_text(encoding="utf-8")).body
    return frozenset(node.name for node in body if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))


def page(rows: list[Row]) -> str:
    """The whole page: a table for each section."""
    lines = [INTRODUCTION]
    for section in dict.fromkeys(row.section for row in rows):
        lines += [f"## {section}\n", "| name | test |", "|---|---|"]
        lines += [f"| `{row.name}` | {shown(row)} |" for row in rows if row.section == section]
        lines.append("")
    return "\n".join(lines)


def shown(row: Row) -> str:
    """The test of a row as words, with the file it is in."""
    file, _, test = row.test.partition("::")
    return f"{test.removeprefix('test_').replace('_', ' ')} (`tests/{file}`)" if test else "not in this version"


if __name__ == "__main__":
    sys.exit(main())
