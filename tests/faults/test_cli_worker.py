"""`outlive worker` as a process: it drains, it can be forced, its health is known, a supervisor keeps several."""

import os
import signal
import subprocess
import sys

import pytest
from support import cli_app
from support.waiting import until_sync

SECONDS = 25.0


class Workers:
    """Worker commands in one folder."""

    def __init__(self, folder):
        self.folder = folder
        self.started = []

    def start(self, *arguments):
        command = [sys.executable, "-m", "outlive", "worker", "shop:manager", *arguments]
        log = (self.folder / f"log{len(self.started)}.txt").open("w")
        process = subprocess.Popen(command, cwd=self.folder, env=cli_app.environment(), stdout=log, stderr=log)
        log.close()
        self.started.append(process)
        return process

    def log(self, number=0):
        return (self.folder / f"log{number}.txt").read_text()

    def enqueue(self, *arguments):
        done = cli_app.outlive(self.folder, "enqueue", *arguments, "--app", "shop:manager")
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    def lines(self, name):
        file = self.folder / f"{name}.txt"
        return file.read_text().splitlines() if file.exists() else []

    def show(self, task_id):
        return cli_app.outlive(self.folder, "show", task_id, "--app", "shop:manager").stdout


@pytest.fixture
def workers(tmp_path):
    workers = Workers(cli_app.write(tmp_path))
    yield workers
    for process in workers.started:
        process.kill()
        process.wait()


def test_a_worker_runs_what_others_accept_and_drains_at_the_first_signal(workers):
    worker = workers.start("--health-file", "health.json")
    until_sync((workers.folder / "health.json").exists, SECONDS)
    assert cli_app.outlive(workers.folder, "health", "health.json").returncode == 0
    workers.enqueue("note", "--args", '["slow", 5.0]')
    until_sync(lambda: workers.lines("began"), SECONDS)

    worker.send_signal(signal.SIGTERM)

    assert worker.wait(SECONDS) == 0
    assert workers.lines("noted") == ["slow"]
    assert "draining 1 tasks" in workers.log()
    unhealthy = cli_app.outlive(workers.folder, "health", "health.json")
    assert unhealthy.returncode == 1
    assert "no worker has written" in unhealthy.stderr


@pytest.mark.parametrize("loop", ["uvloop", "asyncio"])
def test_a_worker_has_the_event_loop_of_uvloop_where_that_is_installed(workers, loop):
    if loop == "asyncio":
        (workers.folder / "uvloop.py").write_text("raise ImportError('not installed')")
    worker = workers.start()

    until_sync(lambda: f"in process {worker.pid} on {loop}" in workers.log(), SECONDS)


def test_a_second_signal_ends_it_at_once_and_another_worker_takes_over(workers):
    worker = workers.start()
    task_id = workers.enqueue("note", "--args", '["again", 600]')
    until_sync(lambda: workers.lines("began"), SECONDS)

    worker.send_signal(signal.SIGINT)
    until_sync(lambda: "draining" in workers.log(), SECONDS)
    worker.send_signal(signal.SIGTERM)

    assert worker.wait(SECONDS) == 128 + signal.SIGTERM
    workers.start()
    until_sync(lambda: len(workers.lines("began")) == 2, SECONDS)
    assert "attempt 1: interrupted" in workers.show(task_id)


def test_a_worker_runs_its_queues_alone(workers):
    workers.start("--queues", "mail, post", "--concurrency", "1")
    workers.enqueue("note", "--args", '["default"]')
    workers.enqueue("note", "--args", '["mail"]', "--queue", "mail")
    workers.enqueue("note", "--args", '["post"]', "--queue", "post")

    until_sync(lambda: len(workers.lines("noted")) == 2, SECONDS)

    assert sorted(workers.lines("noted")) == ["mail", "post"]


def test_a_supervisor_starts_a_worker_again_that_dies_and_ends_with_all_of_them(workers):
    supervisor = workers.start("--processes", "2", "--health-file", "health")
    until_sync(lambda: (workers.folder / "health.0").exists() and (workers.folder / "health.1").exists(), SECONDS)
    task_id = workers.enqueue("note", "--args", '["kept", 3]')
    (began,) = until_sync(lambda: workers.lines("began"), SECONDS)

    os.kill(int(began.split()[1]), signal.SIGKILL)

    until_sync(lambda: workers.lines("noted") == ["kept"], SECONDS)
    assert "is started again" in workers.log()
    assert "success" in workers.show(task_id)
    supervisor.send_signal(signal.SIGTERM)
    assert supervisor.wait(SECONDS) == 0


def test_a_worker_without_a_backend_to_share_says_so(workers):
    source = cli_app.SOURCE.replace('"tasks.db", ', "").replace(", run_tasks=False", "")
    cli_app.write(workers.folder, source)

    worker = workers.start()

    assert worker.wait(SECONDS) == 1
    assert "a worker needs a backend to share" in workers.log()
