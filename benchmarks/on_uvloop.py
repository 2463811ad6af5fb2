"""The same on the event loop of uvloop, beside asyncio's own: requests per second, tasks in one process, waits."""

import asyncio
import statistics
from collections.abc import Callable, Coroutine, Iterator
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from benchmarks import drain, latency
from benchmarks.measure import Options, Row, Section, interleave, number, percentile, ratios, scratch, spread
from benchmarks.requests_per_second import Server, command_for, load, serving
from benchmarks.server import MEMORY, NO_TASK, NORMAL
from outlive import Backend, MemoryBackend, SqliteBackend

ASYNCIO, UVLOOP = "asyncio", "uvloop"
LOOPS = (ASYNCIO, UVLOOP)
#: Seconds for which tasks are started at a steady rate.
STEADY = 1.2

METHOD = f"""\
"Requests per second", "Enqueue to done, in process" and "Enqueue to start, idle" as above, on uvloop and on asyncio's
own loop in turn, in this run; "x asyncio" is taken within a round. The bars are held on asyncio's own loop, which is
what there is without the extra `outlive[uvloop]`. Waits are those of {STEADY * latency.RATE:.0f} tasks on each."""

Work = Callable[[], Coroutine[Any, Any, Any]]


def run(options: Options) -> Section:
    """Measure on both."""
    section = Section("On uvloop", METHOD, "beside asyncio's own loop")
    if find_spec("uvloop") is None:
        section.method = "Not measured: uvloop is not installed (the extra `outlive[uvloop]`)."
        return section
    with scratch(options) as folder:
        commands = {
            f"{kind}, {loop}": command_for(kind, folder, loop) for kind in (NO_TASK, MEMORY, NORMAL) for loop in LOOPS
        }
        with serving(commands) as servers:
            rates = asyncio.run(load(servers, options.rounds(2)))
        drained = asyncio.run(interleave(dict(_drains(options)), options.rounds(4)))
        waits = {name: asyncio.run(wait()) for name, wait in _waits(folder)}
    section.rows = [*_request_rows(rates, servers), *_drain_rows(drained), *_wait_rows(waits)]
    return section


def _on(loop: str, work: Work) -> Work:
    """The work on a loop of its own, in a thread while this one waits."""

    def in_thread() -> Any:
        if loop == ASYNCIO:
            return asyncio.run(work())
        import uvloop  # noqa: PLC0415 - an extra

        return uvloop.run(work())

    return partial(asyncio.to_thread, in_thread)


def _drains(options: Options) -> Iterator[tuple[str, Work]]:
    async def on_sqlite() -> float:
        with scratch(options) as folder:
            return await drain.ours(SqliteBackend(folder / "tasks.db", synchronous="NORMAL"))

    for loop in LOOPS:
        yield f"memory, {loop}", _on(loop, lambda: drain.ours(MemoryBackend()))
        yield f"SQLite NORMAL, {loop}", _on(loop, on_sqlite)


def _waits(folder: Path) -> Iterator[tuple[str, Work]]:
    for loop in LOOPS:
        backends: dict[str, Callable[[], Backend]] = {
            "memory": MemoryBackend,
            "SQLite NORMAL": partial(SqliteBackend, folder / f"{loop}.db", synchronous="NORMAL"),
        }
        for name, make in backends.items():
            yield f"{name}, {loop}", _on(loop, partial(_latencies, make))


async def _latencies(make: Callable[[], Backend]) -> list[float]:
    return await latency.latencies(make(), STEADY)


# -- rows ----------------------------------------------------------------------------------------------


def _beside(name: str, samples: dict[str, list[float]]) -> str:
    return f"{spread(ratios(samples[f'{name}, {UVLOOP}'], samples[f'{name}, {ASYNCIO}']))} x asyncio"


def _request_rows(rates: dict[str, list[float]], servers: dict[str, Server]) -> Iterator[Row]:
    for kind in (NO_TASK, MEMORY, NORMAL):
        name = f"{kind}, {UVLOOP}"
        what = name if kind == NO_TASK else f"one task, {name}"
        beside = _beside(kind, rates)
        share = number(statistics.median(ratios(rates[name], rates[f"{NO_TASK}, {UVLOOP}"])))
        costs = [number(statistics.median(servers[f"{kind}, {loop}"].costs)) for loop in (UVLOOP, ASYNCIO)]
        cost = f"{costs[0]} µs of the server's processor a request, asyncio {costs[1]}"
        beside += f"; {cost}" if kind == NO_TASK else f"; {share} x no task; {cost}"
        yield Row(f"requests per second, {what}", spread(rates[name], "/s"), beside)


def _drain_rows(drained: dict[str, list[float]]) -> Iterator[Row]:
    for backend in ("memory", "SQLite NORMAL"):
        name = f"{backend}, {UVLOOP}"
        yield Row(f"enqueue to done, {name}", spread(drained[name], "/s"), _beside(backend, drained))


def _wait_rows(waits: dict[str, list[float]]) -> Iterator[Row]:
    for backend in ("memory", "SQLite NORMAL"):
        pair = [waits[f"{backend}, {loop}"] for loop in (UVLOOP, ASYNCIO)]
        shown = [f"{percentile(each, 50):.2f} / {percentile(each, 99):.2f} ms" for each in pair]
        yield Row(f"enqueue to start, {backend}, {UVLOOP}, p50 / p99", *shown)
