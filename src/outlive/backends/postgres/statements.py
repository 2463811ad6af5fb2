"""The SQL of this backend: loads the files and fills their placeholders.

In `queries/`, `:name` stands for a parameter and `{record}` for the text of a fragment. In `moves/` are the parts of
which the statement of a batch is put together, see `batches.py`; `{rows}` stands there for a table of moves, whose
columns are those of the header `-- row: id text, at moment`, and `{places}` for the first two of them. `-- moves: start
pending -> running` declares a change of status; a test holds it against the table.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

from outlive.errors import BackendError

_FOLDER = files("outlive.backends.postgres")
_PARAMETER = re.compile(r"(?<!:):([a-z_]+)")
_FRAGMENT = re.compile(r"\{([a-z]+)\}")


@dataclass(frozen=True, slots=True)
class Query:
    """A statement as the server takes it, and the names of its parameters in their order."""

    text: str
    names: tuple[str, ...]

    def values(self, given: Mapping[str, Any]) -> list[Any]:
        """The parameters in their order."""
        return [given[name] for name in self.names]


@cache
def source(name: str, folder: str = "queries") -> str:
    """The text of a file as it is."""
    return (_FOLDER / folder / f"{name}.sql").read_text(encoding="utf-8")


@cache
def query(name: str) -> Query:
    """A statement of `queries/`."""
    text = _FRAGMENT.sub(lambda match: bare(source(f"{match[1]}.fragment")), bare(source(name)))
    names: list[str] = []

    def number(match: re.Match[str]) -> str:
        if match[1] not in names:
            names.append(match[1])
        return f"${names.index(match[1]) + 1}"

    return Query(_PARAMETER.sub(number, text), tuple(names))


def headers(text: str, kind: str) -> list[str]:
    """What stands after `-- kind:` in the comments of a file."""
    start = f"-- {kind}:"
    return [line.removeprefix(start).strip() for line in text.splitlines() if line.startswith(start)]


@cache
def row(name: str) -> tuple[tuple[str, str], ...]:
    """The columns that the header `-- row:` of a part names, with their types."""
    for line in headers(source(name, "moves"), "row"):
        return tuple((column.split()[0], column.split()[1]) for column in line.split(","))
    raise BackendError(f"moves/{name}.sql has no header '-- row:'")


def migrations() -> list[tuple[int, str]]:
    """The numbered migrations with their text, in order."""
    found = [entry for entry in (_FOLDER / "migrations").iterdir() if entry.name.endswith(".sql")]
    return sorted((int(entry.name.split("_", 1)[0]), entry.read_text(encoding="utf-8")) for entry in found)


def bare(text: str) -> str:
    """A text without comments."""
    lines = (line.partition("-- ")[0].rstrip() for line in text.splitlines())
    return "\n".join(line for line in lines if line).rstrip(";")
