"""The long experiment: processes that are killed every second and replaced, and nothing lost or doubled.

`python -m benchmarks.kills URL [--tasks 20000] [--freeze]`; with `postgres` or `redis` for URL on a server of its own
(Redis with `appendonly`, synced each second), which `--restart` crashes once in the middle, and to which `--cuts` cuts
all connections several times a second.
"""

import argparse
import asyncio
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable
from pathlib import Path

from tests.support import postgres, valkey
from tests.support.proxy import Proxy

from outlive import BackendUnavailableError, Page, TaskManager, TaskRecord, TaskStatus, get_task_context
from outlive.core.filter import TaskFilter

PROCESSES, CLIENTS, LEASE = 4, 20, 3.0
LIVE = frozenset({TaskStatus.PENDING, TaskStatus.RUNNING})


# -- one of the processes ---------------------------------------------------------------------------


async def child(url: str, folder: Path, count: int) -> None:
    """Accept tasks and run them; whoever is to be believed is written down with one write each."""
    flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT
    accepted, begun = (os.open(folder / name, flags, 0o600) for name in ("accepted", "begun"))
    manager = TaskManager(url, lease=LEASE, shutdown_grace=1.0, max_concurrent_tasks=50)

    async def body(_number: int) -> None:
        task_id = _context_id()
        os.write(begun, f"{task_id} {os.getpid()}\n".encode())
        await asyncio.sleep(random.uniform(0, 0.02))  # noqa: S311 - chance is no secret here

    @manager.task(name="once")
    async def once(number: int) -> None:
        await body(number)

    @manager.task(name="again", requeue_on_interrupt=True)
    async def again(number: int) -> None:
        await body(number)

    async with manager:

        async def client(first: int) -> None:
            for number in range(first, count, CLIENTS):
                try:
                    task = await manager.enqueue(again if number % 2 else once, number)
                except BackendUnavailableError:
                    continue  # nothing was promised
                os.write(accepted, f"{task.id}\n".encode())

        await asyncio.gather(*map(client, range(CLIENTS)))
        await asyncio.Event().wait()


def _context_id() -> str:
    context = get_task_context()
    return context.task_id if context is not None else "-"


# -- the experiment ---------------------------------------------------------------------------------


class Experiment:
    """Keeps processes running, kills one every second, and judges in the end."""

    def __init__(self, url: str, tasks: int, every: float, *, freezes: bool) -> None:
        self.url = url
        self.folder = Path(tempfile.mkdtemp(prefix="outlive-kills-"))
        self._errors = os.open(self.folder / "errors", os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        self._share = tasks // PROCESSES
        self._tasks = tasks
        self._every = every
        self._freezes = freezes
        self._children: list[subprocess.Popen[bytes]] = []
        self.kills = 0

    def accepted(self) -> list[str]:
        """The ids that were given out."""
        path = self.folder / "accepted"
        return path.read_text().split() if path.exists() else []

    def start(self) -> None:
        """One more process."""
        command = [sys.executable, "-m", "benchmarks.kills", "--child", str(self.folder), self.url]
        self._children.append(subprocess.Popen([*command, "--tasks", str(self._share)], stderr=self._errors))

    def run(self) -> None:
        """Kill until enough was accepted, then let the last ones finish."""
        for _ in range(PROCESSES):
            self.start()
        while len(self.accepted()) < self._tasks:
            time.sleep(self._every)
            victim = self._children.pop(0)
            if self._freezes and self.kills % 5 == 4:
                victim.send_signal(signal.SIGSTOP)
                threading.Timer(LEASE + 1.5, victim.send_signal, [signal.SIGCONT]).start()
                self._children.append(victim)
            else:
                victim.kill()
                victim.wait()
            self.kills += 1
            while len(self._children) < PROCESSES:
                self.start()

    async def judge(self) -> Counter[str]:
        """Wait until everything has ended, and compare."""
        async with TaskManager(self.url, run_tasks=False) as manager:
            while not LIVE.isdisjoint(status for status, count in (await manager.counts()).items() if count):  # noqa: ASYNC110
                await asyncio.sleep(0.2)
            accepted = self.accepted()  # before the records: those that still run accept more meanwhile
            records = {record.id: record async for record in _all(manager)}
        begun = Counter(line.split()[0] for line in (self.folder / "begun").read_text().splitlines())
        lost = [task_id for task_id in accepted if task_id not in records]
        twice = [i for i, count in begun.items() if count > 1 and i in records and records[i].func == "once"]
        never = [i for i, one in records.items() if one.status is TaskStatus.SUCCESS and not begun[i]]
        counts = Counter(f"{one.func} {one.status}" for one in records.values())
        counts.update(accepted=len(accepted), records=len(records), kills=self.kills)
        counts.update(lost=len(lost), once_ran_twice=len(twice), success_without_a_run=len(never))
        return counts

    def close(self) -> None:
        """End the processes."""
        for process in self._children:
            process.kill()
            process.wait()


async def _all(manager: TaskManager) -> AsyncIterator[TaskRecord]:
    before: str | None = None
    while page := list(await manager.find(TaskFilter(), Page(1000, before))):
        for record in page:
            yield record
        before = page[-1].id


def main() -> None:
    """Run it once and print what happened."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("url")
    parser.add_argument("--tasks", type=int, default=20_000)
    parser.add_argument(
        "--every", type=float, default=1.0, help="seconds between kills; a process must come up in 4 of them"
    )
    parser.add_argument("--child", type=Path, help=argparse.SUPPRESS)
    for name in ("freeze", "restart", "cuts"):
        parser.add_argument(f"--{name}", action="store_true")
    given = parser.parse_args()
    if given.child is not None:
        asyncio.run(child(given.url, given.child, given.tasks))
        return
    server = _SERVERS[given.url]() if given.url in _SERVERS else None
    url = server.url if server is not None else given.url
    over = threading.Event()
    cutter = _Cutter(url, over) if given.cuts else None
    experiment = Experiment(cutter.url if cutter else url, given.tasks, given.every, freezes=given.freeze)
    crash = threading.Timer(8.0, server.restart) if given.restart and server is not None else None
    if crash is not None:
        crash.start()
    began = time.monotonic()
    try:
        experiment.run()
        over.set()
        experiment.url = url
        print(dict(sorted(asyncio.run(experiment.judge()).items())), f"{time.monotonic() - began:.0f} s")
    finally:
        over.set()
        if crash is not None:
            crash.cancel()
        experiment.close()
        if server is not None:
            server.remove()


class _Valkey:
    """A server whose log of changes survives a crash."""

    def __init__(self) -> None:
        self._folder = Path(tempfile.mkdtemp(prefix="outlive-kills-"))
        keeps = {"appendonly": "yes", "appendfsync": "everysec", "save": "", "persist": True}
        self._server = valkey.own_server(port=valkey.unused_port(), data_dir=self._folder, **keeps)
        self._server.start()
        self.url: str = self._server.connection_url

    def restart(self) -> None:
        """Kill it, and start it on what it has written."""
        self._server.terminate()
        self._server.start()

    def remove(self) -> None:
        """End it, and forget what it kept."""
        self._server.stop()
        shutil.rmtree(self._folder)


_SERVERS: dict[str, Callable[[], "postgres.Server | _Valkey"]] = {
    "postgres": lambda: postgres.Server(fsync="on", full_page_writes="on"),
    "redis": _Valkey,
}


class _Cutter:
    """A proxy in a thread of its own, which cuts everything again and again until it is over."""

    def __init__(self, target: str, over: threading.Event) -> None:
        self.url = ""
        self._ready = threading.Event()
        threading.Thread(target=lambda: asyncio.run(self._run(target, over)), daemon=True).start()
        self._ready.wait()

    async def _run(self, target: str, over: threading.Event) -> None:
        async with Proxy(target) as proxy:
            self.url = proxy.url
            self._ready.set()
            while True:
                await asyncio.sleep(random.uniform(0, 0.5))  # noqa: S311 - chance is no secret here
                if not over.is_set():
                    proxy.cut()


if __name__ == "__main__":
    main()
