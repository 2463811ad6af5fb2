"""A database that cannot be written: the client is told, nothing half-accepted remains, and work goes on after it."""

import os
import resource
import shutil
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path

import httpx
import pytest
from tests.faults.faults_kit import Server, Stage, wait_for

#: A process of somebody else that holds the write lock of a database until its input ends.
HOLDER = """
import sqlite3, sys
connection = sqlite3.connect(sys.argv[1], isolation_level=None, timeout=10)
connection.execute("begin immediate")
print("held", flush=True)
sys.stdin.read()
connection.execute("rollback")
connection.close()
"""


@contextmanager
def locked(database: Path) -> Iterator[None]:
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(database)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert holder.stdin is not None
    assert holder.stdout is not None
    try:
        assert holder.stdout.readline() == b"held\n"
        yield
    finally:
        holder.stdin.close()
        holder.stdout.close()
        holder.wait(10)


def ask(server: Server, kind: str = "quick", mode: str = "after_response", number: int = 0) -> httpx.Response:
    return server.client.post(f"/run/{mode}/{kind}", params={"number": number})


def check_refused(answer: httpx.Response, error: str) -> None:
    assert answer.status_code == 503
    assert answer.headers["retry-after"] == "1"
    assert error in answer.json()["detail"]


def check_all_is_well_again(stage: Stage, server: Server, before: str, accepted: list[str]) -> None:
    """What ran during the trouble has landed, new tasks run, and only what was accepted has a record."""
    assert server.wait_for_status(before, "success", seconds=10)["attempts"] == 1
    accepted += [server.run("quick", mode) for mode in ("after_response", "immediate", "add_task")]
    for task_id in accepted:
        server.wait_for_status(task_id, "success")
        assert stage.ledger.count("begin", task_id) == 1
    assert set(server.records()) == {before, *accepted}
    assert {note.task_id for note in stage.ledger.notes("begin")} == {before, *accepted}


# -- locked ----------------------------------------------------------------------------------------


def test_a_file_that_a_foreign_process_keeps_locked_is_a_503_until_it_is_released(stage):
    server = stage.start(query="?busy_timeout=0.3")
    with locked(stage.database):
        for mode in ("after_response", "immediate", "add_task"):
            begun = time.monotonic()
            check_refused(ask(server, mode=mode), "BackendLockedError")
            assert time.monotonic() - begun < 3
    before = server.run("slow")
    check_all_is_well_again(stage, server, before, [])


def test_a_task_that_ends_while_the_file_is_locked_is_settled_afterwards(stage):
    server = stage.start(query="?busy_timeout=0.3")
    before = server.run("three_seconds")
    server.wait_for_status(before, "running")
    with locked(stage.database):
        wait_for("the body to end", lambda: stage.ledger.count("end", before))
        check_refused(ask(server), "BackendLockedError")
        wait_for("the trouble to be logged", lambda: "another process has held a write transaction" in server.log())
    check_all_is_well_again(stage, server, before, [])


def test_a_full_journal_is_a_503_and_leaves_no_record(stage):
    server = stage.start(query="?busy_timeout=20", journal_capacity=10)
    before = server.run("quick")
    server.wait_for_status(before, "success")
    with ThreadPoolExecutor(16) as clients:
        with locked(stage.database):
            asked = [clients.submit(ask, server, number=number) for number in range(40)]
            # Nobody can be accepted now; those who are answered already found the journal full.
            wait_for("the journal to be full", lambda: sum(answer.done() for answer in asked) >= 10)
        answers = [answer.result() for answer in asked]

    accepted = [answer.json()["id"] for answer in answers if answer.status_code == 200]
    assert len(accepted) >= 10
    for answer in answers:
        if answer.status_code != 200:
            check_refused(answer, "JournalFullError")
    for task_id in accepted:
        server.wait_for_status(task_id, "success")
    check_all_is_well_again(stage, server, before, accepted)


# -- full ------------------------------------------------------------------------------------------


def fill_wal(stage: Stage, server: Server, size: int) -> None:
    wal = Path(f"{stage.database}-wal")
    while wal.stat().st_size <= size:
        server.run("quick")
    server.wait_until_all_ended()
    stage.ledger.path.write_text("")


@pytest.mark.skipif(not hasattr(resource, "prlimit"), reason="needs Linux")
def test_a_file_that_may_not_grow_is_a_503_until_it_may(stage):
    server = stage.start()
    limit = 262_144
    fill_wal(stage, server, limit)
    known = set(server.records())
    before = server.run("three_seconds")
    server.wait_for_status(before, "running")
    resource.prlimit(server.pid, resource.RLIMIT_FSIZE, (limit, resource.RLIM_INFINITY))

    for mode in ("after_response", "immediate", "add_task"):
        check_refused(ask(server, mode=mode), "BackendUnavailableError")
    wait_for("the body to end", lambda: stage.ledger.count("end", before))
    assert server.record(before)["status"] == "running", "reading goes on"

    resource.prlimit(server.pid, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    assert server.wait_for_status(before, "success", seconds=10)["attempts"] == 1
    accepted = [server.run("quick", mode) for mode in ("after_response", "immediate", "add_task")]
    for task_id in accepted:
        server.wait_for_status(task_id, "success")
    assert set(server.records()) == known | {before, *accepted}
    assert {note.task_id for note in stage.ledger.notes("begin")} == {before, *accepted}


@pytest.fixture
def small_disk(stage) -> Iterator[Path]:
    """A disk of one megabyte, on which the database is."""
    disk = stage.folder / "disk"
    disk.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "none", disk], check=False, capture_output=True)
    if mounted.returncode:
        pytest.skip("this user may not mount a small disk")
    stage.database = disk / "tasks.db"
    yield disk
    stage.close()
    subprocess.run(["umount", disk], check=True)


def test_a_full_disk_is_a_503_until_there_is_room(stage, small_disk):
    server = stage.start()
    before = server.run("three_seconds")
    server.wait_for_status(before, "running")
    ballast = small_disk / "ballast"
    fill(ballast)

    answers = wait_for("the disk to be full", lambda: refused_by(server))
    check_refused(answers[-1], "BackendUnavailableError")
    wait_for("the body to end", lambda: stage.ledger.count("end", before))
    assert "make room on the disk" in server.log()

    ballast.unlink()
    accepted = [answer.json()["id"] for answer in answers if answer.status_code == 200]
    check_all_is_well_again(stage, server, before, accepted)


def test_a_kill_with_a_full_disk_loses_nothing_that_was_accepted(stage, small_disk):
    server = stage.start(max_concurrent_tasks=1)
    server.wait_for_status(server.run("minute"), "running")
    pending = [server.run("quick") for _ in range(10)]
    fill(small_disk / "ballast")
    answers = wait_for("the disk to be full", lambda: refused_by(server))
    pending += [answer.json()["id"] for answer in answers if answer.status_code == 200]
    server.kill()
    (small_disk / "ballast").unlink()

    restarted = stage.start()
    for task_id in pending:
        restarted.wait_for_status(task_id, "success")
        assert stage.ledger.count("begin", task_id) == 1


def fill(ballast: Path) -> None:
    with ballast.open("wb", buffering=0) as file, suppress(OSError):
        while True:
            file.write(b"\0" * 4096)


def refused_by(server: Server) -> list[httpx.Response]:
    """Answers up to the first refusal; the page that the WAL still has room in may take a few."""
    answers = [ask(server, number=number) for number in range(20)]
    return answers if answers[-1].status_code == 503 else []


# -- not usable at all -----------------------------------------------------------------------------


def end_of_start(server: Server) -> str:
    """The server must give up by itself; what it said."""
    assert server.wait_for_exit() != 0
    assert "running on" not in server.log()
    return server.log()


@pytest.fixture
def pending_on_disk(stage) -> str:
    server = stage.start(max_concurrent_tasks=1)
    server.wait_for_status(server.run("minute"), "running")
    task_id = server.run("quick")
    server.kill()
    return task_id


def test_a_read_only_file_stops_the_start_with_the_remedy_and_loses_nothing(stage, pending_on_disk):
    stage.database.chmod(0o444)
    log = end_of_start(stage.launch(without_root_powers=True))
    assert "BackendUnavailableError" in log
    assert str(stage.database) in log
    assert "let this process write the file" in log

    stage.database.chmod(0o644)
    stage.start().wait_for_status(pending_on_disk, "success")


@pytest.mark.parametrize("damage", ["no-database", "damaged-page"])
def test_a_corrupt_file_stops_the_start_with_the_remedy_and_is_left_alone(stage, pending_on_disk, damage):
    with sqlite3.connect(stage.database) as connection:
        connection.execute("pragma wal_checkpoint(truncate)")
    connection.close()
    backup = stage.folder / "backup.db"
    shutil.copy(stage.database, backup)
    content = bytearray(stage.database.read_bytes())
    if damage == "no-database":
        content[:100] = b"this is a text file".ljust(100)
    else:
        content[100:4096] = os.urandom(3996)
    stage.database.write_bytes(content)

    log = end_of_start(stage.launch())
    assert "BackendCorruptError" in log
    assert str(stage.database) in log
    assert "restore it from a backup" in log
    assert stage.database.read_bytes() == content

    for leftover in ("-wal", "-shm"):
        Path(f"{stage.database}{leftover}").unlink(missing_ok=True)
    shutil.copy(backup, stage.database)
    stage.start().wait_for_status(pending_on_disk, "success")


# -- the application's own transaction on the same file --------------------------------------------


@pytest.mark.parametrize("mode", ["after_response", "immediate", "add_task"])
def test_an_own_open_transaction_is_a_503_at_once_and_the_log_has_the_remedy(stage, mode):
    server = stage.start("sessions")
    begun = time.monotonic()
    answer = server.client.post(f"/request_scope/{mode}", params={"number": 1})
    assert time.monotonic() - begun < 1.5, "it waited for a lock that this very request holds"
    check_refused(answer, "BackendLockedError")
    assert 'Depends(..., scope="function")' in server.log()

    task_id = server.post("/function_scope", number=2)["id"]
    server.wait_for_status(task_id, "success")
    assert set(server.records()) == {task_id}
    assert {note.task_id for note in stage.ledger.notes()} == {task_id}
    assert 2 in server.get("/orders")
