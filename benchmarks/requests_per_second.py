"""Requests per second under uvicorn with keep-alive connections, with and without a task per request."""

import asyncio
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, cast

from benchmarks.measure import Options, Row, Section, at_least, interleave, number, ratios, scratch, spread
from benchmarks.peers.adapter import cpu_of
from benchmarks.peers.process import ROOT
from benchmarks.server import FULL, KINDS, MEMORY, NO_TASK, NORMAL, STARLETTE

CONNECTIONS = 16
SECONDS = 0.5
REQUEST = b"POST /signup?email=ann%40example.org HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n"
BARS = {MEMORY: 0.87, NORMAL: 0.6, FULL: 0.6}

METHOD = f"""\
One uvicorn process per case (one worker, asyncio's own loop, h11 where httptools is not installed), all
started before the first round and idle while another is loaded; {CONNECTIONS} keep-alive connections over the
loopback interface from a small client in this process, {SECONDS:g} s for each case in every round, in an
order drawn anew. The ratio is taken within a round. Client and server share the machine: the ratios say what
a task costs, the absolute figures only how fast this machine is."""


class Connection(asyncio.Protocol):
    """One client that sends the next request when the response is there."""

    def __init__(self) -> None:
        self.answered = 0
        self._length = 0
        self._received = 0
        self._transport: asyncio.Transport
        self.going = True
        self.over = asyncio.Event()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin."""
        self._transport = cast("asyncio.Transport", transport)
        self._transport.write(REQUEST)

    def data_received(self, data: bytes) -> None:
        """Count a response and ask again; all responses of a server have one length."""
        if not self._length:
            self._length = response_length(data)
        self._received += len(data)
        if self._received >= self._length:
            self._received -= self._length
            self.answered += 1
            self._go_on()

    def connection_lost(self, _exc: Exception | None) -> None:
        """Tell who waits for the end."""
        self.over.set()

    def _go_on(self) -> None:
        if self.going:
            self._transport.write(REQUEST)
        else:
            self._transport.close()


def response_length(data: bytes) -> int:
    """Bytes of a whole response, from its head."""
    head, _, _ = data.partition(b"\r\n\r\n")
    if not head.startswith(b"HTTP/1.1 200"):
        raise AssertionError(f"the server answered {head[:60]!r}")
    for line in head.split(b"\r\n"):
        if line.lower().startswith(b"content-length:"):
            return len(head) + 4 + int(line.partition(b":")[2])
    raise AssertionError("a response without content-length")


@dataclass(slots=True)
class Server:
    """A server and what was measured of it."""

    pid: int
    port: int
    #: Microseconds of its processor time for each request, by round.
    costs: list[float] = field(default_factory=list)

    async def load(self, seconds: float = SECONDS) -> float:
        """Requests per second over one stretch."""
        loop = asyncio.get_running_loop()
        pairs = [await loop.create_connection(Connection, "127.0.0.1", self.port) for _ in range(CONNECTIONS)]
        connections = [protocol for _, protocol in pairs]
        await asyncio.sleep(0.1)
        answered, used, start = _answered(connections), cpu_of(self.pid), time.perf_counter()
        await asyncio.sleep(seconds)
        elapsed = time.perf_counter() - start
        answered = _answered(connections) - answered
        self.costs.append((cpu_of(self.pid) - used) / max(answered, 1) * 1e6)
        await self._hang_up(connections)
        return answered / elapsed

    async def _hang_up(self, connections: list[Connection]) -> None:
        for one in connections:
            one.going = False
        await asyncio.gather(*[one.over.wait() for one in connections])
        await asyncio.sleep(0.1)  # tasks that the last responses released


def _answered(connections: list[Connection]) -> int:
    return sum(one.answered for one in connections)


@contextmanager
def serving(
    commands: Mapping[str, Sequence[Path | str]], variables: Mapping[str, str] | None = None
) -> Iterator[dict[str, Server]]:
    """Servers, which start beside each other and say their port."""
    with ExitStack() as stack:
        started = {name: stack.enter_context(_process(command, variables)) for name, command in commands.items()}
        yield {
            name: Server(process.pid, int(cast("IO[str]", process.stdout).readline()))
            for name, process in started.items()
        }


@contextmanager
def _process(command: Sequence[Path | str], variables: Mapping[str, str] | None) -> Iterator[subprocess.Popen[str]]:
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT, env=variables) as process:
        try:
            yield process
        finally:
            process.kill()


async def wait_until_up(port: int) -> None:
    """Wait for a server."""
    for _ in range(200):
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", port)
        except OSError:
            await asyncio.sleep(0.05)
        else:
            writer.close()
            return
    raise AssertionError(f"no server on port {port} after 10 s")


async def load(servers: Mapping[str, Server], rounds: int) -> dict[str, list[float]]:
    """Requests per second of each, in turn."""
    for server in servers.values():
        await wait_until_up(server.port)
        await server.load(0.2)
        server.costs.clear()
    return await interleave({kind: server.load for kind, server in servers.items()}, rounds)


def command_for(kind: str, folder: Path, *how: str) -> list[str]:
    """What starts the application of one kind, with what it stores in a folder of its own."""
    own = folder / " ".join((kind, *how))
    own.mkdir()
    return [sys.executable, "-m", "benchmarks.server", kind, str(own), *how]


def run(options: Options) -> Section:
    """Start all servers and load them in turn."""
    with scratch(options) as folder, serving({kind: command_for(kind, folder) for kind in KINDS}) as servers:
        samples = asyncio.run(load(servers, options.rounds(6)))
    rows = [_row(kind, samples, servers[kind].costs) for kind in KINDS]
    return Section("Requests per second", METHOD, "ratio to no task; processor time of the server", rows)


def _row(kind: str, samples: dict[str, list[float]], costs: list[float]) -> Row:
    measured, cost = spread(samples[kind], "/s"), f"{number(statistics.median(costs))} µs a request"
    if kind == NO_TASK:
        return Row(kind, measured, cost)
    to_none = ratios(samples[kind], samples[NO_TASK])
    what, beside = (kind if kind == STARLETTE else f"one task, {kind}"), f"{spread(to_none)}; {cost}"
    if kind not in BARS:
        return Row(what, measured, beside)
    return at_least(what, statistics.median(to_none), BARS[kind], "x", measured, beside)
