"""What `kill -9` costs: nothing lost, and how soon others, or the process itself when it is back, go on."""

import asyncio
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path

from benchmarks import servers
from benchmarks.measure import Options, Row, Section, at_most, number, scratch
from outlive import TaskManager

TASKS, BEFORE, LONG = 200, 40, 0.25
PATIENCE = 45.0

METHOD = f"""\
A process accepts {TASKS} tasks of about {LONG * 1000:.0f} ms that may run again and runs 20 at once; when {BEFORE} have
ended it is killed with `kill -9`. "Alive": a second process on the same backend has been running all the time; the
time is from the kill to the start of the last task that had begun in the dead one. "Alone": a new process is started
after the kill; the time is from the end of its start-up to the start of the last such task. "Lost" are tasks that were
accepted and have not ended {PATIENCE:.0f} s later, of both. One sample each, all at the same time, default settings (a
lease of 15 s); all on one machine."""


# -- a process of the experiment -----------------------------------------------------------------------


async def _child(url: str, folder: Path, count: int) -> None:
    notes = os.open(folder / "notes", os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    manager = TaskManager(url, max_concurrent_tasks=20)

    @manager.task(name="work", requeue_on_interrupt=True)
    async def work(number: int) -> None:
        os.write(notes, f"begun {number} {os.getpid()} {time.time()}\n".encode())
        await asyncio.sleep(random.uniform(0.5, 1.5) * LONG)  # noqa: S311 - or all end together
        os.write(notes, f"ended {number} {os.getpid()} {time.time()}\n".encode())

    over = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, over.set)
    async with manager:
        os.write(notes, f"ready 0 {os.getpid()} {time.time()}\n".encode())
        if count:
            await manager.enqueue_many(work, [(number,) for number in range(count)])
        await over.wait()


# -- the experiment ------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Note:
    """What a process has noted."""

    what: str
    task: int
    process: int
    at: float


class Experiment:
    """Two processes on one backend, of which the first is killed."""

    def __init__(self, url: str, folder: Path) -> None:
        self._url = url
        self._folder = folder
        folder.mkdir()
        self._processes: list[subprocess.Popen[bytes]] = []

    async def run(self, *, alive: bool) -> tuple[float, int]:
        """Seconds until what was under way has begun again, and how many tasks were lost."""
        other = self._start(0) if alive else None
        if other is not None:
            await self._until(lambda: self._ready(other))
        first = self._start(TASKS)
        await self._until(lambda: len(self._ended()) >= BEFORE)
        first.kill()
        first.wait()
        killed = time.time()
        back = None if alive else self._start(0)
        with suppress(TimeoutError):
            await self._until(lambda: len(self._ended()) == TASKS)
        return self._judge(first.pid, killed if back is None else self._ready(back))

    def _judge(self, dead: int, since: float) -> tuple[float, int]:
        notes = self._notes()
        ended = {note.task for note in notes if note.what == "ended" and note.process == dead}
        under_way = {note.task for note in notes if note.what == "begun" and note.process == dead} - ended
        again = [note.at for note in notes if note.what == "begun" and note.process != dead and note.task in under_way]
        if not under_way:
            raise RuntimeError("nothing was under way when the process was killed")
        return max((at - since for at in again), default=PATIENCE), TASKS - len(self._ended())

    def _start(self, count: int) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", "benchmarks.killed", self._url, str(self._folder), str(count)]
        self._processes.append(subprocess.Popen(command, stderr=subprocess.DEVNULL))
        return self._processes[-1]

    def _notes(self) -> list[Note]:
        with suppress(FileNotFoundError):
            lines = (self._folder / "notes").read_text().splitlines()
            return [Note(what, int(task), int(pid), float(at)) for what, task, pid, at in map(str.split, lines)]
        return []

    def _ended(self) -> set[int]:
        return {note.task for note in self._notes() if note.what == "ended"}

    def _ready(self, process: subprocess.Popen[bytes]) -> float:
        return next((note.at for note in self._notes() if note.what == "ready" and note.process == process.pid), 0.0)

    @staticmethod
    async def _until(condition: Callable[[], object]) -> None:
        end = time.monotonic() + PATIENCE
        while not condition():
            if time.monotonic() > end:
                raise TimeoutError
            await asyncio.sleep(0.02)

    def close(self) -> None:
        """End what still runs."""
        for process in self._processes:
            process.kill()
            process.wait()


async def _experiment(url: str, folder: Path, *, alive: bool) -> tuple[float, int]:
    experiment = Experiment(url, folder)
    try:
        return await experiment.run(alive=alive)
    finally:
        experiment.close()


def _places(folder: Path, stack: ExitStack) -> Iterator[tuple[str, str]]:
    """A URL for each backend and experiment."""
    postgres, redis = (stack.enter_context(one()).url for one in (servers.postgres, servers.redis))
    for how in ("alive", "alone"):
        yield f"SQLite, {how}", f"sqlite:///{folder / how}.db"
        yield f"PostgreSQL, {how}", f"{postgres}&schema={how}"
        yield f"Redis, {how}", f"{redis}?prefix={how}"


async def _all(places: Mapping[str, str], folder: Path) -> dict[str, tuple[float, int]]:
    """All experiments at once, which mostly wait."""
    running = [_experiment(url, folder / f"of {name}", alive=name.endswith("alive")) for name, url in places.items()]
    return dict(zip(places, await asyncio.gather(*running), strict=True))


def run(options: Options) -> Section:
    """On every backend, in both ways."""
    with scratch(options) as folder, ExitStack() as stack:
        found = asyncio.run(_all(dict(_places(folder, stack)), folder))
    section = Section("Killed with -9", METHOD, "")
    for name, (seconds, _) in found.items():
        bar = 15.0 if name.endswith("alive") else 1.0
        section.rows.append(at_most(f"{name}: under way again", seconds, bar, "s", f"{number(seconds)} s"))
    section.rows.append(at_most("lost", sum(lost for _, lost in found.values()), 0, "tasks"))
    section.rows.append(Row("accepted", f"{TASKS * len(found):,} tasks"))
    return section


if __name__ == "__main__":
    asyncio.run(_child(sys.argv[1], Path(sys.argv[2]), int(sys.argv[3])))
