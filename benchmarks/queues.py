"""Queues beside other systems: accept one, accept many, drain, start at a steady rate, processor time, memory."""

import random
import statistics
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks import servers
from benchmarks.measure import Options, Row, Section, Table, at_least, at_most, number, percentile, scratch, spread
from benchmarks.peers import Peer, PeerError, make, started
from benchmarks.peers.catalogue import ALONE, DEFAULT, LEFT_OUT, OUTLIVE, RAW, SYSTEMS, TUNED, System
from benchmarks.peers.process import versions

ONE, BULK, LATENCY, RATE = 100, 1_000, 25, 50
#: Tasks that one process starts for itself.
OWN = 100
BACKENDS = ("SQLite", "PostgreSQL", "Redis")
#: The best on their backend, tuned.
HELD_AGAINST = ("huey", "PgQueuer", "streaq", "taskiq", "dramatiq")

METHOD = f"""\
Every system in an environment of its own, its client and its one worker in processes of their own, on the same server
(or a file of SQLite with `synchronous=FULL`, which is what both outlive and huey have by default). "Tuned" is what
its adapter in `benchmarks/peers/` says, the best of a few tries; the short form has one round of what no bar is held
against, tuned, and the ratios take the setting that is better. One round is, for one system after the other in an
order drawn anew: {ONE} tasks accepted one after the other, or as many as a second allows, {BULK:,} at once (by its
own call for many; SAQ and taskiq have none, so 500 single calls at a time; "none": a blocking client without one),
then a worker is started and drains a backlog, from a twentieth of it to the last start; then {LATENCY} tasks at
{RATE} a second, from the call in the client to the first line of the body in the worker. "Alone" is outlive in one
process, which accepts {OWN} tasks at that rate and starts them. A task writes 16 bytes. "Raw" is the driver with our
rows and batches of 200, and no library. Processor time is that of the worker's processes and of the server's over the
drain; memory is the worker's at its end, shared pages counted once.

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

    @property
    def is_left_out(self) -> bool:
        """Whether only the long form has it: default settings of what no bar is held against, tuned ones of outlive."""
        if self.system.name in (OUTLIVE, RAW, *HELD_AGAINST):
            return self.system.name == OUTLIVE and self.setting == TUNED
        return self.setting == DEFAULT

    @property
    def is_held_against(self) -> bool:
        """Whether a bar compares with it, or is held for it."""
        name = self.system.name
        return self.setting == (DEFAULT if name in (OUTLIVE, RAW) else TUNED) and name in (OUTLIVE, RAW, *HELD_AGAINST)

    @property
    def key(self) -> str:
        """What tells it from the others."""
        return f"{self.system.backend} {self.system.name} {self.setting}"

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
        if self.setting == ALONE:
            self.latencies += peer.ask("latency", count=OWN, rate=RATE)["milliseconds"]
            return {}
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


class Places:
    """One of each kind, and a place of its own on it for every case."""

    def __init__(self, stack: ExitStack, folder: Path) -> None:
        self._folder = folder
        self._stack = stack
        self._redis = stack.enter_context(servers.redis())
        self._given = 0

    def variables(self, case: Case) -> dict[str, str]:
        """What an adapter is told."""
        self._given += 1
        folder = self._folder / f"case{self._given}"
        folder.mkdir()
        server = self._place(case.system.backend, folder)
        return {
            "BENCH_URL": server.url,
            "BENCH_SETTING": case.setting,
            "BENCH_FOLDER": str(folder),
            "BENCH_SERVER": str(server.process),
        }

    def _place(self, backend: str, folder: Path) -> servers.Server:
        if backend == "SQLite":
            return servers.Server(f"sqlite:///{folder / 'tasks.db'}", 0)
        if backend == "Redis":
            return replace(self._redis, url=f"{self._redis.url.rstrip('/').removesuffix('/0')}/{self._given}")
        return self._stack.enter_context(servers.postgres())


# -- measuring -----------------------------------------------------------------------------------------


def _start(case: Case, places: Places) -> Peer:
    command = [case.system.install(), "-m", "benchmarks.peers.run", case.system.adapter]
    return Peer(command, places.variables(case))


def measure(options: Options, systems: Sequence[System] = SYSTEMS) -> list[Case]:
    """All systems, in as many rounds as the form has."""
    cases = [Case(system, setting) for system in systems for setting in system.settings]
    if not options.full:
        cases = [case for case in cases if not case.is_left_out]
    with scratch(options) as folder, ExitStack() as stack:
        places = Places(stack, folder)
        starting = {case.key: partial(_start, case, places) for case in cases}
        peers, failures = stack.enter_context(started(starting))
        for case in cases:
            case.peer, case.failure = peers.get(case.key), failures.get(case.key, "")
        for at in range(options.rounds(3) if options.full else 2):
            _round(cases, 1 if options.full else at, options)
    return cases


def _round(cases: list[Case], at: int, options: Options) -> None:
    """The short form has one round of what no bar is held against."""
    for case in random.sample(cases, len(cases)):
        if at > 0 and not options.full and not case.is_held_against:
            case.skip()
        else:
            case.measure(case.system.tasks(case.setting))


def prepare() -> None:
    """Make the environments."""
    make(system.install for system in SYSTEMS)


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
    if not case.latencies:
        return [case.name, f"not measured: {case.failure or 'no round was complete'}", *[""] * (len(HEADER) - 2)]
    waits = f"{number(percentile(case.latencies, 50))} / {number(percentile(case.latencies, 99))}"
    if case.setting == ALONE:
        return [case.name, *[""] * 5, waits, "", ""]
    shown = [spread(case.values(key)) if case.values(key) else "none" for key in ("one", "bulk", "drain")]
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
    yield from _start_bars(cases, "SQLite", DEFAULT, "in another process", (1.5, 15.0))
    for backend, between, within in (("PostgreSQL", 1.1, 0.6), ("Redis", 1.5, 1.0)):
        yield from _start_bars(cases, backend, DEFAULT, "in another process", (between, 15.0))
        yield from _start_bars(cases, backend, ALONE, "in one process", (within, 10.0))


def _case(cases: list[Case], backend: str, name: str, setting: str = DEFAULT) -> Case:
    wanted = backend, name, setting
    return next(case for case in cases if (case.system.backend, case.system.name, case.setting) == wanted)


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


def _start_bars(cases: list[Case], backend: str, setting: str, where: str, bars: tuple[float, float]) -> Iterator[Row]:
    own, others = _case(cases, backend, OUTLIVE, setting), [one for one in _peers(cases, backend, "") if one.latencies]
    if not own.latencies or not others:
        return
    best = min(others, key=lambda case: percentile(case.latencies, 50))
    mine, theirs = percentile(own.latencies, 50), percentile(best.latencies, 50)
    what, (times, milliseconds) = f"{backend}: enqueue to start {where}", bars
    yield at_most(f"{what}, p50", mine / theirs, times, "x", f"{number(mine)} ms", f"{best.name} {number(theirs)} ms")
    yield at_most(f"{what}, p99", percentile(own.latencies, 99), milliseconds, "ms")
