"""What one process and one server carry: loads from idle to full, a model fitted to two of them and held to two others.

`docs/scaling.md` gets its figures from here.
"""

import asyncio
import json
import random
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path

from benchmarks import servers
from benchmarks.measure import Options, Row, Section, Table, number, percentile, scratch
from benchmarks.model import Load, Model, capacity, error, fit
from benchmarks.peers.adapter import cpu_of
from outlive import TaskManager

SECONDS, CLIENTS = 0.9, 64
#: Shares of the most: the first and the last fit the model, those between are what it is held to.
SHARES = (0.02, 0.15, 0.25, 0.4)
#: Processors of the server in the examples on the page.
PROCESSORS = (2, 8)

METHOD = f"""\
One process accepts tasks and runs them, as an application with one worker does, on asyncio's own loop. "Most" is what
{CLIENTS} coroutines get through that each accept a task, wait for its end and accept the next, for {SECONDS:g} s.
Then tasks arrive at random (Poisson) at {SHARES[0]:.0%}, {SHARES[1]:.0%}, {SHARES[2]:.0%} and {SHARES[3]:.0%} of
that, one call of `enqueue` each, as requests make them; waits are from when it should have been called to the first
line of the body, the median. The model is fitted to the most and to the first and the last of the four; the two
between are predicted, and the table says by how much that is off. SQLite is NORMAL; the servers are on the same
processors as the process and as what makes the load, so a busy system waits longer here than with a server of its
own. What a server of so many processors carries is what its processor time at the most allows."""


# -- the process ---------------------------------------------------------------------------------------


class Loads:
    """Puts load on a manager of its own."""

    def __init__(self, url: str, server: int) -> None:
        self._server = server
        self._waits: list[float] = []
        self._manager = TaskManager(url, room=50_000)
        self._manager.task(name="body")(self.body)

    async def body(self, called: float) -> None:
        """The task."""
        self._waits.append((time.perf_counter() - called) * 1e3)

    async def measure(self) -> list[dict[str, float]]:
        """The most, and each share of it."""
        async with self._manager:
            await self._full(0.3)
            found = [await self._noted(self._full(SECONDS))]
            for share in SHARES:
                found.append(await self._noted(self._arriving(found[0]["rate"] * share)))
            return found

    async def _noted(self, load: object) -> dict[str, float]:
        self._waits.clear()
        used, loop, server, begun = time.process_time(), time.thread_time(), cpu_of(self._server), time.perf_counter()
        await load  # type: ignore[misc]
        took = time.perf_counter() - begun
        count = len(self._waits)
        return {
            "rate": count / took,
            "wait": percentile(self._waits, 50),
            "p99": percentile(self._waits, 99),
            "loop": (time.thread_time() - loop) / count,
            "process": (time.process_time() - used) / count,
            "server": (cpu_of(self._server) - server) / count,
        }

    async def _full(self, seconds: float) -> None:
        end = time.perf_counter() + seconds

        async def client() -> None:
            while (now := time.perf_counter()) < end:
                task = await self._manager.enqueue(self.body, now)
                await task.finished.wait()

        await asyncio.gather(*[client() for _ in range(CLIENTS)])

    async def _arriving(self, rate: float) -> None:
        begun = time.perf_counter()
        at, running = begun, set[asyncio.Task[object]]()
        while (at := at + random.expovariate(rate)) < begun + SECONDS:
            if (ahead := at - time.perf_counter()) > 0:
                await asyncio.sleep(ahead)
            # From when it should have been called: who is late must not look quick.
            task = asyncio.create_task(self._manager.enqueue(self.body, at))
            running.add(task)
            task.add_done_callback(running.discard)
        while running or len(self._manager.store):  # noqa: ASYNC110 - an event for each task would be measured, too
            await asyncio.sleep(0.002)


def _child(url: str, server: int) -> None:
    print(json.dumps(asyncio.run(Loads(url, server).measure())))


# -- the measure ---------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Found:
    """One backend: the most, the loads, the model."""

    name: str
    most: dict[str, float]
    loads: Sequence[dict[str, float]]
    model: Model

    def errors(self) -> tuple[list[float], list[float]]:
        """By how much predicted waits and predicted times of the event loop are off."""
        unseen, model = self.loads[1:-1], self.model
        waits = [error(model.wait(one["rate"]), one["wait"]) for one in unseen]
        used = [error(model.loop.at(one["rate"]), one["loop"]) for one in unseen]
        return waits, used


def _places(stack: ExitStack, folder: Path) -> Iterator[tuple[str, str, int]]:
    yield "memory", "memory://", 0
    yield "SQLite", f"sqlite:///{folder / 'tasks.db'}?synchronous=NORMAL", 0
    for name, serving in (("PostgreSQL", servers.postgres), ("Redis", servers.redis)):
        server = stack.enter_context(serving())
        yield name, server.url, server.process


def measure(options: Options) -> list[Found]:
    """Every backend, in a process of its own each."""
    found = []
    with scratch(options) as folder, ExitStack() as stack:
        for name, url, server in _places(stack, folder):
            command = [sys.executable, "-m", "benchmarks.scaling", url, str(server)]
            done = subprocess.run(command, capture_output=True, text=True, check=True)
            most, *loads = json.loads(done.stdout)
            found.append(Found(name, most, loads, fit(*map(_load, (most, loads[0], loads[-1])))))
    return found


def _load(found: dict[str, float]) -> Load:
    return Load(**{name: found[name] for name in Load.__slots__})


def run(options: Options) -> Section:
    """Measure, fit, and hold the model to what it has not seen."""
    found = measure(options)
    section = Section("What one process and one server carry", METHOD, "predicted time of the loop off by")
    section.tables = [Table("Loads", LOADS, list(_loads(found))), Table("Demands", DEMANDS, list(_demands(found)))]
    section.rows = [Row(f"{one.name}: predicted waits off by", *map(_percents, one.errors())) for one in found]
    section.data = {
        one.name: {
            "most": one.most,
            "loads": list(one.loads),
            "model": asdict(one.model),
            "fitted": one.model,
        }
        for one in found
    }
    return section


LOADS = ("", "share of the most", "tasks /s", "wait, p50 ms", "p99, ms", "predicted p50, ms", "off by")
DEMANDS = (
    "",
    "most /s of a process",
    "event loop, µs a task: full (idle)",
    "process, µs a task",
    "server, µs a task",
    *(f"/s with {processors} processors for the server" for processors in PROCESSORS),
)


def _loads(found: Sequence[Found]) -> Iterator[Sequence[str]]:
    for one in found:
        for share, load in zip(SHARES, one.loads, strict=True):
            predicted = one.model.wait(load["rate"])
            fitted = share in (SHARES[0], SHARES[-1])
            off = "fitted" if fitted else _percents([error(predicted, load["wait"])])
            figures = (load["rate"], load["wait"], load["p99"], predicted)
            yield (one.name, f"{share:.0%}", *map(number, figures), off)


def _demands(found: Sequence[Found]) -> Iterator[Sequence[str]]:
    for one in found:
        pairs = [(one.most[name], one.loads[0][name]) for name in ("loop", "process", "server")]
        costs = [f"{full * 1e6:.0f} ({idle * 1e6:.0f})" if full else "" for full, idle in pairs]
        carried = [_carried(one, processors) for processors in PROCESSORS]
        yield (one.name, number(one.most["rate"]), *costs, *carried)


def _carried(one: Found, processors: int) -> str:
    """One Redis has one thread for its commands, however many processors there are."""
    carried = capacity(_load(one.most), 1 if one.name == "Redis" else processors)
    return number(carried) if carried else ""


def _percents(shares: Sequence[float]) -> str:
    return ", ".join(f"{share:+.0%}" for share in shares)


if __name__ == "__main__":
    _child(sys.argv[1], int(sys.argv[2]))
