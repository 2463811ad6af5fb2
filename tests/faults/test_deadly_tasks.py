"""A task that kills its whole application, and was declared safe to repeat."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest
from support.waiting import record_of

from outlive import TaskManager, TaskStatus

CHILD = Path(__file__).with_name("deadly_child.py")
KILLED = -signal.SIGKILL


@pytest.fixture
def from_outside(url):
    """A manager that runs nothing itself."""
    manager = TaskManager(url, run_tasks=False)
    manager.task(name="deadly", requeue_on_interrupt=True)(deadly)
    return manager


async def deadly() -> None: ...


async def test_it_is_repeated_until_three_instances_have_died_of_it(url, from_outside, tmp_path):
    def live():
        command = [sys.executable, "-W", "ignore", str(CHILD), url, str(tmp_path / "begun")]
        return subprocess.run(command, timeout=30, check=False).returncode

    def begun():
        return len((tmp_path / "begun").read_text().splitlines())

    async with from_outside:
        task = await from_outside.enqueue(deadly)
    assert [live() for _ in range(4)] == [KILLED, KILLED, KILLED, 0]
    assert begun() == 3

    async with from_outside:
        record = await record_of(from_outside, task.id)
        assert record.status is TaskStatus.INTERRUPTED
        assert record.reason == "not repeated, because 3 instances in a row have died while they ran it"
        await from_outside.requeue(task.id)
    assert [live() for _ in range(2)] == [KILLED, KILLED]
    assert begun() == 5
