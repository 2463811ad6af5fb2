"""Processes on one PostgreSQL: kills, stops, and many that ask for the same."""

import json
import subprocess
import sys
import threading
import time
from collections import Counter
from contextlib import suppress
from functools import partial
from pathlib import Path

import httpx
import pytest
from support import postgres
from tests.faults.faults_kit import Stage, at_once, wait_for
from tests.faults.faults_truth import Truth
from tests.faults.test_kill import Instant, Load
from tests.faults.test_takeover import begun_by, occupy

from outlive import TaskManager, TaskStatus

LEASE = 3.0
CHILD = Path(__file__).with_name("keys_child.py")
PROCESSES, THREADS, ROUNDS = 4, 8, 60


@pytest.fixture
def stage(tmp_path):
    stage = Stage(tmp_path, postgres.url_for(tmp_path))
    yield stage
    stage.close()


# -- the experiment that most peers fail ----------------------------------------------------------


def test_a_crashed_process_is_noticed_within_its_lease_on_an_idle_queue(stage):
    doomed = stage.launch(lease=LEASE)
    other = stage.launch(lease=LEASE)
    for server in stage.servers:
        server.wait_until_ready()
    (task_id,) = occupy(doomed, "repeatable_minute")

    doomed.kill()
    killed_at = time.monotonic()
    wait_for("the second run", lambda: other.pid in begun_by(stage, task_id), LEASE + 1)

    assert time.monotonic() - killed_at <= LEASE + 1
    assert begun_by(stage, task_id) == [doomed.pid, other.pid]


def test_a_healthy_task_that_is_longer_than_the_lease_runs_once(stage):
    runs = stage.launch(lease=1.0)
    other = stage.launch(lease=1.0)
    for server in stage.servers:
        server.wait_until_ready()
    (task_id,) = occupy(runs, "three_seconds")
    for number in range(20):
        other.run("quick", number=number)

    other.wait_for_status(task_id, "success")

    assert begun_by(stage, task_id) == [runs.pid]


def test_what_was_accepted_with_nobody_to_run_it_runs_when_somebody_comes(stage):
    accepting = stage.start(max_concurrent_tasks=1)
    occupy(accepting, "minute")
    task_id = accepting.run("quick")
    accepting.stop()

    coming = stage.start()

    assert coming.wait_for_status(task_id, "success")["attempts"] == 1


# -- kills and stops -----------------------------------------------------------------------------


def test_three_processes_lose_and_double_nothing_when_one_is_killed(stage, tally):
    options = {"max_concurrent_tasks": 4, "max_sync_threads": 4, "lease": LEASE}
    servers = [server.wait_until_ready() for server in [stage.launch(**options) for _ in range(3)]]
    load = Load(stage, *servers)
    load.send(Instant(200))

    truth = Truth(servers[1].wait_until_all_ended(), stage.ledger.notes(), {servers[0].pid})
    tally.update(truth.check(load.accepted, load.reported))


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


def test_a_process_that_was_stopped_for_longer_than_its_lease_overwrites_nothing(stage):
    late = stage.launch(max_concurrent_tasks=2, lease=1.0, release="1")
    other = stage.launch(lease=1.0, release="2")
    for server in stage.servers:
        server.wait_until_ready()
    once, again = occupy(late, "three_seconds")[0], occupy(late, "raced")[0]
    pending = [late.run("quick", number=number) for number in range(10)]

    late.freeze()
    other.wait_for_status(once, "interrupted")
    other.wait_for_status(again, "success")
    for task_id in pending:
        other.wait_for_status(task_id, "success")
    late.thaw()
    wait_for(
        "the late bodies to end", lambda: [note.task_id for note in stage.ledger.notes("end") if note.pid == late.pid]
    )
    late.wait_for_status(late.run("quick"), "success")

    assert other.record(once)["status"] == "interrupted"
    assert other.record(again)["status"] == "success"
    assert all(len(begun_by(stage, task_id)) == 1 for task_id in pending)


def test_a_cancel_reaches_the_process_that_runs_it_long_before_it_would_look(stage):
    runs, other = stage.launch(poll_interval=30.0), stage.launch(poll_interval=30.0)
    for server in stage.servers:
        server.wait_until_ready()
    (task_id,) = occupy(runs, "minute")

    assert other.post(f"/records/{task_id}/cancel")["cancelled"]

    other.wait_for_status(task_id, "cancelled", seconds=10)


def test_what_overflows_one_process_is_taken_by_another_long_before_it_would_look(stage):
    options = {"poll_interval": 30.0, "max_concurrent_tasks": 1}
    full, free = stage.launch(room=1, **options), stage.launch(**options)
    for server in stage.servers:
        server.wait_until_ready()
    occupy(full, "minute")

    ids = at_once([partial(full.run, "quick", number=number) for number in range(20)])

    for task_id in ids:
        free.wait_for_status(task_id, "success", seconds=10)
    assert {pid for task_id in ids for pid in begun_by(stage, task_id)} == {free.pid}


# -- keys ----------------------------------------------------------------------------------------


@pytest.fixture
def children(tmp_path):
    command = [sys.executable, str(CHILD), postgres.url_for(tmp_path)]
    started = [
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) for _ in range(PROCESSES)
    ]
    yield started
    for child in started:
        child.kill()
        child.communicate()


async def test_one_record_for_a_key_however_many_ask(children, tmp_path):
    given = []
    for number in range(ROUNDS):
        for child in children:
            child.stdin.write(f"order-{number}\n")
            child.stdin.flush()
        given.append([task_id for child in children for task_id in json.loads(child.stdout.readline())])
    for child in children:
        child.stdin.write("\n")
        child.stdin.flush()
        assert child.wait(20) == 0

    async with TaskManager(postgres.url_for(tmp_path)) as manager:
        counts = await manager.counts()
        found = [{(await manager.get(task_id)).id for task_id in set(ids)} for ids in given]

    assert Counter(len(ids) for ids in given) == {PROCESSES * THREADS: ROUNDS}
    assert [len(records) for records in found] == [1] * ROUNDS
    assert counts[TaskStatus.SUCCESS] == sum(counts.values()) == ROUNDS
