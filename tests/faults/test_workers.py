"""Worker processes whose application is gone."""

import subprocess
import sys
from pathlib import Path

import pytest
from tests.faults.faults_kit import wait_for

CHILD = Path(__file__).with_name("workers_child.py")


@pytest.fixture
def start(tmp_path):
    started = []

    def start():
        command = [sys.executable, str(CHILD), str(tmp_path / "tasks.db"), str(tmp_path / "pid")]
        started.append(subprocess.Popen(command, stdin=subprocess.PIPE, text=True))
        return started[0]

    yield start
    for process in started:
        process.kill()
        process.communicate()


def worker_of(tmp_path):
    path = tmp_path / "pid"
    return int(wait_for("the body to begin", lambda: path.read_text() if path.exists() else None))


def test_a_worker_ends_with_an_application_that_is_killed(start, tmp_path):
    application = start()
    worker = worker_of(tmp_path)
    application.kill()

    wait_for("the worker to end", lambda: not _runs(worker))


def test_an_application_that_forgets_to_shut_down_ends_all_the_same(start, tmp_path):
    application = start()
    worker = worker_of(tmp_path)
    application.stdin.write("\n")
    application.stdin.flush()

    assert application.wait(20) == 0
    wait_for("the worker to end", lambda: not _runs(worker))


def _runs(pid):
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2][0]
    except FileNotFoundError:
        return False
    return state != "Z"  # nobody may be there to ask how it ended
