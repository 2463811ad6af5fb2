"""Worker processes whose application is gone."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from tests.faults.faults_kit import wait_for

CHILD = Path(__file__).with_name("workers_child.py")


@pytest.fixture
def application(tmp_path):
    command = [sys.executable, "-W", "ignore", str(CHILD), str(tmp_path / "tasks.db"), str(tmp_path / "pids")]
    application = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    yield application
    application.kill()
    application.communicate()


@pytest.fixture
def running(application, tmp_path):
    """The worker and the program that its body has started, when a fork of the application holds its pipes too."""
    path = tmp_path / "pids"
    running = [int(pid) for pid in wait_for("the body to begin", lambda: path.exists() and path.read_text()).split()]
    tell(application)
    forked = int(application.stdout.readline())
    yield running
    os.kill(forked, signal.SIGKILL)


def tell(application):
    application.stdin.write("\n")
    application.stdin.flush()


def test_a_worker_and_what_it_started_end_with_an_application_that_is_killed(application, running):
    application.kill()

    wait_for("the worker to end", lambda: not any(map(_runs, running)))


def test_an_application_that_forgets_to_shut_down_ends_all_the_same(application, running):
    tell(application)

    assert application.wait(20) == 0
    wait_for("the worker to end", lambda: not any(map(_runs, running)))


def _runs(pid):
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2][0]
    except FileNotFoundError:
        return False
    return state != "Z"  # nobody may be there to ask how it ended
