"""Requests beside other systems: what a task adds, requests per second, and tasks run in one process."""

import asyncio
import statistics
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from importlib.metadata import version
from pathlib import Path

from benchmarks.measure import (
    Options,
    Row,
    Section,
    Table,
    at_least,
    interleave,
    number,
    percentile,
    ratios,
    scratch,
    spread,
)
from benchmarks.peers import Peer, environment, make, started
from benchmarks.peers.process import versions
from benchmarks.requests_per_second import load, serving

CALLS = 20
NO_TASK, OUTLIVE, TASKFLOW = "no task", "outlive", "fastapi-taskflow"
#: Where nobody is asked to serve: what `request` measures alone.
HAND_ONLY = (
    "unused",
    "add_task",
    "add_task, eager",
    "after_route",
    "add_task, plain function",
    "after_response, plain function",
)


@dataclass(frozen=True, slots=True)
class Web:
    """A system that works inside of requests."""

    name: str
    adapter: str
    packages: tuple[str, ...] = ()
    #: How many tasks it runs in process, in memory and on SQLite.
    counts: tuple[int, int] = (0, 0)

    def python(self) -> Path:
        """That of its environment, with the FastAPI that outlive is measured with."""
        if not self.packages:
            return environment(())
        same = [f"{name}=={version(name)}" for name in ("fastapi", "starlette", "uvicorn", "httptools")]
        return environment([*self.packages, *same])


SYSTEMS = (
    Web("Starlette", "starlette"),
    Web(OUTLIVE, "outlive_web", counts=(6_000, 4_000)),
    Web("fastapi-tasks", "fastapi_tasks", ("fastapi-tasks==0.1.0",)),
    Web(TASKFLOW, "fastapi_taskflow", ("fastapi-taskflow==0.12.1",), (2_000, 400)),
)

METHOD = f"""\
Each system in a process and an environment of its own, with the same FastAPI. "Added": one request after another by
hand (`await app(scope, receive, send)` and one turn of the loop, {CALLS} in a row for each case and round), the 5th
percentile of the rounds, beside the plain endpoint of the same process; Starlette and fastapi-taskflow run the task
inside of that call. "Requests": a uvicorn process for each, 16 keep-alive connections, as under "Requests per second";
the ratio is to an endpoint without a task in the same round. "In process": from the first task accepted to the last
one's end. fastapi-taskflow with SQLite stores with `persist=True`, after the response; outlive stores before it,
NORMAL in process, as there. Ratios within a round."""


@dataclass(slots=True)
class Found:
    """What was measured, by system and case."""

    added: dict[str, list[float]]
    rates: dict[str, list[float]]
    in_process: dict[str, list[float]]
    failures: dict[str, str]


def prepare() -> None:
    """Make the environments."""
    make(system.python for system in SYSTEMS)


def run(options: Options) -> Section:
    """Measure all of them."""
    found = Found({}, {}, {}, {})
    with scratch(options) as folder:
        with ExitStack() as stack:
            starting = {system.name: partial(_start, system, folder) for system in SYSTEMS}
            peers, found.failures = stack.enter_context(started(starting))
            found.added = asyncio.run(_by_hand(peers, options.rounds(24)))
            found.in_process = asyncio.run(interleave(_in_process(peers), options.rounds(3)))
        cases = [name for name in found.added if name.partition(": ")[2] not in HAND_ONLY]
        variables = {"BENCH_FOLDER": str(folder), "PYTHONWARNINGS": "ignore", "PATH": ""}
        with serving({name: _command(name) for name in cases if _served(name)}, variables) as servers:
            found.rates = asyncio.run(load(servers, options.rounds(2)))
    section = Section("Requests beside other systems", METHOD, "beside", list(_rows(found)))
    section.tables = [
        Table("One task in one request", ("", "added", "requests per second", "of no task"), _lines(found))
    ]
    section.data = {"added": _added(found), "rates": found.rates, "in process": found.in_process}
    section.versions = _versions(found.failures)
    return section


def _served(name: str) -> bool:
    return not name.endswith(NO_TASK) or name.startswith("Starlette")


def _start(system: Web, folder: Path) -> Peer:
    return Peer([system.python(), "-m", "benchmarks.peers.run", system.adapter, "web"], {"BENCH_FOLDER": str(folder)})


def _versions(failures: Mapping[str, str]) -> dict[str, str]:
    found: dict[str, str] = {}
    for system in SYSTEMS:
        if system.packages and system.name not in failures:
            found |= versions(system.python(), [one.partition("==")[0] for one in system.packages])
    return found


# -- measuring -----------------------------------------------------------------------------------------


async def _by_hand(peers: dict[str, Peer], rounds: int) -> dict[str, list[float]]:
    cases = {
        f"{name}: {case}": partial(_ask, peer, "request", case=case, calls=CALLS)
        for name, peer in peers.items()
        for case in peer.ask("cases")["cases"]
    }
    return await interleave(cases, rounds, young_only=True)


def _in_process(peers: dict[str, Peer]) -> dict[str, Callable[[], Awaitable[float]]]:
    return {
        f"{system.name}: {case}": partial(_ask, peers[system.name], "in_process", case=case, count=count)
        for system in SYSTEMS
        for case, count in zip(("memory", "SQLite"), system.counts, strict=True)
        if count and system.name in peers
    }


async def _ask(peer: Peer, do: str, **given: object) -> float:
    return float((await asyncio.to_thread(peer.ask, do, **given))["value"])


def _command(name: str) -> list[Path | str]:
    system = next(one for one in SYSTEMS if one.name == name.partition(": ")[0])
    return [system.python(), "-m", "benchmarks.peers.run", system.adapter, "serve", name.partition(": ")[2]]


# -- the tables ----------------------------------------------------------------------------------------


def _added(found: Found) -> dict[str, float]:
    """Microseconds beyond the plain endpoint of the same system."""
    best = {name: percentile(values, 5) * 1e6 for name, values in found.added.items()}
    return {
        name: value - best[f"{name.partition(': ')[0]}: {NO_TASK}"]
        for name, value in best.items()
        if not name.endswith(NO_TASK)
    }


def _lines(found: Found) -> list[list[str]]:
    base = found.rates.get(f"Starlette: {NO_TASK}")
    lines = [[NO_TASK, "", spread(base) if base else "", "1"]]
    for name, added in _added(found).items():
        rates = found.rates.get(name)
        share = spread(ratios(rates, base)) if rates and base else ""
        lines.append([name, f"+{number(added)} µs", spread(rates) if rates else "", share])
    return lines + [[name, f"not measured: {why}", "", ""] for name, why in found.failures.items()]


def _rows(found: Found) -> Iterator[Row]:
    for case, bar in (("memory", 5.0), ("SQLite", 8.0)):
        own, other = (found.in_process.get(f"{name}: {case}") for name in (OUTLIVE, TASKFLOW))
        if own and other:
            over = ratios(own, other)
            yield Row(f"in process, {case}, {TASKFLOW}", spread(other, "/s"))
            yield at_least(
                f"in process, {case}",
                statistics.median(over),
                bar,
                "x fastapi-taskflow",
                spread(own, "/s"),
                spread(over),
            )
    other = found.rates.get(f"{TASKFLOW}: add_task, SQLite")
    for synchronous in ("NORMAL", "FULL"):
        if other and (own := found.rates.get(f"{OUTLIVE}: after_response, SQLite {synchronous}")):
            over = ratios(own, other)
            what = f"requests per second, SQLite {synchronous}"
            yield at_least(what, statistics.median(over), 3.0, "x fastapi-taskflow", spread(own, "/s"), spread(over))
