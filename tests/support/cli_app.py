"""An application for the command line, as a file in a folder of its own."""

import os
import subprocess
import sys
from pathlib import Path

SOURCE = """
import asyncio, os, time
from outlive import QueueConfig, TaskManager, task_log

manager = TaskManager("tasks.db", lease=3, poll_interval=0.05, shutdown_grace=20, run_tasks=False)


@manager.task(requeue_on_interrupt=True)
async def note(word: str, seconds: float = 0.0) -> str:
    task_log("noting", level="warning")
    with open("began.txt", "a") as file:
        file.write(f"{word} {os.getpid()}\\n")
    await asyncio.sleep(seconds)
    with open("noted.txt", "a") as file:
        file.write(f"{word}\\n")
    return word


@manager.task()
async def fail() -> None:
    raise ValueError("=boom")


@manager.schedule(cron="0 9 * * *")
async def morning() -> None: ...
"""


def write(folder: Path, source: str = SOURCE) -> Path:
    (folder / "shop.py").write_text(source, encoding="utf-8")
    return folder


def outlive(folder: Path, *arguments: str, answer: str = "") -> subprocess.CompletedProcess[str]:
    """Run a command to its end."""
    return subprocess.run(
        [sys.executable, "-m", "outlive", *arguments],
        cwd=folder,
        env=environment(),
        input=answer,
        capture_output=True,
        text=True,
        timeout=50,
        check=False,
    )


def environment() -> dict[str, str]:
    return os.environ | {"OUTLIVE_APP": "", "OUTLIVE_BACKEND": "", "NO_COLOR": "1", "COLUMNS": "300"}
