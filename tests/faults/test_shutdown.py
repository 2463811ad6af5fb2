"""SIGTERM under uvicorn: the process ends in time, what has not started is given back, nothing disappears."""

import socket
import time

import pytest
from tests.faults.faults_kit import ENDED, Server, Stage, wait_for

GRACE = 1.0
#: What the interpreter, uvicorn and a busy machine may add to the grace.
SLACK = 1.5


def seconds_to_end(server: Server) -> float:
    begun = time.monotonic()
    server.stop()
    return time.monotonic() - begun


def start_busy(stage: Stage, *kinds: str, slots: int = 1, threads: int = 1, **options) -> tuple[Server, list[str]]:
    server = stage.start(max_concurrent_tasks=slots, max_sync_threads=threads, shutdown_grace=GRACE, **options)
    ids = [server.run(kind) for kind in kinds]
    for task_id in ids:
        server.wait_for_status(task_id, "running")
    return server, ids


def check_ran_once_after(stage: Stage, restarted: Server, ids: list[str]) -> None:
    for task_id in ids:
        assert restarted.wait_for_status(task_id, *ENDED)["status"] == "success"
        assert [note.pid for note in stage.ledger.notes("begin") if note.task_id == task_id] == [restarted.pid]


@pytest.mark.parametrize("mode", ["after_response", "immediate", "add_task"])
def test_a_long_task_does_not_hold_up_the_end_and_what_waits_behind_it_survives(stage, mode):
    """L3 and L5: with the default way to schedule and without any option, a deploy loses nothing."""
    server, (running,) = start_busy(stage, "minute")
    pending = [server.run("quick", mode, number) for number in range(50)]

    assert seconds_to_end(server) < GRACE + SLACK

    restarted = stage.start()
    check_ran_once_after(stage, restarted, pending)
    record = restarted.record(running)
    assert (record["status"], record["attempts"]) == ("interrupted", 1)
    assert "shut down" in record["reason"]
    assert stage.ledger.count("begin", running) == 1


def test_a_repeatable_task_is_given_back_and_its_attempt_not_counted(stage):
    server, (running,) = start_busy(stage, "repeatable_minute")
    assert seconds_to_end(server) < GRACE + SLACK

    restarted = stage.start()
    assert restarted.wait_for_status(running, "running")["attempts"] == 1
    begun = wait_for("it to begin again", lambda: [note.pid for note in stage.ledger.notes("begin")][1:])
    assert begun == [restarted.pid]


def test_a_short_task_may_finish(stage):
    server, (running,) = start_busy(stage, "slow")
    server.stop()
    assert stage.ledger.count("end", running) == 1
    assert stage.start().record(running)["status"] == "success"


def test_a_shielded_task_is_waited_for_beyond_the_grace(stage):
    server, (running, _) = start_busy(stage, "shielded", "minute", slots=2)
    assert GRACE < seconds_to_end(server) < 2.0 + SLACK
    assert stage.ledger.count("end", running) == 1
    assert stage.start().record(running)["status"] == "success"


def test_a_thread_that_never_returns_does_not_hold_up_the_end(stage):
    server, (running,) = start_busy(stage, "endless_thread")
    pending = [server.run("quick_thread", number=number) for number in range(20)]

    assert seconds_to_end(server) < GRACE + SLACK

    restarted = stage.start()
    check_ran_once_after(stage, restarted, pending)
    assert restarted.record(running)["status"] == "interrupted"
    assert stage.ledger.count("begin", running) == 1


def test_connections_are_released_before_the_tasks_have_ended(stage):
    server, (running,) = start_busy(stage, "shielded")
    assert server.port is not None
    with socket.create_connection(("127.0.0.1", server.port), timeout=5) as connection:
        connection.sendall(b"GET /counts HTTP/1.1\r\nHost: test\r\n\r\n")
        assert connection.recv(65536).startswith(b"HTTP/1.1 200")

        server.terminate()
        while connection.recv(65536):
            pass  # the rest of the answer
        assert stage.ledger.count("end", running) == 0, "the connection was held until the task had ended"
    server.wait_for_exit()
    assert stage.ledger.count("end", running) == 1


def test_two_instances_that_stop_together_both_keep_their_pending_tasks(stage):
    """L6."""
    options = {"max_concurrent_tasks": 1, "shutdown_grace": GRACE}
    servers = [stage.launch(**options) for _ in range(2)]
    pending = []
    for server in servers:
        server.wait_until_ready()
        server.wait_for_status(server.run("minute"), "running")
        pending += [server.run("quick", number=number) for number in range(10)]
    for server in servers:
        server.terminate()
    for server in servers:
        server.wait_for_exit()

    restarted = stage.start()
    for task_id in pending:
        restarted.wait_for_status(task_id, "success")
        assert stage.ledger.count("begin", task_id) == 1


def test_a_rolling_deploy_hands_over_without_waiting(stage):
    """The new process runs while the old one drains."""
    old, _ = start_busy(stage, "shielded")
    pending = [old.run("quick", number=number) for number in range(20)]
    new = stage.start()
    old.terminate()
    for task_id in pending:
        new.wait_for_status(task_id, "success", seconds=5)
        assert stage.ledger.count("begin", task_id) == 1
    old.wait_for_exit()


def test_a_kill_during_the_drain_loses_nothing(stage):
    """What an orchestrator does that has no patience."""
    server, (running,) = start_busy(stage, "shielded")
    pending = [server.run("quick", number=number) for number in range(50)]
    server.terminate()
    server.kill()

    restarted = stage.start()
    check_ran_once_after(stage, restarted, pending)
    assert restarted.record(running)["status"] == "interrupted"
