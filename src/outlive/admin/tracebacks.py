"""A traceback in its parts, so that the application's own frames stand out from those of libraries. Pure."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

_PLACE = re.compile(r'^ {2}File "(?P<file>[^"]+)", line (?P<line>\d+), in (?P<name>.+)$')
#: Goes without saying.
_OPENING = "Traceback (most recent call last):"
_LIBRARY = re.compile(r"[/\\](site-packages|dist-packages|lib[/\\]python3[\d.]*|outlive[/\\]executors)[/\\]|^<frozen ")


@dataclass(frozen=True, slots=True)
class Part:
    """A frame with its lines of source, or (`file` is None) what stands between frames."""

    text: str
    file: str | None = None
    line: int = 0
    name: str = ""
    is_own: bool = False


def parts(text: str, roots: Sequence[str] = ()) -> Sequence[Part]:
    """Divide a traceback as Python prints it; any other text is one part. Files are told from `roots` on."""
    found: list[Part] = []
    lines: list[str] = []
    frame: re.Match[str] | None = None
    for line in text.splitlines():
        place = _PLACE.match(line)
        ends = place is not None or (frame is not None and not line.startswith("    "))
        if ends:
            _close(found, frame, lines, roots)
            lines, frame = [], place
        if place is None:
            lines.append(line)
    _close(found, frame, lines, roots)
    return found


def short(file: str, roots: Sequence[str]) -> str:
    """A path without the longest of the folders in front of it."""
    folders = (root.rstrip("/\\") for root in roots)
    longest = max((one for one in folders if one and file.startswith((f"{one}/", f"{one}\\"))), key=len, default="")
    return file[len(longest) :].lstrip("/\\") if longest else file


def _close(found: list[Part], frame: re.Match[str] | None, lines: list[str], roots: Sequence[str]) -> None:
    if frame is None:
        told = [line for line in lines if line != _OPENING]
        if any(line.strip() for line in told):
            found.append(Part("\n".join(told).strip("\n")))
        return
    source = "\n".join(line.removeprefix("    ") for line in lines)
    file = frame["file"]
    is_own = _LIBRARY.search(file) is None
    found.append(Part(source, short(file, roots), int(frame["line"]), frame["name"], is_own))
