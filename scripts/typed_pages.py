"""Check the types of the Python on the pages: what a reader copies passes `mypy --strict`."""

import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
BLOCK = re.compile(r'^```python(?: title="([^"]*)")?\n(.*?)^```', re.MULTILINE | re.DOTALL)
#: A decorator that gives back the function itself; mypy cannot see through those of FastAPI and pytest everywhere.
OPTIONS = ("--strict", "--disable-error-code=untyped-decorator", "--no-error-summary", "--config-file=")


def main() -> int:
    """Write each page as a module, or as the files that it says to save, and let mypy read them."""
    pages = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
    with tempfile.TemporaryDirectory() as folder:
        count = sum(write(page, Path(folder)) for page in pages)
        files = sorted(path.name for path in Path(folder).glob("*.py"))
        environment = {**os.environ, "MYPYPATH": str(ROOT / "src")}
        cache = f"--cache-dir={ROOT / '.mypy_cache' / 'pages'}"
        command = [sys.executable, "-m", "mypy", *OPTIONS, cache, *files]
        done = subprocess.run(command, cwd=folder, env=environment, check=False)
    print(f"typed pages: {count} pages, {'to mend' if done.returncode else 'all typed'}")
    return done.returncode


def write(page: Path, folder: Path) -> bool:
    """Write the Python of one page; False where it has none."""
    blocks = BLOCK.findall(page.read_text(encoding="utf-8"))
    if all(title.endswith(".py") for title, _ in blocks):
        for title, text in blocks:
            (folder / title).write_text(text, encoding="utf-8")
    else:
        name = re.sub(r"\W", "_", page.relative_to(ROOT).with_suffix("").as_posix())
        (folder / f"{name}.py").write_text("\n".join(text for _, text in blocks), encoding="utf-8")
    return bool(blocks)


if __name__ == "__main__":
    sys.exit(main())
