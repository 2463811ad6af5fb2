"""One test for each way in which background tasks are known to get lost (L1 to L14); the others:

L1, L8 in test_kill.py; L3, L5, L6 in test_shutdown.py; L7 in test_releases.py; L9 in test_arguments.py.
"""

import json

import pytest
from tests.faults.faults_kit import ENDED, wait_for


@pytest.mark.parametrize(
    ("kind", "status"), [("failing", "failed"), ("failing_thread", "failed"), ("quick", "success")]
)
def test_l2_a_result_is_durable_when_it_is_shown(stage, kind, status):
    server = stage.start()
    ids = [server.run(kind, number=number) for number in range(20)]
    before = {task_id: server.wait_for_status(task_id, *ENDED) for task_id in ids}
    server.kill()

    after = stage.start().records()
    for task_id in ids:
        assert after[task_id]["status"] == before[task_id]["status"] == status
        for key in ("error", "attempts", "start_time", "end_time", "duration"):
            assert after[task_id][key] == before[task_id][key]


def test_l2_error_and_traceback_survive(stage):
    server = stage.start()
    task_id = server.run("failing", number=77)
    server.wait_for_status(task_id, "failed")
    server.kill()

    record = stage.start().record(task_id)
    assert record["error"] == "number 77 was meant to fail"
    assert "in failing" in record["stacktrace"]


def test_l4_an_application_with_its_own_lifespan_is_served_completely(stage):
    server = stage.start("own_lifespan", shutdown_grace=5.0)
    short, long = server.post("/use", seconds=0)["id"], server.post("/use", seconds=0.5)["id"]
    server.wait_for_status(short, "success")
    assert server.record(long)["status"] == "running"
    server.stop()

    notes = stage.ledger.notes("end")
    assert [(note.task_id, note.text) for note in notes] == [(short, "open"), (long, "open")]
    restarted = stage.start("own_lifespan")
    assert restarted.record(long)["status"] == "success"


def test_l4_its_tasks_survive_a_kill(stage):
    server = stage.start("own_lifespan", max_concurrent_tasks=1)
    running = server.post("/use", seconds=60)["id"]
    server.wait_for_status(running, "running")
    pending = server.post("/use", seconds=0)["id"]
    server.kill()

    restarted = stage.start("own_lifespan")
    restarted.wait_for_status(pending, "success")
    assert restarted.record(running)["status"] == "interrupted"


def test_l10_tags_key_priority_and_timing_survive(stage):
    server = stage.start(max_concurrent_tasks=1)
    server.wait_for_status(server.run("minute"), "running")
    task_id = server.post("/run/labelled/labelled", number=1, key="order-1")["id"]
    before = server.record(task_id)
    server.kill()

    restarted = stage.start()
    after = restarted.wait_for_status(task_id, "success")
    for key in ("tags", "idempotency_key", "priority", "source", "timing", "queue", "created_at"):
        assert after[key] == before[key], key
    assert after["tags"]["city"] == "Bern"
    assert (after["idempotency_key"], after["priority"]) == ("order-1", 7)
    (begun,) = [note for note in stage.ledger.notes("begin") if note.task_id == task_id]
    assert json.loads(begun.text) == after["tags"], "the body is told the same tags"
    assert any("number 1" in line for line in after["logs"])


def test_l12_a_requeued_record_is_durable_at_once_and_keeps_what_it_was(stage):
    server = stage.start(max_concurrent_tasks=1)
    task_id = server.post("/run/labelled/labelled", number=1, key="order-1")["id"]
    before = server.wait_for_status(task_id, "success")
    server.wait_for_status(server.run("minute"), "running")
    server.post(f"/records/{task_id}/requeue")
    assert server.record(task_id)["status"] == "pending"
    server.kill()
    assert stage.ledger.count("begin", task_id) == 1

    restarted = stage.start()
    after = restarted.wait_for_status(task_id, "success")
    assert stage.ledger.count("begin", task_id) == 2
    for key in ("priority", "idempotency_key", "tags", "created_at"):
        assert after[key] == before[key], key


def test_l12_an_interrupted_record_can_be_requeued_after_the_restart(stage):
    server = stage.start()
    task_id = server.run("three_seconds")
    server.wait_for_status(task_id, "running")
    server.kill()

    restarted = stage.start()
    assert restarted.record(task_id)["status"] == "interrupted"
    restarted.post(f"/records/{task_id}/requeue")
    assert restarted.wait_for_status(task_id, "success")["task_id"] == task_id
    assert stage.ledger.count("begin", task_id) == 2


def test_l13_a_task_of_an_endpoint_that_raised_is_recorded_as_dropped(stage):
    server = stage.start()
    answer = server.client.post("/run_and_raise/quick", params={"number": 1})
    assert answer.status_code == 418
    task_id = answer.json()["detail"]["id"]
    wait_for("the record of what was dropped", lambda: task_id in server.records())
    server.kill()

    record = stage.start().record(task_id)
    assert record["status"] == "cancelled"
    assert "raised" in record["reason"]
    assert stage.ledger.count("begin", task_id) == 0


def test_l13_a_response_with_its_own_background_task_runs_both(stage):
    server = stage.start()
    task_id = server.client.post("/run_with_own_background/quick", params={"number": 1}).text
    server.wait_for_status(task_id, "success")
    wait_for("the response's own background task", lambda: stage.ledger.count("background"))
    assert stage.ledger.count("begin", task_id) == 1


@pytest.mark.parametrize("kind", ["exiting", "exiting_thread"])
@pytest.mark.parametrize("mode", ["after_response", "immediate", "add_task", "after_route", "enqueue"])
def test_l14_system_exit_ends_the_task_and_not_the_server(stage, kind, mode):
    server = stage.start()
    task_id = server.run(kind, mode)
    record = server.wait_for_status(task_id, *ENDED)
    assert (record["status"], record["error"]) == ("failed", "3")
    assert "SystemExit" in record["stacktrace"]

    assert server.wait_for_status(server.run(kind.replace("exiting", "quick"), mode), *ENDED)["status"] == "success"
    assert server.process.poll() is None
