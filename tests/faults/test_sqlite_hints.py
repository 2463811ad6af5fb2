"""The named pipe of a process that was killed is removed, also where a child that it forked lives on."""

import os
import signal
from pathlib import Path

import pytest
from support.waiting import until
from tests.faults import presence_child
from tests.faults.sqlite_processes import child

from outlive import SqliteBackend
from outlive.ports import WORK

SCRIPT = Path(presence_child.__file__)


@pytest.fixture
async def backend(tmp_path):
    backend = SqliteBackend(tmp_path / "tasks.db")
    await backend.open()
    yield backend
    await backend.close()


def pipes(backend: SqliteBackend) -> list[str]:
    return [file.name for file in backend.path.with_name("tasks.db.instances").glob("*.hints")]


async def test_a_killed_process_leaves_no_pipe_for_long(backend):
    with child("join", f"sqlite:///{backend.path}", "other", script=SCRIPT) as other:
        assert other.hear() == "ready"
        backend.notifier.signal(WORK)
        await backend.notifier.close()
        assert len(pipes(backend)) == 2

        other.kill()
        backend.notifier.signal(WORK)
        await until(lambda: len(pipes(backend)) == 1)


async def test_a_forked_child_does_not_listen_for_its_dead_parent(backend):
    with child("join_and_fork", f"sqlite:///{backend.path}", "other", script=SCRIPT) as parent:
        _, forked = parent.hear().split()
        assert len(pipes(backend)) == 2
        parent.kill()
        try:
            backend.notifier.signal(WORK)
            await until(lambda: len(pipes(backend)) == 1)
        finally:
            os.kill(int(forked), signal.SIGKILL)
