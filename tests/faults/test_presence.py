"""A death on the same machine is seen at once, a living instance is left alone; on every backend that is shared."""

import os
import signal
import time
from functools import partial
from pathlib import Path

import pytest
from tests.faults import presence_child, sqlite_processes
from tests.faults.presence_child import LEASE, joined

from outlive.ports import Backend

child = partial(sqlite_processes.child, script=Path(presence_child.__file__))


@pytest.fixture(autouse=True)
def runtime_folder(tmp_path, monkeypatch):
    folder = tmp_path / "of the user"
    folder.mkdir()
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(folder))
    return folder


@pytest.fixture
def folder(url, tmp_path, runtime_folder):
    """Where the locks are."""
    is_file = url.startswith("sqlite")
    return tmp_path / "tasks.db.instances" if is_file else runtime_folder / f"outlive-{os.getuid()}"


@pytest.fixture
async def backend(url):
    backend = await joined(url, "me")
    yield backend
    await backend.close()


def locks(folder: Path) -> list[str]:
    return [file.name for file in folder.glob("*.lock")]


async def lost(backend: Backend) -> list[str]:
    return list(await backend.lost(time.time(), LEASE, "me"))


async def test_a_killed_process_is_lost_at_once(url, backend, folder):
    with child("join", url, "other") as other:
        assert other.hear() == "ready"
        assert await lost(backend) == []

        other.kill()
        assert await lost(backend) == ["other"]

    await backend.rescue("other", time.time(), "died")
    assert await lost(backend) == []
    assert locks(folder) == ["me.lock"]


async def test_a_stopped_process_is_alive_until_its_lease_ends(url, backend):
    with child("join", url, "other") as other:
        assert other.hear() == "ready"
        other.process.send_signal(signal.SIGSTOP)

        assert await lost(backend) == []
        assert list(await backend.lost(time.time() + 2 * LEASE, LEASE, "me")) == ["other"]


async def test_who_is_thought_lost_keeps_everything_while_its_lock_shows_that_it_lives(url, backend):
    with child("join", url, "other") as other:
        assert other.hear() == "ready"
        assert (await backend.rescue("other", time.time(), "died", if_lost=True)).is_alive
        assert await lost(backend) == []

        other.kill()
        assert not (await backend.rescue("other", time.time(), "died", if_lost=True)).is_alive
    assert await lost(backend) == []


async def test_a_process_that_closes_leaves(url, backend, folder):
    with child("join", url, "other") as other:
        assert other.hear() == "ready"
        other.go_on()
        assert other.hear() == "done"

    assert await lost(backend) == []
    assert not await backend.beat("other", time.time())
    assert "other.lock" not in locks(folder)


async def test_a_forked_child_does_not_keep_its_parent_alive(url, backend):
    with child("join_and_fork", url, "other") as parent:
        word, forked = parent.hear().split()
        assert word == "ready"
        assert await lost(backend) == []

        parent.kill()
        try:
            assert await lost(backend) == ["other"]
        finally:
            os.kill(int(forked), signal.SIGKILL)


async def test_a_fork_does_not_let_go_of_the_lock(url, backend):
    with child("join_and_fork", url, "other") as parent:
        _, forked = parent.hear().split()
        os.kill(int(forked), signal.SIGKILL)
        parent.process.wait()  # waited for its child, then ended without closing

        assert await lost(backend) == ["other"]


async def test_two_backends_of_one_process_see_each_other(url, backend):
    other = await joined(url, "other")

    assert await lost(backend) == []
    assert list(await other.lost(time.time(), LEASE, "other")) == []

    await other.close()
    assert await lost(backend) == []


@pytest.mark.parametrize("machine", ["another-machine", ""])
async def test_a_lock_that_another_machine_left_says_nothing(url, backend, folder, machine):
    with child("join", url, "other") as other:
        assert other.hear() == "ready"
        other.kill()
    note = (folder / "other.lock").read_text()
    (folder / "other.lock").write_text(" ".join([machine, *note.split()[1:]]))

    assert await lost(backend) == []


async def test_a_copy_of_a_lock_says_nothing(url, backend, folder):
    with child("join", url, "other") as other:
        assert other.hear() == "ready"
        (folder / "copy").write_bytes((folder / "other.lock").read_bytes())
        (folder / "copy").replace(folder / "other.lock")

        assert await lost(backend) == []


async def test_a_removed_lock_file_is_no_death_and_comes_back(url, backend, folder):
    with child("join", url, "other") as other:
        assert other.hear() == "ready"
        for name in locks(folder):
            (folder / name).unlink()
        assert await lost(backend) == []

        assert await backend.beat("me", time.time())
        assert locks(folder) == ["me.lock"]


async def test_whoever_was_thought_dead_joins_again(url, backend):
    await backend.rescue("me", time.time(), "thought dead")
    again = await joined(url, "me")

    other = await joined(url, "other")
    assert list(await other.lost(time.time(), LEASE, "other")) == []
    await other.close()
    await again.close()


@pytest.mark.parametrize("url", ["postgres", "redis"], indirect=True)
async def test_where_no_file_can_be_locked_the_lease_decides(url, runtime_folder):
    (runtime_folder / f"outlive-{os.getuid()}").write_text("no folder")
    backend = await joined(url, "me")
    with child("join", url, "other") as other:
        assert other.hear() == "ready"
        other.kill()

    assert await lost(backend) == []
    assert list(await backend.lost(time.time() + 2 * LEASE, LEASE, "me")) == ["other"]
    await backend.close()


@pytest.mark.parametrize("url", ["postgres", "redis"], indirect=True)
async def test_a_folder_that_others_may_write_to_is_not_believed(url, folder):
    folder.mkdir(mode=0o700)
    with child("join", url, "other") as other:
        assert other.hear() == "ready"
        other.kill()
    folder.chmod(0o777)
    backend = await joined(url, "me")

    assert await lost(backend) == []
    await backend.close()
