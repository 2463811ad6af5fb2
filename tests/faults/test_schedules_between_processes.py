"""Processes that share a schedule die and stand still; its slots do not care."""

import signal
import sqlite3
import subprocess
import sys
from contextlib import ExitStack, closing
from itertools import pairwise
from pathlib import Path

import pytest
from support.waiting import until_sync

APPS = Path(__file__).parent / "apps"


def slots(path: Path) -> list[float]:
    with closing(sqlite3.connect(path)) as connection:
        return [at for (at,) in connection.execute("select run_at from outlive_record order by run_at")]


def test_every_slot_becomes_one_run_while_processes_are_killed_and_stopped(tmp_path):
    path = tmp_path / "tasks.db"
    with ExitStack() as stack:
        command = [sys.executable, str(APPS / "ticking.py"), str(path)]
        processes = [stack.enter_context(subprocess.Popen(command, stdout=subprocess.PIPE)) for _ in range(3)]
        for process in processes:
            stack.callback(process.kill)
            assert process.stdout is not None
            assert process.stdout.readline() == b"up\n"
        killed, stopped, _ = processes

        until_sync(lambda: len(slots(path)) >= 3)
        killed.kill()
        until_sync(lambda: len(slots(path)) >= 6)
        stopped.send_signal(signal.SIGSTOP)
        # It may stand still in a transaction, and keep the others out for as long.
        with pytest.raises(subprocess.TimeoutExpired):
            stopped.wait(1.5)
        stopped.send_signal(signal.SIGCONT)
        until_sync(lambda: len(slots(path)) >= 12)

    found = slots(path)
    assert [round(later - earlier, 3) for earlier, later in pairwise(found)] == [0.5] * (len(found) - 1)


def test_a_run_that_is_planned_for_later_outlives_a_kill_and_needs_no_periodic_schedule(tmp_path):
    path = tmp_path / "tasks.db"
    with ExitStack() as stack:

        def start(*more: str) -> subprocess.Popen[str]:
            command = [sys.executable, str(APPS / "planning.py"), str(path), *more]
            process = stack.enter_context(subprocess.Popen(command, stdout=subprocess.PIPE, text=True))
            stack.callback(process.kill)
            return process

        planning = start("1.5")
        assert planning.stdout is not None
        assert planning.stdout.readline() == "up\n"
        planning.kill()
        after = start()
        assert after.stdout is not None
        assert {after.stdout.readline() for _ in range(2)} == {"up\n", "new\n"}
        until_sync(lambda: "success" in statuses(path))

    assert statuses(path) == ["cancelled", "cancelled", "success"]


def statuses(path: Path) -> list[str]:
    with closing(sqlite3.connect(path)) as connection:
        return sorted(status for (status,) in connection.execute("select status from outlive_record"))
