"""The Lua of this backend: loads the files and puts together what is sent.

A script begins with `prelude.lua`; `-- needs: records` names a file that comes before it. `-- {moves}` stands for the
files of a folder. `-- moves: start pending -> running` declares a change of status; a test holds it against the table.
"""

import re
from dataclasses import dataclass
from functools import cache
from hashlib import sha1
from importlib.resources import files

from outlive.errors import BackendError

_FOLDER = files("outlive.backends.redis")
_NEEDS, _MOVES, _MIGRATION = "-- needs:", "-- {moves}", "-- {migration}"
_VERB = re.compile(r"^function verbs\.(\w+)", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Script:
    """A script as the server gets it, and the name under which the server keeps it."""

    text: str
    sha: str


@cache
def script(name: str) -> Script:
    """The script of a verb."""
    text = source(name)
    if _MOVES in text:
        text = text.replace(_MOVES, "\n".join(_on_demand(source(f"moves/{move}")) for move in names("moves")))
    return _complete(text)


def _on_demand(text: str) -> str:
    """A file of verbs as a function under the name of each of them."""
    own = ", ".join(f"files.{verb}" for verb in _VERB.findall(text))
    copies = ", ".join(["file"] * len(_VERB.findall(text)))
    return f"do local function file()\n{text}\nend {own} = {copies} end"


def migration_script(text: str) -> Script:
    """The script that applies one migration."""
    return _complete(source("migrate").replace(_MIGRATION, text))


@cache
def source(name: str) -> str:
    """The text of a file as it is."""
    return (_FOLDER / "scripts" / f"{name}.lua").read_text(encoding="utf-8")


def names(folder: str = "") -> list[str]:
    """The scripts of a folder."""
    found = (_FOLDER / "scripts" / folder).iterdir()
    return sorted(entry.name.removesuffix(".lua") for entry in found if entry.name.endswith(".lua"))


def headers(text: str, kind: str) -> list[str]:
    """What stands after `-- kind:` in the comments of a text."""
    start = f"-- {kind}:"
    return [line.removeprefix(start).strip() for line in text.splitlines() if line.startswith(start)]


def migrations() -> list[tuple[int, str]]:
    """The numbered migrations with their text, in order."""
    found = [entry for entry in (_FOLDER / "migrations").iterdir() if entry.name.endswith(".lua")]
    return sorted((int(entry.name.split("_", 1)[0]), entry.read_text(encoding="utf-8")) for entry in found)


def compatible_from(text: str) -> int:
    """The oldest layout whose release can work on the keys after this migration, as its header says."""
    for header in headers(text, "compatible from"):
        return int(header)
    raise BackendError("a migration has no header '-- compatible from: <number>'")


def _complete(text: str) -> Script:
    parts = [source("prelude"), *(source(needed) for needed in headers(text, "needs")), text]
    # Without comments: the server keeps the text for as long as it runs.
    lines = (line.partition("-- ")[0].rstrip() for part in parts for line in part.splitlines())
    bare = "\n".join(line for line in lines if line)
    return Script(bare, sha1(bare.encode(), usedforsecurity=False).hexdigest())
