"""The command that measures a backend where it is: bench."""

import asyncio
import time
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass
from typing import Annotated

import typer

from outlive.backends.apart import apart
from outlive.cli.printing import as_json, console, progress, table
from outlive.cli.target import AsJson, run
from outlive.core.states import TaskStatus
from outlive.manager import TaskManager

#: Calls that `enqueue_many` accepts together.
_MANY = 1000


@dataclass(frozen=True, slots=True)
class Measure:
    """What one kind of work came to."""

    name: str
    tasks: int
    per_second: int
    #: Milliseconds that one took: half of them less, and 99 of 100; None where they were done together.
    median_ms: float | None = None
    p99_ms: float | None = None


def add_to(app: typer.Typer) -> None:
    """Add this command."""
    app.command()(bench)


def bench(
    backend: Annotated[str, typer.Option("--backend", "-b", envvar="OUTLIVE_BACKEND", help="URL of the backend.")],
    seconds: Annotated[
        float, typer.Option(min=0.05, max=60, help="How long each of the four measures is to take.")
    ] = 2,
    json: AsJson = False,  # noqa: FBT002 - an option
) -> None:
    """Measure the backend from this machine with tasks that do nothing; what it holds is not touched.

    A store of its own is made for it in the same place (a file in the same folder, a schema, a prefix) and deleted.
    """

    async def command() -> list[Measure]:
        done: list[Measure] = []
        async with apart(backend) as url:
            with progress("measuring", len(MEASURES), quiet=json) as told:
                for count, measure in enumerate(MEASURES, 1):
                    done += await measure(url, seconds)
                    told(count)
        return done

    measures = run(command)
    if json:
        as_json([asdict(one) for one in measures])
        return
    rows = ((one.name, one.tasks, f"{one.per_second:,.0f}", _ms(one.median_ms), _ms(one.p99_ms)) for one in measures)
    table(("measure", "tasks", "a second", "half within", "99 % within"), rows, "")
    console.print("[dim]tasks that do nothing, one process, this machine; what yours do comes on top[/]")


def _ms(value: float | None) -> str:
    return "" if value is None else f"{value:.2f} ms"


async def nothing() -> None:
    """What is measured with."""


@asynccontextmanager
async def _manager(url: str, *, runs: bool) -> AsyncGenerator[TaskManager]:
    """One that runs tasks, or only accepts them where others could run them."""
    manager = TaskManager(url)
    manager.task(name="outlive.bench")(nothing)
    if not runs and manager.backend.durable:
        manager.run_as(run_tasks=False)
    async with manager:
        yield manager


async def enqueue_one(url: str, seconds: float) -> list[Measure]:
    """One caller who waits until each is durable."""
    async with _manager(url, runs=False) as manager:
        return await _one_by_one("enqueue one", lambda: manager.enqueue(nothing), seconds)


async def enqueue_many(url: str, seconds: float) -> list[Measure]:
    """A thousand together."""
    async with _manager(url, runs=False) as manager:
        begun, tasks = time.perf_counter(), 0
        while time.perf_counter() - begun < seconds:
            await manager.enqueue_many(nothing, [()] * _MANY)
            tasks += _MANY
        return [Measure("enqueue 1,000 at once", tasks, round(tasks / (time.perf_counter() - begun)))]


async def drain(url: str, seconds: float) -> list[Measure]:
    """One process runs what has piled up, for as long as it was given."""
    async with _manager(url, runs=True) as manager:
        if not manager.backend.durable:  # nothing has piled up
            return []
        begun, taken, tasks, waiting = time.perf_counter(), 0.0, 0, 1
        while waiting and (taken < seconds or not tasks):
            await asyncio.sleep(min(0.05, seconds / 10))
            tasks, waiting = await _succeeded(manager), await _waiting(manager)
            taken = time.perf_counter() - begun
    return [Measure("drain", tasks, round(tasks / taken))]


async def latency(url: str, seconds: float) -> list[Measure]:
    """From asking for a run to having its result, one after the other."""
    async with apart(url) as other, _manager(other, runs=True) as manager:

        async def once() -> None:
            await (await manager.enqueue(nothing)).result()

        return await _one_by_one("enqueue to result", once, seconds)


MEASURES = (enqueue_one, enqueue_many, drain, latency)


async def _one_by_one(name: str, work: Callable[[], Awaitable[object]], seconds: float) -> list[Measure]:
    times: list[float] = []
    await work()  # what is set up once is not counted
    begun = time.perf_counter()
    while (now := time.perf_counter()) - begun < seconds:
        await work()
        times.append(time.perf_counter() - now)
    ranked = sorted(times)
    return [Measure(name, len(ranked), round(len(ranked) / sum(ranked)), _at(ranked, 0.5), _at(ranked, 0.99))]


def _at(ranked: list[float], share: float) -> float:
    return round(ranked[min(len(ranked) - 1, int(len(ranked) * share))] * 1000, 3)


async def _succeeded(manager: TaskManager) -> int:
    return (await manager.counts())[TaskStatus.SUCCESS]


async def _waiting(manager: TaskManager) -> int:
    counts = await manager.counts()
    return counts[TaskStatus.PENDING] + counts[TaskStatus.RUNNING]
