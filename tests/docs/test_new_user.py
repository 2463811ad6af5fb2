"""Somebody who has nothing but the pages: every command on them, in an empty environment."""

import json
import os
import shlex
import shutil
import signal
import socket
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path

import pytest
from support.pages import ROOT, blocks, save_files
from support.waiting import until_sync

pytestmark = [pytest.mark.slow, pytest.mark.skipif(os.name == "nt", reason="the commands are those of a POSIX shell")]

OFFLINE = ("dns error", "Temporary failure in name resolution", "Network is unreachable", "Failed to establish")
#: Seconds for what a cold interpreter on a busy machine takes.
PATIENCE = 30.0
PLUGINS = "from importlib.metadata import entry_points; print(entry_points(group='pytest11'))"
#: Pages whose commands are run in the environment that the first minute has made.
FURTHER = ("docs/guide/deployment.md", "docs/guide/command-line.md", "docs/howto/metrics.md")
#: Commands that go on until they are stopped.
SERVE = ("uvicorn ", "outlive worker ")


def commands(page: str) -> list[str]:
    lines = [line for block in blocks(page, "console") for line in block.text.splitlines()]
    return [line.removeprefix("$ ") for line in lines if line.startswith("$ ")]


class Desk:
    """A folder, and a shell whose environment has what was installed."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.port = str(_free_port())
        bare = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "VIRTUAL", "COV"))}
        self.environment = {**bare, "PATH": f"{folder}/.venv/bin:{os.environ['PATH']}", "COLUMNS": "200"}

    def type(self, command: str) -> str:
        """Run a command; what it said."""
        done = subprocess.run(
            self._as_typed(command),
            shell=True,
            cwd=self.folder,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=50,
            check=False,
        )
        if any(sign in done.stderr for sign in OFFLINE):
            pytest.skip("the package index cannot be reached")
        assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
        return done.stdout

    @contextmanager
    def running(self, command: str):
        """Run a command until it is killed."""
        with (self.folder / "server.log").open("w") as log:
            process = subprocess.Popen(
                shlex.split(self._as_typed(command)), cwd=self.folder, env=self.environment, stdout=log, stderr=log
            )
            try:
                yield process
            finally:
                process.send_signal(signal.SIGKILL)
                process.wait()

    def tasks(self, app: str) -> list[dict]:
        return json.loads(self.type(f"outlive tasks --app {app} --json --limit 1000"))

    def _as_typed(self, command: str) -> str:
        command = command.replace("8000", self.port).replace('"outlive[cli]"', f'"{ROOT}[cli]"')
        if command.startswith("pip ") and shutil.which("uv"):  # the same, in seconds
            command = f"uv {command} --python .venv/bin/python"
        if command.startswith("python -m venv"):
            command = command.replace("python", sys.executable, 1)
        return command


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def answers(port: str) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", int(port))) == 0


def test_the_pages_with_commands_are_those_that_are_followed_here():
    pages = {path.relative_to(ROOT).as_posix() for path in (ROOT / "docs").rglob("*.md") if commands(str(path))}
    assert pages == {"docs/first-minute.md", *FURTHER}


@pytest.mark.timeout(120)
def test_from_nothing_to_a_task_that_is_retried_visible_and_scheduled(tmp_path):
    desk = Desk(tmp_path)
    typed = commands("docs/first-minute.md")
    install, (serve,) = typed[: typed.index("uvicorn main:app --port 8000")], [c for c in typed if c.startswith(SERVE)]
    look = typed[typed.index(serve) + 1 :]
    for command in install:
        desk.type(command)
    assert save_files("docs/first-minute.md", tmp_path) == ["main.py"]

    with desk.running(serve):
        until_sync(lambda: answers(desk.port), PATIENCE)
        task_id = json.loads(desk.type(look[0]))["task_id"]
        until_sync(lambda: of(task_id, desk.tasks("main:manager"))["status"] == "success", PATIENCE)
        as_json, listed, schedules = (desk.type(command) for command in look[1:])
    record = of(task_id, json.loads(as_json))
    assert (record["func_name"], record["retries_used"]) == ("send_email", 1)
    assert "send_email" in listed
    assert "look_for_replies" in schedules

    with desk.running(serve):  # it was killed
        until_sync(lambda: answers(desk.port), PATIENCE)
        assert of(task_id, json.loads(desk.type(look[1].replace("/tasks", "/tasks?limit=1000"))))["status"] == "success"
        until_sync(
            lambda: any(task["func_name"] == "look_for_replies" for task in desk.tasks("main:manager")), PATIENCE
        )

    follow_the_page_on_deployment(desk)
    assert "pytest_outlive" in desk.type(f'python -c "{PLUGINS}"')


def of(task_id, records):
    return next(record for record in records if record["task_id"] == task_id)


def follow_the_page_on_deployment(desk):
    """In the environment that is there; making another would take longer than all of this."""
    assert save_files("docs/guide/deployment.md", desk.folder) == ["jobs.py"]
    worker, *others = commands("docs/guide/deployment.md")
    with desk.running(worker):
        for command in others:
            desk.type(command)
        until_sync(lambda: [task["status"] for task in desk.tasks("jobs:manager")][:1] == ["success"], PATIENCE)
        for page in FURTHER[1:]:
            for command in commands(page):
                assert desk.type(command) or "-o" in command
