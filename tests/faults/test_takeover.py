"""Several processes on one file: when one dies or stops for a while, the others take over; nothing runs twice."""

import sqlite3
import time
from contextlib import closing

import pytest
from tests.faults.faults_kit import Note, Server, Stage, wait_for


def occupy(stage: Stage, server: Server, *kinds: str) -> list[str]:
    """Fill the server's slots with bodies that have begun, which is a little after their records say so."""
    ids = [server.run(kind) for kind in kinds]
    wait_for("the bodies to begin", lambda: all(server.pid in begun_by(stage, task_id) for task_id in ids))
    return ids


def ended_by(stage: Stage, server: Server) -> list[Note]:
    return [note for note in stage.ledger.notes("end") if note.pid == server.pid]


def begun_by(stage: Stage, task_id: str) -> list[int]:
    return [note.pid for note in stage.ledger.notes("begin") if note.task_id == task_id]


def test_survivors_take_over_long_before_the_lease_has_run_out(stage):
    lease = 9.0
    doomed = stage.launch(max_concurrent_tasks=2, lease=lease)
    survivors = [stage.launch(lease=lease) for _ in range(2)]
    for server in stage.servers:
        server.wait_until_ready()
    running, repeatable = occupy(stage, doomed, "minute", "repeatable_minute")
    pending = [doomed.run("quick", number=number) for number in range(20)]
    elsewhere = occupy(stage, survivors[0], "three_seconds")

    doomed.kill()
    killed_at = time.monotonic()
    for task_id in pending:
        survivors[1].wait_for_status(task_id, "success")
    repeated = survivors[1].wait_for_status(repeatable, "running")
    assert time.monotonic() - killed_at < lease - 3

    interrupted = survivors[0].record(running)
    assert interrupted["status"] == "interrupted"
    assert "died" in interrupted["reason"]
    assert begun_by(stage, running) == [doomed.pid]
    assert repeated["attempts"] == 1, "an interruption does not use up an attempt"
    first, second = begun_by(stage, repeatable)
    assert first == doomed.pid
    assert second in {server.pid for server in survivors}
    assert all(len(begun_by(stage, task_id)) == 1 for task_id in pending)
    assert survivors[1].wait_for_status(elsewhere[0], "success")["attempts"] == 1
    assert begun_by(stage, elsewhere[0]) == [survivors[0].pid]


@pytest.fixture
def frozen(stage):
    """A process that was stopped in the middle of its work, longer than its lease, and one that took over."""
    late = stage.launch(max_concurrent_tasks=2, lease=1.0, release="1")
    other = stage.launch(lease=1.0, release="2")
    for server in stage.servers:
        server.wait_until_ready()
    ids = {"once": occupy(stage, late, "three_seconds")[0], "again": occupy(stage, late, "raced")[0]}
    ids |= {f"pending {number}": late.run("quick", number=number) for number in range(10)}
    late.freeze()
    other.wait_for_status(ids["once"], "interrupted")
    other.wait_for_status(ids["again"], "success")
    return late, other, ids


def test_a_late_owner_cannot_overwrite_what_was_decided_without_it(stage, frozen):
    late, other, ids = frozen
    pending = [task_id for what, task_id in ids.items() if what.startswith("pending")]
    for task_id in pending:
        other.wait_for_status(task_id, "success")

    late.thaw()
    # Both of its bodies come to their end, one of them by raising, and what they tell is refused; so is each start.
    wait_for("the late bodies to end", lambda: len(ended_by(stage, late)) == len(ids) - len(pending))
    wait_for("every settle and start to be refused", lambda: late.log().count("no longer this") == len(ids))

    for server in (late, other):
        assert server.record(ids["once"])["status"] == "interrupted"
        again = server.record(ids["again"])
        assert (again["status"], again["error"]) == ("success", None)
        assert {server.record(task_id)["status"] for task_id in pending} == {"success"}
    assert begun_by(stage, ids["once"]) == [late.pid]
    assert begun_by(stage, ids["again"]) == [late.pid, other.pid]
    assert all(begun_by(stage, task_id) == [other.pid] for task_id in pending), "a pending task ran twice"


def test_a_late_owner_goes_on_working_and_is_not_declared_dead_again(stage, frozen):
    late, _, _ = frozen
    late.thaw()

    # Longer than the lease: were it still taken for dead, they would be interrupted under its hands.
    ids = [late.run("three_seconds", "immediate"), late.run("three_seconds"), late.run("quick", "add_task")]
    for task_id in ids:
        record = late.wait_for_status(task_id, "success", "interrupted", "failed")
        assert (record["status"], record["reason"]) == ("success", None)
        assert begun_by(stage, task_id) == [late.pid]
    assert [server.log().count("died:") for server in stage.servers] == [0, 1], "it was rescued from more than once"


def test_an_instance_with_a_longer_lease_is_not_declared_dead_by_one_with_a_shorter(stage):
    """A deploy that changes the lease: for a while there are both."""
    patient = stage.start(lease=30.0)
    task_id = patient.run("three_seconds")
    hasty = stage.start(lease=1.0)
    assert hasty.wait_for_status(task_id, "success", "interrupted")["status"] == "success"


def test_what_a_forgotten_instance_had_accepted_is_taken_over_when_it_dies(stage):
    """It was declared dead while it was stopped, and died before it could join again."""
    forgotten = stage.start(max_concurrent_tasks=1, lease=3.0)
    occupy(stage, forgotten, "minute")
    with closing(sqlite3.connect(stage.database, isolation_level=None)) as connection:
        connection.execute("delete from outlive_instance")
    pending = [forgotten.run("quick", number=number) for number in range(5)]
    forgotten.kill()

    survivor = stage.start(lease=3.0)
    for task_id in pending:
        survivor.wait_for_status(task_id, "success", seconds=8)
        assert stage.ledger.count("begin", task_id) == 1
