"""Mutual exclusion while holders are killed and stood still past their lease, judged by a store that checks tokens."""

import logging
import os
import random
import signal
import sqlite3
import time
from contextlib import ExitStack, closing

import pytest
from support.waiting import until_sync
from tests.faults.sqlite_processes import CHILD, Child

_log = logging.getLogger(__name__)

PROCESSES = 8
LEASE = 0.3
#: The whole attack is 2000; a run of all tests has time for some of it.
ACQUISITIONS = int(os.environ.get("OUTLIVE_ATTACK", "150"))


class Attacked:
    """Processes that acquire one lock, and what the store accepted from them."""

    def __init__(self, path):
        self.path = path
        self.children = []
        self.killed = self.stopped = 0
        with closing(sqlite3.connect(f"{path}-store")) as store:
            store.execute("pragma journal_mode = wal")
            store.execute("create table offered (seq integer primary key, pid integer, token integer, at text)")
            store.execute("create table refused (pid integer, token integer)")

    def start(self):
        child = Child(CHILD, "write_under_attack", self.path, LEASE)
        self.children.append(child)
        return child

    def close(self):
        for child in self.children:
            child.close()

    def ask(self, query, suffix="-store"):
        with closing(sqlite3.connect(f"{self.path}{suffix}", timeout=20)) as connection:
            return connection.execute(query).fetchall()

    def acquisitions(self):
        [(count,)] = self.ask("select count(distinct token) from offered")
        return count

    def victim(self, chance):
        """The holder, or anybody."""
        found = self.ask("select holder from outlive_lease", suffix="")
        pid = int(found[0][0].split(":")[1]) if found and chance.random() < 0.7 else 0
        return next((one for one in self.children if one.process.pid == pid), chance.choice(self.children))

    def kill(self, child):
        self.children.remove(child)
        child.close()
        self.killed += 1
        self.start()

    def stop(self, child):
        os.kill(child.process.pid, signal.SIGSTOP)
        begun = time.monotonic()
        until_sync(lambda: time.monotonic() > begun + 1.5 * LEASE)
        os.kill(child.process.pid, signal.SIGCONT)
        self.stopped += 1


@pytest.mark.timeout(300)
def test_no_lower_token_is_ever_accepted(tmp_path):
    chance = random.Random()
    with ExitStack() as stack:
        attacked = Attacked(tmp_path / "tasks.db")
        stack.callback(attacked.close)
        for _ in range(PROCESSES):
            attacked.start()
        for child in list(attacked.children):
            assert child.hear() == "ready"
        next_hit = 0
        while (count := attacked.acquisitions()) < ACQUISITIONS:
            if count >= next_hit:
                chance.choice([attacked.kill, attacked.stop])(attacked.victim(chance))
                next_hit = count + 20
        rows = attacked.ask("select pid, token, at from offered order by seq")
        refused = attacked.ask("select count(*) from refused")[0][0]
    _log.info("%d tokens, %d killed, %d stopped, %d refused", count, attacked.killed, attacked.stopped, refused)

    tokens = [token for _, token, _ in rows]
    assert tokens == sorted(tokens), "a token below an accepted one was accepted"
    owners = {}
    for pid, token, _ in rows:
        assert owners.setdefault(token, pid) == pid, f"two holders had token {token}"
    for token in owners:
        assert [at for _, one, at in rows if one == token] in (["in"], ["in", "out"]), "held twice under one token"
    assert attacked.killed + attacked.stopped >= ACQUISITIONS // 40
