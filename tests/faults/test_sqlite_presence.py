"""A death is seen at once, a living instance is left alone."""

import os
import signal
import time

import pytest
from tests.faults.sqlite_processes import child

from outlive.backends.sqlite import SqliteBackend
from outlive.ports import Instance

LEASE = 1000.0


@pytest.fixture
async def backend(tmp_path):
    backend = SqliteBackend(tmp_path / "tasks.db")
    await backend.open()
    await backend.join(instance("me"), time.time())
    yield backend
    await backend.close()


def instance(name: str, host: str = os.uname().nodename) -> Instance:
    return Instance(name, host, os.getpid(), time.time(), LEASE)


async def lost(backend: SqliteBackend) -> list[str]:
    return list(await backend.lost(time.time(), LEASE, "me"))


async def test_a_killed_process_is_lost_at_once(backend):
    with child("join", backend.path, "other") as other:
        assert other.hear() == "ready"
        assert await lost(backend) == []

        other.kill()
        assert await lost(backend) == ["other"]

    await backend.rescue("other", time.time(), "died")
    assert await lost(backend) == []
    assert not any("other" in file.name for file in backend.path.with_name("tasks.db.instances").iterdir())


async def test_a_stopped_process_is_alive_until_its_lease_ends(backend):
    with child("join", backend.path, "other") as other:
        assert other.hear() == "ready"
        other.process.send_signal(signal.SIGSTOP)

        assert await lost(backend) == []
        assert list(await backend.lost(time.time() + 2 * LEASE, LEASE, "me")) == ["other"]


async def test_who_is_thought_lost_keeps_everything_while_its_lock_shows_that_it_lives(backend):
    with child("join", backend.path, "other") as other:
        assert other.hear() == "ready"
        assert (await backend.rescue("other", time.time(), "died", if_lost=True)).is_alive
        assert await lost(backend) == []

        other.kill()
        assert not (await backend.rescue("other", time.time(), "died", if_lost=True)).is_alive
    assert await lost(backend) == []


async def test_a_process_that_closes_leaves(backend):
    with child("join", backend.path, "other") as other:
        assert other.hear() == "ready"
        other.go_on()
        assert other.hear() == "done"

    assert await lost(backend) == []
    assert not await backend.beat("other", time.time())


async def test_a_forked_child_does_not_keep_its_parent_alive(backend):
    with child("join_and_fork", backend.path, "other") as parent:
        word, forked = parent.hear().split()
        assert word == "ready"
        assert await lost(backend) == []

        parent.kill()
        try:
            assert await lost(backend) == ["other"]
        finally:
            os.kill(int(forked), signal.SIGKILL)


async def test_a_fork_does_not_let_go_of_the_lock(backend):
    with child("join_and_fork", backend.path, "other") as parent:
        _, forked = parent.hear().split()
        os.kill(int(forked), signal.SIGKILL)
        parent.process.wait()  # waited for its child, then ended without closing

        assert await lost(backend) == ["other"]


async def test_two_backends_of_one_process_see_each_other(backend):
    other = SqliteBackend(backend.path)
    await other.open()
    await other.join(instance("other"), time.time())

    assert await lost(backend) == []
    assert list(await other.lost(time.time(), LEASE, "other")) == []

    await other.close()
    assert await lost(backend) == []


async def test_the_lock_of_another_host_says_nothing(backend):
    with child("join", backend.path, "other") as other:
        assert other.hear() == "ready"
        other.kill()
    await backend.join(instance("elsewhere", "another-host"), time.time())
    backend._presence.drop("elsewhere")

    assert await lost(backend) == ["other"]


async def test_a_removed_lock_file_is_no_death(backend):
    with child("join", backend.path, "other") as other:
        assert other.hear() == "ready"
        for file in backend.path.with_name("tasks.db.instances").iterdir():
            file.unlink()

        assert await lost(backend) == []


async def test_whoever_was_thought_dead_joins_again(backend):
    await backend.rescue("me", time.time(), "thought dead")
    await backend.join(instance("me"), time.time())

    other = SqliteBackend(backend.path)
    await other.open()
    assert list(await other.lost(time.time(), LEASE, "nobody")) == []
    await other.close()
