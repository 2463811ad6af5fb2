"""Runs applications as real processes, and reads what their tasks wrote with their own hands."""

import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self, TypeVar

import httpx

APPS = Path(__file__).parent / "apps"
ENDED = frozenset({"success", "failed", "interrupted", "cancelled", "rejected"})

#: Root may write what is read-only; this takes that power from a process.
_AS_A_USER = ("setpriv", "--bounding-set=-dac_override", "--inh-caps=-dac_override")

T = TypeVar("T")
Record = dict[str, Any]


def wait_for(what: str, look: Callable[[], T | None], seconds: float = 20.0) -> T:
    """Look again and again until something truthy is seen; fail, naming it, after `seconds`."""
    deadline = time.monotonic() + seconds
    while not (seen := look()):
        assert time.monotonic() < deadline, f"after {seconds:g} s still waiting for {what}"
        threading.Event().wait(0.02)
    return seen


@dataclass(frozen=True)
class Note:
    """One line of the ledger: the independent truth about what ran, written by the body itself."""

    what: str
    pid: int
    task_id: str
    attempt: int
    text: str


class Ledger:
    """The file to which the bodies append when they begin and when they end."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def notes(self, what: str | None = None) -> list[Note]:
        if not self.path.exists():
            return []
        lines = self.path.read_text().splitlines()
        notes = [
            Note(kind, int(pid), task_id, int(attempt), text)
            for kind, pid, task_id, attempt, text in (line.split(" ", 4) for line in lines)
        ]
        return [note for note in notes if what in (None, note.what)]

    def count(self, what: str, task_id: str | None = None) -> int:
        return sum(task_id in (None, note.task_id) for note in self.notes(what))

    def begins_by_task(self) -> Counter[str]:
        return Counter(note.task_id for note in self.notes("begin"))


class Server:
    """One process of an application under uvicorn, and a client for it."""

    def __init__(
        self,
        app: str,
        log: Path,
        environment: dict[str, str],
        wrapper: Sequence[str] = (),
        command: Sequence[str] = (),
    ) -> None:
        self._log = log
        self._log.touch()
        self.port: int | None = None
        uvicorn = ["uvicorn", f"{app}:app", "--app-dir", str(APPS), "--port", "0", "--no-access-log"]
        if not command or command[0].startswith("--"):
            command = [*uvicorn, *command]
        with log.open("ab") as output:
            self.process = subprocess.Popen(
                [*wrapper, sys.executable, "-m", *command],
                cwd=log.parent,
                env=os.environ | environment,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # so that nothing of it is left, also where it has processes of its own
            )
        self.client = httpx.Client(timeout=20, limits=httpx.Limits(max_connections=16), trust_env=False)

    @property
    def pid(self) -> int:
        return self.process.pid

    def log(self) -> str:
        return self._log.read_text()

    # -- life --------------------------------------------------------------------------------------

    def wait_until_ready(self) -> Self:
        """Return when it serves; uvicorn tells the port that the system chose."""
        found = wait_for("the server to be ready", self._find_port)
        self.port = int(found)
        self.client.base_url = httpx.URL(f"http://127.0.0.1:{self.port}")
        return self

    def _find_port(self) -> str | None:
        assert self.process.poll() is None, f"the server ended with {self.process.returncode}:\n{self.log()}"
        found = re.search(r"(?:running on|Listening at:) http://127\.0\.0\.1:(\d+)", self.log())
        return found.group(1) if found else None

    def kill(self) -> None:
        """`kill -9`: no handler, no flush, no goodbye."""
        self.process.kill()
        self.wait_for_exit()

    def terminate(self) -> None:
        self.process.send_signal(signal.SIGTERM)

    def freeze(self) -> None:
        self.process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        self.process.send_signal(signal.SIGCONT)

    def wait_for_exit(self, seconds: float = 20.0) -> int:
        return self.process.wait(seconds)

    def stop(self, seconds: float = 20.0) -> int:
        """Ask it to end and wait until it has."""
        self.terminate()
        return self.wait_for_exit(seconds)

    def close(self) -> None:
        self.client.close()
        with suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGKILL)
        self.wait_for_exit()

    # -- asking ------------------------------------------------------------------------------------

    def get(self, path: str) -> Any:
        return self.client.get(path).raise_for_status().json()

    def post(self, path: str, **params: Any) -> Any:
        return self.client.post(path, params=params).raise_for_status().json()

    def run(self, kind: str, mode: str = "after_response", number: int = 0) -> str:
        """Let the application accept a task; its id."""
        return str(self.post(f"/run/{mode}/{kind}", number=number)["id"])

    def record(self, task_id: str) -> Record:
        found: Record = self.get(f"/records/{task_id}")
        return found

    def records(self) -> dict[str, Record]:
        return {record["task_id"]: record for record in self.get("/records")}

    def wait_for_status(self, task_id: str, *statuses: str, seconds: float = 20.0) -> Record:
        def look() -> Record | None:
            record = self.record(task_id)
            return record if record["status"] in statuses else None

        return wait_for(f"{task_id} to be {' or '.join(statuses)}", look, seconds)

    def wait_until_all_ended(self, seconds: float = 40.0) -> dict[str, Record]:
        def look() -> dict[str, Record] | None:
            counts = self.get("/counts")
            return None if counts["pending"] or counts["running"] else self.records()

        return wait_for("every record to end", look, seconds)


class Stage:
    """Starts servers on one database and one ledger; a file, unless `url` names a server's."""

    def __init__(self, folder: Path, url: str | None = None) -> None:
        self.folder = folder
        self.url = url
        self.database = folder / "tasks.db"
        self.ledger = Ledger(folder / "ledger.txt")
        self.servers: list[Server] = []

    def launch(
        self,
        app: str = "ledger",
        *,
        query: str = "",
        release: str = "1",
        without_root_powers: bool = False,
        command: Sequence[str] = (),
        **options: Any,
    ) -> Server:
        """Start a process without waiting for it; `options` are keywords of its `TaskManager`.

        `command`: what is added to that of uvicorn, or the module of another server with its arguments.
        """
        environment = {
            "FAULTS_BACKEND": self.url or f"sqlite:///{self.database}{query}",
            "FAULTS_LEDGER": str(self.ledger.path),
            "FAULTS_OPTIONS": json.dumps(options),
            "FAULTS_RELEASE": release,
        }
        log = self.folder / f"server-{len(self.servers) + 1}.log"
        wrapper = _AS_A_USER if without_root_powers and os.geteuid() == 0 else ()
        server = Server(app, log, environment, wrapper, command)
        self.servers.append(server)
        return server

    def start(self, app: str = "ledger", *, query: str = "", release: str = "1", **options: Any) -> Server:
        return self.launch(app, query=query, release=release, **options).wait_until_ready()

    def close(self) -> None:
        for server in self.servers:
            server.close()

    def logs(self) -> str:
        return "\n".join(f"--- {server._log.name} (pid {server.pid})\n{server.log()}" for server in self.servers)


def at_once(jobs: Iterable[Callable[[], T]], clients: int = 8) -> list[T]:
    """Do the jobs from several threads; the results in order."""
    with ThreadPoolExecutor(clients) as pool:
        return [future.result() for future in [pool.submit(job) for job in jobs]]
