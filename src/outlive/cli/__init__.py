"""The command line: `outlive worker`, `outlive tasks`, and what else `outlive --help` lists."""

import sys
from importlib.util import find_spec


def main() -> None:
    """Run a command; says what to install where its packages are missing."""
    missing = [name for name in ("typer", "rich") if find_spec(name) is None]
    if missing:
        sys.exit(f"The command line needs more packages ({', '.join(missing)}): pip install 'outlive[cli]'")
    from outlive.cli.app import app  # noqa: PLC0415 - only now is it known that it can be

    app()
