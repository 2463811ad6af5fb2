"""The side of an adapter: answers lines of JSON, and does for every queue what does not depend on the system.

Runs in a peer's environment: nothing but the standard library here.
"""

import asyncio
import json
import os
import signal
import struct
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

URL = os.environ.get("BENCH_URL", "")
SETTING = os.environ.get("BENCH_SETTING")
TUNED = SETTING == "tuned"
FOLDER = Path(os.environ.get("BENCH_FOLDER", "."))
#: The process of the server, 0 where there is none.
SERVER = int(os.environ.get("BENCH_SERVER", "0"))

#: What a task leaves: when it was asked for, and when its body began.
_START = struct.Struct("<dd")
_TICKS = os.sysconf("SC_CLK_TCK")
_PATIENCE = 30.0
#: Seconds for which tasks are accepted one by one.
_LONGEST = 1.0

Action = Callable[..., Awaitable[Mapping[str, Any]]]


async def answer(actions: Mapping[str, Action]) -> None:
    """Do what each line asks, until there are no more lines."""
    _say({"ready": True})
    while line := await asyncio.to_thread(sys.stdin.readline):
        asked = json.loads(line)
        try:
            _say(await actions[asked.pop("do")](**asked))
        except Exception as error:  # noqa: BLE001 - whatever it is, who asked must hear of it
            _say({"error": f"{type(error).__name__}: {error}".splitlines()[0]})


def _say(words: Mapping[str, Any]) -> None:
    print(json.dumps(words), flush=True)


# -- what tasks do ---------------------------------------------------------------------------------------


def stamp(called: float) -> None:
    """The body of every task: 16 bytes at the end of a file."""
    os.write(_starts(), _START.pack(called, time.perf_counter()))


def _starts() -> int:
    found: int | None = _opened.get(os.getpid())
    if found is None:
        found = _opened[os.getpid()] = os.open(FOLDER / "starts", os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    return found


_opened: dict[int, int] = {}


def count_starts() -> int:
    """How many tasks have begun."""
    with suppress(FileNotFoundError):
        return (FOLDER / "starts").stat().st_size // _START.size
    return 0


def starts() -> list[tuple[float, float]]:
    """When tasks were asked for and when they began."""
    with suppress(FileNotFoundError):
        return list(_START.iter_unpack((FOLDER / "starts").read_bytes()))
    return []


# -- processes -------------------------------------------------------------------------------------------


def tree(process: int) -> list[int]:
    """A process and all that descend from it."""
    try:
        children = Path(f"/proc/{process}/task/{process}/children").read_text(encoding="ascii").split()
    except OSError:
        return []
    return [process, *(found for child in children for found in tree(int(child)))]


def cpu_of(process: int) -> float:
    """Seconds that a tree has used, with those of its children that have ended."""
    return sum(_ticks(one) for one in tree(process)) / _TICKS


def _ticks(process: int) -> int:
    try:
        fields = Path(f"/proc/{process}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    except OSError:
        return 0
    return sum(int(field) for field in fields[11:15])


def memory_of(process: int) -> float:
    """Megabytes of a tree; what processes share is counted once."""
    return sum(_share(one) for one in tree(process)) / 1024


def _share(process: int) -> int:
    with suppress(OSError):
        for line in Path(f"/proc/{process}/smaps_rollup").read_text(encoding="ascii").splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1])
    return 0


def command(module: str) -> list[str]:
    """Runs a module of this package as the worker."""
    return [sys.executable, "-m", "benchmarks.peers.run", module, "worker"]


# -- queues ----------------------------------------------------------------------------------------------


class Client:
    """What an adapter of a queue has."""

    #: Starts a worker.
    worker: Sequence[str] = ()

    async def open(self) -> None:
        """Connect; install what the system needs."""

    async def one(self, called: float) -> None:
        """Accept one task, and return when that is certain."""
        raise NotImplementedError

    async def many(self, _count: int) -> bool:
        """Accept many as the system does it best, False where it has no way but one by one."""
        return False

    async def close(self) -> None:
        """Disconnect."""


class Queue:
    """The actions on one queue."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._accepted = 0
        self._worker: subprocess.Popen[bytes] | None = None

    async def enqueue_one(self, count: int) -> Mapping[str, Any]:
        """One after the other; fewer where each waits long for the disk."""
        return await self._timed(self._each(count))

    async def _each(self, count: int) -> int:
        end = time.monotonic() + _LONGEST
        for done in range(count):
            if time.monotonic() > end:
                return done
            await self._client.one(0.0)
        return count

    async def enqueue_bulk(self, count: int) -> Mapping[str, Any]:
        """As many at once as the system takes."""
        return await self._timed(self._many(count))

    async def _many(self, count: int) -> int:
        return count if await self._client.many(count) else 0

    async def _timed(self, work: Awaitable[int]) -> Mapping[str, Any]:
        server, used, begun = cpu_of(SERVER), time.process_time(), time.perf_counter()
        count = await work
        if not count:
            return {}
        took, used = time.perf_counter() - begun, time.process_time() - used
        self._accepted += count
        thousands = count / 1000
        return {
            "per_second": count / took,
            "cpu": used / thousands,
            "server_cpu": (cpu_of(SERVER) - server) / thousands,
        }

    async def drain(self, count: int) -> Mapping[str, Any]:
        """A worker is started and runs what waits, filled up to `count`; it stays for `latency`."""
        before = count_starts()
        if (missing := count - (self._accepted - before)) > 0:
            self._accepted += await self._many(missing) or await self._each(missing)
        first = before + max(1, (self._accepted - before) // 20)
        begun = time.perf_counter()
        self._worker = _begin(self._client.worker)
        await self._until(first)
        seen, used, server = count_starts(), cpu_of(self._worker.pid), cpu_of(SERVER)
        await self._until(self._accepted)
        await asyncio.sleep(0.05)  # what ends the last tasks
        thousands = (self._accepted - seen) / 1000
        began = sorted(start for _, start in starts()[before:])
        at = first - before
        return {
            "per_second": (len(began) - at) / (began[-1] - began[at - 1]),
            "cpu": (cpu_of(self._worker.pid) - used) / thousands if thousands else None,
            "server_cpu": (cpu_of(SERVER) - server) / thousands if thousands else None,
            "memory": memory_of(self._worker.pid),
            "boot": began[0] - begun,
        }

    async def latency(self, count: int, rate: float) -> Mapping[str, Any]:
        """Milliseconds from the call to the first line of the body, at a steady rate."""
        called = []
        begun = time.perf_counter()
        for at in range(count):
            await asyncio.sleep(max(0.0, begun + at / rate - time.perf_counter()))
            called.append(time.perf_counter())
            self._accepted += 1
            await self._client.one(called[-1])
        await self._until(self._accepted)
        asked = set(called)
        return {"milliseconds": [(start - at) * 1e3 for at, start in starts() if at in asked]}

    async def stop(self) -> Mapping[str, Any]:
        """End the worker."""
        if self._worker is not None:
            _end(self._worker)
            self._worker = None
        return {}

    async def _until(self, number: int) -> None:
        end, seen = time.monotonic() + _PATIENCE, -1
        while (now := count_starts()) < number:
            if now != seen:
                seen, end = now, time.monotonic() + _PATIENCE
            if time.monotonic() > end or self._gone():
                raise TimeoutError(f"{number - now} tasks have not begun; the worker said: {self._complaint()}")
            await asyncio.sleep(0.002)

    def _gone(self) -> bool:
        return self._worker is not None and self._worker.poll() is not None

    @staticmethod
    def _complaint() -> str:
        lines = (FOLDER / "worker.log").read_text(errors="replace").strip().splitlines()
        return (lines or ["nothing"])[-1]


def _begin(worker: Sequence[str]) -> subprocess.Popen[bytes]:
    with (FOLDER / "worker.log").open("ab") as log:
        return subprocess.Popen(worker, stdout=subprocess.DEVNULL, stderr=log, start_new_session=True)


def _end(worker: subprocess.Popen[bytes]) -> None:
    with suppress(ProcessLookupError):
        os.killpg(worker.pid, signal.SIGTERM)
    try:
        worker.wait(0.7)
    except subprocess.TimeoutExpired:
        with suppress(ProcessLookupError):
            os.killpg(worker.pid, signal.SIGKILL)
        worker.wait()


async def serve(client: Client) -> None:
    """Answer until nobody asks any more."""
    await client.open()
    queue = Queue(client)
    actions: dict[str, Action] = {
        name: getattr(queue, name) for name in ("enqueue_one", "enqueue_bulk", "drain", "latency", "stop")
    }
    try:
        await answer(actions)
    finally:
        await queue.stop()
        await client.close()
