"""Processes on one PostgreSQL: kills every second, and many that ask for the same."""

import threading
import time
from contextlib import suppress
from pathlib import Path

import httpx
import pytest
from support import postgres
from tests.faults.faults_kit import Stage
from tests.faults.faults_truth import Truth

LEASE = 3.0
CHILD = Path(__file__).with_name("keys_child.py")
PROCESSES, THREADS, ROUNDS = 4, 8, 60


@pytest.fixture
def stage(tmp_path):
    stage = Stage(tmp_path, postgres.url_for(tmp_path))
    yield stage
    stage.close()


def test_four_processes_of_which_one_is_killed_every_second_and_replaced(stage, tally):
    options = {"max_concurrent_tasks": 20, "max_sync_threads": 4, "lease": LEASE}
    servers = [server.wait_until_ready() for server in [stage.launch(**options) for _ in range(4)]]
    kinds = ("quick", "repeatable", "quick_thread", "slow")
    accepted: list[str] = []

    def client(first: int) -> None:
        for number in range(first, 1200, 8):
            with suppress(httpx.TransportError, AssertionError):  # it was killed, and nothing was promised
                accepted.append(servers[number % 4].run(kinds[number // 8 % 4], number=number))

    clients = [threading.Thread(target=client, args=(first,)) for first in range(8)]
    for thread in clients:
        thread.start()
    dead = set()
    for round_ in range(3):
        time.sleep(1.0)  # noqa: TID251 - a kill every second is the case under test
        dead.add(servers[round_].pid)
        servers[round_].kill()
        servers[round_] = stage.start(**options)
    for thread in clients:
        thread.join()

    truth = Truth(servers[0].wait_until_all_ended(), stage.ledger.notes(), dead)
    tally.update(truth.check(accepted, {}))
    assert len(accepted) > 100
