"""Locks and elections among processes that are killed and stopped."""

import os
import signal
import sqlite3
import time
from contextlib import ExitStack

import pytest
from support.waiting import until_sync
from tests.faults.sqlite_processes import child


@pytest.fixture
def path(tmp_path):
    store = sqlite3.connect(tmp_path / "tasks.db-store")
    store.execute("pragma journal_mode = wal")
    store.execute("create table offered (seq integer primary key, pid integer, token integer, at text)")
    store.close()
    return tmp_path / "tasks.db"


def offered(path):
    store = sqlite3.connect(f"{path}-store")
    found = store.execute("select pid, token, at from offered order by seq").fetchall()
    store.close()
    return found


def test_eight_processes_exclude_each_other(path):
    with ExitStack() as stack:
        children = [stack.enter_context(child("lock_and_write", path, 25, 10)) for _ in range(8)]
        assert [one.hear() for one in children] == ["ready"] * 8
        for one in children:
            one.go_on()
        assert [one.hear() for one in children] == ["done"] * 8

    rows = offered(path)
    assert len(rows) == 8 * 25 * 2
    assert [at for _, _, at in rows] == ["in", "out"] * (8 * 25), "two were inside at once"
    tokens = [token for _, token, _ in rows]
    assert tokens == sorted(tokens)
    assert len(set(tokens)) == 8 * 25


def test_no_write_of_a_former_holder_is_accepted(path):
    """One holder is stopped for longer than its lease, another is killed; the others go on."""
    with ExitStack() as stack:
        children = [stack.enter_context(child("lock_and_write", path, 30, 2)) for _ in range(4)]
        assert [one.hear() for one in children] == ["ready"] * 4
        stopped = stack.enter_context(child("stop_inside", path, 0.5))
        os.waitpid(stopped.process.pid, os.WUNTRACED)
        for one in children:
            one.go_on()
        until_sync(lambda: len(offered(path)) > 20)
        children[0].kill()
        os.kill(stopped.process.pid, signal.SIGCONT)

        assert stopped.hear() == "refused"
        assert stopped.hear() == "LockLostError"
        assert [one.hear() for one in children[1:]] == ["done"] * 3

    owners = {}
    assert all(owners.setdefault(token, pid) == pid for pid, token, _ in offered(path)), "one token for two holders"
    assert "late" not in {at for _, _, at in offered(path)}


def test_a_killed_holder_frees_its_lock_when_its_lease_ends(path):
    with child("hold_lock", path, 0.5) as first:
        token = int(first.hear())
        with child("hold_lock", path, 0.5) as second:
            first.kill()
            assert int(second.hear()) > token


def test_a_holder_that_was_stopped_learns_that_it_lost_the_lock(path):
    with child("hold_lock", path, 0.3) as first:
        token = int(first.hear())
        with child("hold_lock", path, 0.3) as second:
            os.kill(first.process.pid, signal.SIGSTOP)
            assert int(second.hear()) > token
            os.kill(first.process.pid, signal.SIGCONT)
            assert first.hear() == "LockLostError"


def test_waiters_of_three_processes_take_turns(path):
    with ExitStack() as stack:
        children = [stack.enter_context(child("wait_for_lock", path, 10, 0.01)) for _ in range(3)]
        assert [one.hear() for one in children] == ["ready"] * 3
        begun = time.monotonic()
        for one in children:
            one.go_on()
        assert [one.hear() for one in children] == ["done"] * 3
        took = time.monotonic() - begun

    assert took < 30 * 0.01 * 5, f"{took:.2f} s instead of 0.3 s"


def test_leadership_passes_at_once_on_a_clean_stop_and_after_the_lease_on_a_kill(path):
    with child("stand_for_election", path) as first:
        assert first.hear() == "ready"
        token = int(first.hear().split()[1])
        with child("stand_for_election", path) as second:
            assert second.hear() == "ready"
            until_sync(lambda: _waiters(path) == 1)
            killed = time.time()
            first.kill()
            led, second_token = second.hear().split()
            assert float(led) - killed < 1 + 1
            assert int(second_token) > token
            with child("stand_for_election", path) as third:
                assert third.hear() == "ready"
                until_sync(lambda: _waiters(path) == 1)
                second.go_on()
                stopped = float(second.hear())
                assert float(third.hear().split()[0]) - stopped < 0.5


def _waiters(path):
    connection = sqlite3.connect(path)
    count = connection.execute("select count(*) from outlive_lease_waiter").fetchone()[0]
    connection.close()
    return count
