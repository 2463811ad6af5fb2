"""What was acknowledged survives the death of the process at any moment."""

import random

import pytest
from tests.faults.sqlite_processes import child

from outlive.backends.sqlite import SqliteBackend
from outlive.core.filter import EVERYTHING, Page


@pytest.mark.parametrize("synchronous", ["FULL", "NORMAL"])
async def test_kill_while_applying(tmp_path, synchronous):
    for crash in range(5):
        path = tmp_path / f"tasks{crash}.db"
        with child("write_for_ever", path, synchronous) as writer:
            acknowledged = [int(writer.hear()) for _ in range(random.randint(1, 60))]
            writer.kill()
            acknowledged += [int(line) for line in writer.hear_all() if line]

        backend = SqliteBackend(path)
        await backend.open()
        names = {record.id for record in await backend.find(EVERYTHING, Page(10**6))}
        await backend.close()

        complete = {f"t-{number:05}-{place:02}" for number in acknowledged for place in range(20)}
        assert complete <= names
        assert len(names) % 20 == 0, "a batch is there in part"
        assert len(names) - len(complete) <= 20, "only the batch under way may be there without its answer"
