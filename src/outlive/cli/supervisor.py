"""Several workers under one command: those that die are started again."""

import logging
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path

_log = logging.getLogger("outlive.supervisor")

#: Seconds before a worker that died is started again; longer, each time it dies within `_STEADY`.
_FIRST_PAUSE, _LONGEST_PAUSE, _STEADY = 0.5, 30.0, 60.0
_LOOK = 0.2


class Supervisor:
    """Keeps `count` workers running until a signal, which it hands on to them.

    With `health_file` the workers write `<file>.0`, `<file>.1` and so on.
    """

    def __init__(self, count: int, arguments: Sequence[str], health_file: Path | None) -> None:
        self._commands = [
            [sys.executable, "-m", "outlive", "worker", *arguments, *_health(health_file, number)]
            for number in range(count)
        ]
        self._workers: dict[int, subprocess.Popen[bytes]] = {}
        self._born: dict[int, float] = {}
        self._due: dict[int, float] = dict.fromkeys(range(count), 0.0)
        self._pauses: dict[int, float] = dict.fromkeys(range(count), _FIRST_PAUSE)
        self._signals = 0
        self._woken = threading.Event()

    def run(self) -> int:
        """Supervise; say 0 after a clean end, 1 where a worker had to be ended or failed at its end."""
        logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s")
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._obey)
        while not self._signals:
            self._start_due()
            self._bury()
            self._woken.wait(_LOOK)
        codes = [worker.wait() for worker in self._workers.values()]
        return 0 if all(code == 0 for code in codes) else 1

    def _start_due(self) -> None:
        now = time.monotonic()
        for number in [number for number, at in self._due.items() if at <= now]:
            if self._signals:
                return
            del self._due[number]
            self._born[number] = now
            # In a group of its own: Ctrl-C reaches the supervisor, which hands it on once.
            self._workers[number] = subprocess.Popen(self._commands[number], start_new_session=True)  # noqa: S603
            _log.info("worker %d runs as process %d", number, self._workers[number].pid)

    def _bury(self) -> None:
        now = time.monotonic()
        for number, worker in list(self._workers.items()):
            code = worker.poll()
            if code is None:
                continue
            del self._workers[number]
            steady = now - self._born[number] > _STEADY
            pause = _FIRST_PAUSE if steady else self._pauses[number]
            self._pauses[number] = min(pause * 2, _LONGEST_PAUSE)
            self._due[number] = now + pause
            _log.warning("worker %d ended with %d; it is started again in %.1f s", number, code, pause)

    def _obey(self, number: int, _frame: object) -> None:
        self._signals += 1
        self._woken.set()
        for worker in list(self._workers.values()):
            if worker.poll() is None:
                os.kill(worker.pid, number)


def _health(file: Path | None, number: int) -> list[str]:
    return [] if file is None else ["--health-file", f"{file}.{number}"]
