"""Two releases of one application: what a release cannot run it leaves for one that can, and says why."""

from functools import partial

import pytest
from tests.faults.faults_kit import Server, Stage, wait_for

#: What the second release of `apps/releases.py` cannot run, and a word of the reason that it must give.
WAITING = {
    "gone": "declared",
    "renamed": "declared",
    "retyped": "value",
    "extended": "colour",
    "shortened": "colour",
}
UNKNOWN = {name: word for name, word in WAITING.items() if word == "declared"}
KNOWN = {name: word for name, word in WAITING.items() if name not in UNKNOWN}
NUMBER = 12345678
LEASE = 3.0


def fill_first_release(stage: Stage) -> tuple[Server, dict[str, str]]:
    server = stage.start("releases", release="1", max_concurrent_tasks=1, shutdown_grace=0.2, lease=LEASE)
    server.wait_for_status(server.post("/block")["id"], "running")
    return server, server.post("/fill", number=NUMBER)


def end(server: Server, how: str) -> None:
    if how == "killed":
        server.kill()
    else:
        server.stop()


def is_explained(server: Server, task_id: str, word: str) -> bool:
    record = server.record(task_id)
    assert record["status"] == "pending"
    return word in (record["reason"] or "")


def check_waiting(server: Server, ids: dict[str, str], words: dict[str, str]) -> None:
    for name, word in words.items():
        explained = partial(is_explained, server, ids[name], word)
        wait_for(f"the record of {name!r} to say why it waits", explained, seconds=2 * LEASE)


@pytest.mark.parametrize("how", ["killed", "stopped"])
def test_what_a_release_cannot_run_waits_with_a_reason_until_one_can(stage, how):
    """L7: in another release a function is gone, renamed, or takes other arguments."""
    first, ids = fill_first_release(stage)
    end(first, how)

    second = stage.start("releases", release="2")
    second.wait_for_status(ids["steady"], "success")
    check_waiting(second, ids, WAITING)
    assert {note.task_id for note in stage.ledger.notes()} == {ids["steady"]}
    assert "stays pending" in second.log()
    second.stop()

    third = stage.start("releases", release="1")
    for name in WAITING:
        record = third.wait_for_status(ids[name], "success")
        assert record["attempts"] == 1
        assert record["reason"] is None
        begun = [(note.pid, note.text) for note in stage.ledger.notes("begin") if note.task_id == ids[name]]
        assert begun == [(third.pid, str(NUMBER))]


@pytest.mark.parametrize("how", ["killed", "stopped"])
def test_a_release_that_runs_already_leaves_what_it_cannot_run(stage, how):
    second = stage.start("releases", release="2", lease=LEASE)
    first, ids = fill_first_release(stage)
    end(first, how)

    second.wait_for_status(ids["steady"], "success")
    check_waiting(second, ids, KNOWN)
    assert {second.record(ids[name])["status"] for name in UNKNOWN} == {"pending"}
    assert {note.task_id for note in stage.ledger.notes()} == {ids["steady"]}


@pytest.mark.parametrize(
    "how",
    [
        "killed",
        "stopped",
    ],
)
def test_a_release_that_runs_already_explains_functions_that_it_does_not_know(stage, how):
    second = stage.start("releases", release="2", lease=LEASE)
    first, ids = fill_first_release(stage)
    end(first, how)

    second.wait_for_status(ids["steady"], "success")
    check_waiting(second, ids, UNKNOWN)


def test_a_release_leaves_what_it_cannot_run_to_one_that_runs_beside_it(stage):
    """A rolling deploy: the old release still runs somewhere, and the new one does not hold on to its records."""
    first, ids = fill_first_release(stage)
    second = stage.start("releases", release="2", lease=LEASE)
    first.kill()
    second.wait_for_status(ids["steady"], "success")

    other = stage.start("releases", release="1", lease=LEASE)
    for name in WAITING:
        assert other.wait_for_status(ids[name], "success")["attempts"] == 1
        assert stage.ledger.count("begin", ids[name]) == 1
