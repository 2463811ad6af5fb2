"""Servers of several processes, and one that restarts them: whoever answers knows every record."""

import os
import re
import signal
import time

import pytest
from tests.faults.faults_kit import APPS, ENDED, wait_for

WORKERS = 4
GRACE = 1.0
#: What the supervisor of the workers, the interpreter and a busy machine may add to the grace.
SLACK = 4.0

GUNICORN = [
    *["gunicorn", "ledger:app", "--chdir", str(APPS), "--bind", "127.0.0.1:0", "--workers", str(WORKERS)],
    *["--worker-class", "uvicorn_worker.UvicornWorker"],
]
COMMANDS = {
    "uvicorn": ["--workers", str(WORKERS)],
    "gunicorn": GUNICORN,
    "gunicorn-preload": [*GUNICORN, "--preload"],  # the application is made before the fork and started after it
}


@pytest.fixture(params=COMMANDS)
def server(request, stage):
    server = stage.start(command=COMMANDS[request.param], shutdown_grace=GRACE)
    # Each request on a connection of its own, so that any of the workers may answer it.
    server.client.headers["connection"] = "close"
    started = r"Application startup complete"
    wait_for("all workers to start", lambda: len(re.findall(started, server.log())) == WORKERS)
    return server


def run_in_several(stage, server):
    """Tasks that run in more than one worker, and which runs which: while one stands still, others answer."""
    first = [server.run("minute", number=number) for number in range(12)]
    busy = set(_runners(stage, server, first).values())
    for pid in busy:
        os.kill(pid, signal.SIGSTOP)
    try:
        second = [] if len(busy) == WORKERS else [server.run("minute", number=number) for number in range(12, 24)]
    finally:
        for pid in busy:
            os.kill(pid, signal.SIGCONT)
    runner_of = _runners(stage, server, [*first, *second])
    assert len(set(runner_of.values())) > 1, "one worker has answered everything"
    return runner_of


def _runners(stage, server, ids):
    for task_id in ids:
        server.wait_for_status(task_id, "running")
    return {note.task_id: note.pid for note in stage.ledger.notes("begin") if note.task_id in ids}


def cancelled_by_others(server, runner_of):
    """Cancel all, and count the answers that came from another process than the one that runs the task."""
    answers = {task_id: server.post(f"/records/{task_id}/cancel") for task_id in runner_of}
    assert all(answer["cancelled"] for answer in answers.values())
    return sum(answer["pid"] != runner_of[task_id] for task_id, answer in answers.items())


def test_every_record_is_found_and_cancelled_through_whichever_worker_answers(stage, server):
    runner_of = run_in_several(stage, server)
    ids = list(runner_of)

    assert {server.record(task_id)["status"] for task_id in ids * 2} == {"running"}
    assert cancelled_by_others(server, runner_of) > 0

    for task_id in ids:
        assert server.wait_for_status(task_id, *ENDED)["status"] == "cancelled"
    assert stage.ledger.begins_by_task() == dict.fromkeys(ids, 1)


def test_all_workers_end_in_time_and_what_ran_is_accounted_for(stage, server):
    ids = [server.run("minute", number=number) for number in range(8)]
    repeatable = [server.run("repeatable_minute", number=number) for number in range(4)]
    for task_id in (*ids, *repeatable):
        server.wait_for_status(task_id, "running")

    begun = time.monotonic()
    assert server.stop() in (0, -15)
    assert time.monotonic() - begun < GRACE + SLACK

    restarted = stage.start()
    assert {restarted.wait_for_status(task_id, *ENDED)["status"] for task_id in ids} == {"interrupted"}
    for task_id in repeatable:
        assert restarted.wait_for_status(task_id, "running")["attempts"] == 1


def test_a_reload_gives_back_what_waits_and_leaves_nothing_running(stage):
    watched = stage.folder / "watched"
    watched.mkdir()
    options = {"max_concurrent_tasks": 1, "shutdown_grace": GRACE}
    server = stage.start(command=["--reload", "--reload-dir", str(watched)], **options)
    wait_for("the application to start", lambda: "startup complete" in server.log())
    running, waiting = server.run("minute"), server.run("quick")
    old = wait_for("it to begin", lambda: stage.ledger.notes("begin"))[0].pid

    def notices_a_change():
        (watched / "changed.py").touch()
        return "Reloading" in server.log()

    wait_for("the server to notice a change", notices_a_change)
    wait_for("the application to run what waited", lambda: stage.ledger.count("end", waiting))

    assert server.wait_for_status(waiting, *ENDED)["status"] == "success"
    assert server.wait_for_status(running, *ENDED)["status"] == "interrupted"
    assert [note.pid != old for note in stage.ledger.notes("begin")] == [False, True]
