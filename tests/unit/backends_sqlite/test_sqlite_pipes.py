"""Named pipes that carry hints: what the dead leave, what is full, what is no pipe, and who goes without."""

import os
from contextlib import suppress

import pytest
from support.recording import Trail
from support.waiting import until

from outlive import SqliteBackend, TaskManager
from outlive.ports import CANCEL, WORK
from outlive.testing import ManualClock


@pytest.fixture
def path(tmp_path):
    return tmp_path / "tasks.db"


@pytest.fixture
def folder(path):
    """Where the pipes are."""
    folder = path.with_name("tasks.db.instances")
    folder.mkdir()
    return folder


@pytest.fixture
async def backend(path, folder):
    backend = SqliteBackend(path)
    await backend.open()
    yield backend
    await backend.close()


def pipes(folder):
    return {entry.name for entry in folder.iterdir() if entry.name.endswith(".hints")}


def fill(pipe):
    end = os.open(pipe, os.O_WRONLY | os.O_NONBLOCK)
    with suppress(BlockingIOError):
        while True:
            os.write(end, b"somebody cancel lost\0" * 100)
    os.close(end)


@pytest.fixture
async def other(path, backend):
    other = SqliteBackend(path)
    await other.open()
    yield other
    await other.close()


async def test_what_the_dead_have_left_is_removed_by_who_sends_and_who_comes(folder, backend):
    ours = pipes(folder)
    os.mkfifo(folder / "dead.hints")
    backend.notifier.signal(WORK)
    await until(lambda: pipes(folder) == ours)

    os.mkfifo(folder / "dead.hints")
    another = SqliteBackend(backend.path)
    await another.open()
    assert len(pipes(folder)) == 2
    assert "dead.hints" not in pipes(folder)
    await another.close()
    assert pipes(folder) == ours


async def test_what_is_no_pipe_is_left_alone(folder, backend, tmp_path):
    precious = tmp_path / "precious"
    precious.write_text("precious")
    (folder / "link.hints").symlink_to(precious)
    (folder / "file.hints").write_text("nothing")

    backend.notifier.signal(WORK)
    await backend.notifier.close()

    assert precious.read_text() == "precious"
    assert (folder / "file.hints").read_text() == "nothing"


async def test_who_has_not_read_for_too_long_looks_at_everything(folder, backend, other):
    heard = []
    backend.notifier.listen(CANCEL, heard.append)
    for name in pipes(folder):  # nobody reads meanwhile: this test holds the event loop
        fill(folder / name)

    await until(lambda: None in heard)
    other.notifier.signal(CANCEL, "t")
    await until(lambda: "t" in heard)


async def test_who_cannot_have_a_pipe_goes_without(tmp_path):
    folder = tmp_path / "tasks.db.instances"
    folder.write_text("in the way")
    backend = SqliteBackend(tmp_path / "tasks.db")
    await backend.open()
    backend.notifier.signal(WORK)
    await backend.close()


async def test_what_one_instance_accepts_another_runs_without_looking_by_itself(path):
    trail = Trail()

    def manager(*, runs):
        made = TaskManager(SqliteBackend(path), clock=ManualClock(), run_tasks=runs)

        @made.task(name="work")
        async def work(word: str) -> None:
            trail.mark(word)

        return made, work

    accepting, work = manager(runs=False)
    async with accepting, manager(runs=True)[0]:
        await accepting.enqueue(work, "first")
        await until(lambda: trail == ["first"])
        await accepting.enqueue(work, "second")
        await until(lambda: trail == ["first", "second"])
