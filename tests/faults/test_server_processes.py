"""Processes on one PostgreSQL and on one Redis: killed, stopped, and asked about what others run.

`OUTLIVE_KEY_ROUNDS=200` lets them ask with one key that often.
"""

import asyncio
import os
import time
from functools import partial
from uuid import uuid4

import pytest
from support import postgres
from support.valkey import server_url
from tests.faults.faults_kit import Stage, at_once, wait_for
from tests.faults.faults_truth import Truth
from tests.faults.fleet_kit import LEASE, fleet_on
from tests.faults.test_kill import Instant, Load
from tests.faults.test_servers import WORKERS, cancelled_by_others, run_in_several
from tests.faults.test_takeover import begun_by, occupy

from outlive import TaskManager, TaskStatus

PROCESSES, ROUNDS = 4, int(os.environ.get("OUTLIVE_KEY_ROUNDS", "60"))
SERVERS = {
    "postgres": postgres.url_for,
    "redis": lambda _folder: f"{server_url()}?prefix={uuid4().hex}",
}


@pytest.fixture(params=SERVERS)
def url(request, tmp_path):
    return SERVERS[request.param](tmp_path)


@pytest.fixture
def stage(url, tmp_path):
    stage = Stage(tmp_path, url)
    yield stage
    stage.close()


def test_a_cancel_reaches_the_process_that_runs_it_long_before_it_would_look(stage):
    runs, other = stage.launch(poll_interval=30.0), stage.launch(poll_interval=30.0)
    for server in stage.servers:
        server.wait_until_ready()
    (task_id,) = occupy(stage, runs, "minute")

    assert other.post(f"/records/{task_id}/cancel")["cancelled"]

    other.wait_for_status(task_id, "cancelled", seconds=10)


def test_what_overflows_one_process_is_taken_by_another_long_before_it_would_look(stage):
    options = {"poll_interval": 30.0, "max_concurrent_tasks": 1}
    full, free = stage.launch(room=1, **options), stage.launch(**options)
    for server in stage.servers:
        server.wait_until_ready()
    occupy(stage, full, "minute")

    ids = at_once([partial(full.run, "quick", number=number) for number in range(20)])

    for task_id in ids:
        free.wait_for_status(task_id, "success", seconds=10)
    assert {pid for task_id in ids for pid in begun_by(stage, task_id)} == {free.pid}


def test_every_record_is_found_and_cancelled_through_whichever_worker_answers(stage):
    server = stage.start(command=["--workers", str(WORKERS)])
    server.client.headers["connection"] = "close"  # so that any of the workers may answer
    wait_for("all workers to start", lambda: server.log().count("Application startup complete") == WORKERS, 40)
    runner_of = run_in_several(stage, server)

    assert cancelled_by_others(server, runner_of) > 0

    for task_id in runner_of:
        server.wait_for_status(task_id, "cancelled")


def test_a_restarted_process_that_is_alone_goes_on_however_long_its_lease_was(stage):
    doomed = stage.start(lease=1000.0, max_concurrent_tasks=1)
    (again,) = occupy(stage, doomed, "repeatable_minute")
    waiting = doomed.run("quick")
    doomed.kill()

    back = stage.start(lease=1000.0, max_concurrent_tasks=2)

    wait_for("the second run", lambda: begun_by(stage, again) == [doomed.pid, back.pid])
    back.wait_for_status(waiting, "success")


def test_what_a_crashed_process_was_at_goes_on_before_what_waited(stage):
    doomed = stage.start(max_concurrent_tasks=1)
    (again,) = occupy(stage, doomed, "repeatable_minute")
    waiting = [doomed.run("quick", number=number) for number in range(20)]
    doomed.kill()

    back = stage.start(max_concurrent_tasks=1)

    wait_for("the second run", lambda: begun_by(stage, again) == [doomed.pid, back.pid])
    assert {back.record(task_id)["status"] for task_id in waiting} == {"pending"}


def test_a_crashed_process_of_another_machine_is_noticed_within_its_lease_on_an_idle_queue(
    stage, tmp_path, monkeypatch
):
    with monkeypatch.context() as elsewhere:
        elsewhere.setenv("XDG_RUNTIME_DIR", str(tmp_path))  # its lock is where the other does not see it
        doomed = stage.launch(lease=LEASE)
    other = stage.launch(lease=LEASE)
    for server in stage.servers:
        server.wait_until_ready()
    (task_id,) = occupy(stage, doomed, "repeatable_minute")

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
    (task_id,) = occupy(stage, runs, "three_seconds")
    for number in range(20):
        other.run("quick", number=number)

    other.wait_for_status(task_id, "success")

    assert begun_by(stage, task_id) == [runs.pid]


def test_what_was_accepted_with_nobody_to_run_it_runs_when_somebody_comes(stage):
    accepting = stage.start(max_concurrent_tasks=1)
    occupy(stage, accepting, "minute")
    task_id = accepting.run("quick")
    accepting.stop()

    coming = stage.start()

    assert coming.wait_for_status(task_id, "success")["attempts"] == 1


def test_three_processes_lose_and_double_nothing_when_one_is_killed(stage, tally):
    options = {"max_concurrent_tasks": 4, "max_sync_threads": 4, "lease": LEASE}
    servers = [server.wait_until_ready() for server in [stage.launch(**options) for _ in range(3)]]
    load = Load(stage, *servers)
    load.send(Instant(200))

    truth = Truth(servers[1].wait_until_all_ended(), stage.ledger.notes(), {servers[0].pid})
    tally.update(truth.check(load.accepted, load.reported))


def test_a_process_that_was_stopped_for_longer_than_its_lease_overwrites_nothing(stage):
    late = stage.launch(max_concurrent_tasks=2, lease=1.0, release="1")
    other = stage.launch(lease=1.0, release="2")
    for server in stage.servers:
        server.wait_until_ready()
    once, again = occupy(stage, late, "three_seconds")[0], occupy(stage, late, "raced")[0]
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


async def test_one_record_for_a_key_however_many_ask(url, tmp_path):
    given = []
    with fleet_on(url, tmp_path) as fleet:
        members = await asyncio.to_thread(fleet.add, PROCESSES)
        for number in range(ROUNDS):
            for member in members:
                member.tell("keys", f"order-{number}")
            given.append([task_id for member in members for task_id in await asyncio.to_thread(member.answer)])
        await fleet.settle()

    async with TaskManager(url, run_tasks=False) as manager:
        found = [{(await manager.get(task_id)).id for task_id in set(ids)} for ids in given]
        counts = {status: count for status, count in (await manager.counts()).items() if count}

    assert [len(records) for records in found] == [1] * ROUNDS
    assert counts == {TaskStatus.SUCCESS: ROUNDS}
