"""`kill -9` at any instant: nothing accepted is lost, nothing runs twice, nothing reported is taken back."""

import threading
from dataclasses import dataclass
from functools import partial

import httpx
import pytest
from tests.faults.faults_kit import Server, Stage, at_once, wait_for
from tests.faults.faults_truth import Truth

REQUESTS = 300
CLIENTS = 8
KINDS = ("quick", "slow", "failing", "repeatable", "quick_thread", "flaky", "slow_thread", "failing_thread")
MODES = ("after_response", "immediate", "add_task")


@dataclass(frozen=True)
class Instant:
    """When the process is killed: at a number of answers, or, all being answered, at a number of ended bodies."""

    answers: int
    ends: int = 0

    def __str__(self) -> str:
        return f"{self.answers}-answers-{self.ends}-ends"


INSTANTS = [
    *(Instant(answers) for answers in (1, 30, 75, 120, 170, 220, 280)),
    Instant(REQUESTS),
    *(Instant(REQUESTS, ends) for ends in (200, 290)),
]


class Load:
    """Many clients at once, and what they were told. The first of the servers is the one that is killed."""

    def __init__(self, stage: Stage, *servers: Server) -> None:
        self._ledger = stage.ledger
        self._servers = servers
        self._lock = threading.Lock()
        self._killed = threading.Event()
        self._over = threading.Event()
        self.accepted: list[str] = []
        self.reported: dict[str, str] = {}

    def send(self, instant: Instant) -> None:
        """Send all requests, and kill when the instant has come."""
        watcher = threading.Thread(target=self._watch)
        watcher.start()
        try:
            at_once([partial(self._ask, number, instant.answers) for number in range(REQUESTS)], CLIENTS)
            if not self._killed.is_set():
                wait_for(f"{instant.ends} ends", lambda: self._ledger.count("end") >= instant.ends)
                self._kill()
        finally:
            self._over.set()
            watcher.join()

    def _ask(self, number: int, kill_at: int) -> None:
        server = self._servers[number % len(self._servers)]
        kind, mode = KINDS[number % len(KINDS)], MODES[number % len(MODES)]
        try:
            task_id = server.run(kind, mode, number)
        except httpx.TransportError:
            assert self._killed.is_set(), "the server went away before it was killed"
            assert server is self._servers[0], "another server than the killed one went away"
            return
        with self._lock:
            self.accepted.append(task_id)
            if len(self.accepted) == kill_at < REQUESTS:
                self._kill()

    def _kill(self) -> None:
        self._killed.set()
        self._servers[0].kill()

    def _watch(self) -> None:
        """Look at the list as a person would, and remember what it said was over."""
        with httpx.Client(base_url=self._servers[-1].client.base_url, trust_env=False) as client:
            while not self._over.wait(0.03):
                try:
                    records = client.get("/records").json()
                except httpx.TransportError:
                    return
                for record in records:
                    if record["status"] in ("success", "failed"):
                        self.reported[record["task_id"]] = record["status"]


@pytest.mark.parametrize("instant", INSTANTS, ids=str)
@pytest.mark.parametrize("query", ["", "?synchronous=NORMAL"], ids=["FULL", "NORMAL"])
def test_kill_loses_nothing_and_doubles_nothing(stage, query, instant, tally):
    # Half of the instants with few slots, so that much is pending, half without a limit, so that much is starting.
    few = (INSTANTS.index(instant) + bool(query)) % 2
    options = {"max_concurrent_tasks": 4, "max_sync_threads": 4} if few else {}
    server = stage.start(query=query, **options)
    load = Load(stage, server)
    load.send(instant)
    assert server.process.returncode == -9
    assert len(load.accepted) >= instant.answers

    restarted = stage.start(query=query)
    truth = Truth(restarted.wait_until_all_ended(), stage.ledger.notes(), {server.pid})
    tally.update(truth.check(load.accepted, load.reported))


@pytest.mark.parametrize("answers", [20, 200])
def test_three_processes_on_one_file_lose_and_double_nothing_when_one_is_killed(stage, answers, tally):
    options = {"max_concurrent_tasks": 4, "max_sync_threads": 4, "lease": 9.0}
    servers = [server.wait_until_ready() for server in [stage.launch(**options) for _ in range(3)]]
    load = Load(stage, *servers)
    load.send(Instant(answers))
    assert len(load.accepted) >= answers

    truth = Truth(servers[1].wait_until_all_ended(), stage.ledger.notes(), {servers[0].pid})
    tally.update(truth.check(load.accepted, load.reported))
    assert {note.pid for note in stage.ledger.notes("begin")} == {server.pid for server in servers}


def test_a_kill_during_the_recovery_loses_nothing_either(stage, tally):
    """L8: what was taken over after a crash is as durable as before it."""
    few = {"max_concurrent_tasks": 2, "max_sync_threads": 2}
    load = Load(stage, stage.start(**few))
    load.send(Instant(250))
    for ends in (60, 120, 180):
        server = stage.start(**few)
        wait_for(f"{ends} ends", lambda: stage.ledger.count("end") >= ends)  # noqa: B023 - called in this round
        server.kill()

    restarted = stage.start()
    truth = Truth(restarted.wait_until_all_ended(), stage.ledger.notes(), {server.pid for server in stage.servers[:-1]})
    tally.update(truth.check(load.accepted, load.reported))
