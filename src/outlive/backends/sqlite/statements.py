"""The SQL of this backend: loads the files and fills their placeholders.

`{rows}` stands for a table of moves; its columns are those of the header `-- row: id, fence`. `{record}` and
`{schedule}` stand for one as JSON. `-- moves: start pending -> running` declares a change of status; a test holds it
against the table.
"""

from functools import cache
from importlib.resources import files

from outlive.errors import BackendError

_FOLDER = files("outlive.backends.sqlite")


@cache
def source(name: str) -> str:
    """The text of a query as its file has it."""
    return (_FOLDER / "queries" / f"{name}.sql").read_text(encoding="utf-8")


@cache
def sql(name: str) -> str:
    """The text of a query that takes no rows."""
    text = _bare(source(name))
    for fragment in ("record", "schedule"):
        if f"{{{fragment}}}" in text:
            text = text.replace(f"{{{fragment}}}", _bare(source(f"{fragment}.fragment")))
    return text


def synchronous(setting: str) -> str:
    """How a connection is to wait for the disk: "FULL" or "NORMAL"."""
    return sql("connect_synchronous").replace("{setting}", setting)


@cache
def sql_for(name: str, count: int) -> str:
    """The text of a query that takes `count` rows."""
    return sql(name).replace("{rows}", _rows(row(name), count))


@cache
def row(name: str) -> tuple[str, ...]:
    """The columns that the header `-- row:` of a query names."""
    for line in headers(name, "row"):
        return tuple(column.strip() for column in line.split(","))
    raise BackendError(f"queries/{name}.sql has no header '-- row:'")


def headers(name: str, kind: str) -> list[str]:
    """What stands after `-- kind:` in the comments of a query."""
    start = f"-- {kind}:"
    return [line.removeprefix(start).strip() for line in source(name).splitlines() if line.startswith(start)]


def migrations() -> list[tuple[int, str]]:
    """The numbered migrations with their text, in order."""
    found = [entry for entry in (_FOLDER / "migrations").iterdir() if entry.name.endswith(".sql")]
    return sorted((int(entry.name.split("_", 1)[0]), entry.read_text(encoding="utf-8")) for entry in found)


def _bare(text: str) -> str:
    # A text without comments is what SQLite compiles and what the statement cache compares.
    lines = (line.partition("-- ")[0].rstrip() for line in text.splitlines())
    return "\n".join(line for line in lines if line).rstrip(";")


def _rows(columns: tuple[str, ...], count: int) -> str:
    names = ", ".join(f"column{number} as {name}" for number, name in enumerate(columns, 1))
    one = f"({', '.join('?' * len(columns))})"
    return f"(select {names} from (values {', '.join([one] * count)}))"  # noqa: S608 - names come from our own files
