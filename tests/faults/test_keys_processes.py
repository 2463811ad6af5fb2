"""Idempotency keys that several processes are asked with at one time."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from outlive import TaskManager, TaskStatus

CHILD = Path(__file__).with_name("keys_child.py")
PROCESSES, THREADS, ROUNDS = 4, 8, 200


@pytest.fixture
def children(tmp_path):
    command = [sys.executable, str(CHILD), f"sqlite:///{tmp_path}/tasks.db?synchronous=NORMAL"]
    started = [
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) for _ in range(PROCESSES)
    ]
    yield started
    for child in started:
        child.kill()
        child.communicate()


def ask(children, key):
    """Every process at one time; the ids that their threads were given."""
    for child in children:
        child.stdin.write(f"{key}\n")
        child.stdin.flush()
    return [task_id for child in children for task_id in json.loads(child.stdout.readline())]


async def test_one_record_for_a_key_however_many_ask(children, tmp_path):
    given = [ask(children, f"order-{number}") for number in range(ROUNDS)]
    for child in children:
        child.stdin.write("\n")
        child.stdin.flush()
        assert child.wait(20) == 0

    async with TaskManager(f"sqlite:///{tmp_path}/tasks.db?synchronous=NORMAL") as manager:
        counts = await manager.counts()
        found = [{(await manager.get(task_id)).id for task_id in set(ids)} for ids in given]

    assert {len(ids) for ids in given} == {PROCESSES * THREADS}
    assert [len(records) for records in found] == [1] * ROUNDS
    assert counts[TaskStatus.SUCCESS] == sum(counts.values()) == ROUNDS
