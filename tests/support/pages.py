"""Runs the code of the documentation as it stands."""

import re
from pathlib import Path
from typing import Any, NamedTuple

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
_BLOCK = re.compile(r'^```(\w+)(?: title="([^"]*)")?\n(.*?)^```', re.MULTILINE | re.DOTALL)


class Block(NamedTuple):
    """A piece of code on a page; `title` is the file it is to be saved as, or what it is called."""

    language: str
    title: str
    text: str


def blocks(page: str | Path, language: str) -> list[Block]:
    """What a page has in a language, in its order."""
    text = (ROOT / page).read_text(encoding="utf-8")
    return [block for block in map(Block._make, _BLOCK.findall(text)) if block.language == language]


def run_page(page: str | Path) -> dict[str, Any]:
    """Run the Python of a page from top to bottom; its names."""
    names: dict[str, Any] = {"__name__": f"page_{Path(page).stem}"}
    for number, block in enumerate(blocks(page, "python"), 1):
        exec(compile(block.text, f"{page}, block {number}", "exec"), names)
    return names


def save_files(page: str | Path, folder: Path) -> list[str]:
    """Save the files that a page says to save; their names."""
    files = [block for block in blocks(page, "python") if block.title.endswith(".py")]
    for block in files:
        (folder / block.title).write_text(block.text, encoding="utf-8")
    return [block.title for block in files]
