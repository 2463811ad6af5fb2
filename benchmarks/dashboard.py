"""What an open dashboard costs the application that it watches."""

import asyncio
import itertools
import statistics
import sys
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from fastapi import FastAPI

from benchmarks.measure import Options, Row, Section, at_most, number, percentile, scratch, spread
from benchmarks.peers.web import serve
from benchmarks.requests_per_second import response_length, serving, wait_until_up
from benchmarks.watching import HINT, STREAM, open_page
from outlive import SqliteBackend, TaskAdmin, TaskManager, Tasks

CONNECTIONS = 10
#: Requests per second, for how many seconds; busy for as long as a sample of records serves, to have its share of them.
BUSY, QUIET = (100, 10.0), (2, 4.0)
NOBODY, OVERVIEW, TASKS = "nobody", "the overview", "the list of tasks"
PLACES = {OVERVIEW: "/tasks/dashboard", TASKS: "/tasks/dashboard/tasks"}

METHOD = f"""\
Three uvicorn processes with SQLite (NORMAL) and 2,000 ended records each take requests with a task each at the same
time, over {CONNECTIONS} keep-alive connections at an even pace, so that whatever else the machine does meets all alike.
Of one nobody watches, of the others one page each is open: its stream is read, and after a hint it is fetched anew as
often as the server says, as the page's own script does. They change places each round. Stretches of {BUSY[1]:g} s with
{BUSY[0]} requests per second, whose 99th percentile is taken over all rounds together, and of {QUIET[1]:g} s with
{QUIET[0]}: what a page costs depends on the changes there are each second, not on how many, and with few requests it
is not lost in what those cost. Processor time is that of all threads of a server, in per cent of one processor. Each
page was shown once before: the first time in a process compiles its template, which takes 5 to 50 ms."""


@dataclass(slots=True)
class Found:
    """What was measured at one place of a dashboard, or where nobody looks."""

    #: Per cent of a processor, by round.
    busy: list[float] = field(default_factory=list)
    quiet: list[float] = field(default_factory=list)
    #: Milliseconds of each request of the busy stretches.
    latencies: list[float] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Server:
    """One application."""

    port: int

    async def load(self, start: float, rate: int, seconds: float) -> list[float]:
        """Milliseconds that each request took."""
        clients = [self._client(start, rate, seconds, one) for one in range(CONNECTIONS)]
        return list(itertools.chain(*await asyncio.gather(*clients)))

    async def _client(self, start: float, rate: int, seconds: float, first: int) -> list[float]:
        latencies: list[float] = []
        async with _connected(self.port) as (reader, writer):
            for at in range(first, int(rate * seconds), CONNECTIONS):
                await asyncio.sleep(start + at / rate - time.perf_counter())
                sent = time.perf_counter()
                await _ask(reader, writer, "POST /signup")
                latencies.append((time.perf_counter() - sent) * 1e3)
        return latencies

    async def used(self) -> float:
        """Seconds of processor time so far."""
        async with _connected(self.port) as (reader, writer):
            return float((await _ask(reader, writer, "GET /used"))[1])

    async def listen(self, changed: asyncio.Event) -> None:
        """Read the stream of its dashboard."""
        async with _connected(self.port) as (reader, writer):
            writer.write(f"GET {STREAM} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
            while True:
                if HINT in await reader.readuntil(b"\n"):
                    changed.set()

    async def fetch(self, place: str) -> bytes:
        """The head of a page."""
        async with _connected(self.port) as (reader, writer):  # it may be idle for longer than a server keeps it
            return (await _ask(reader, writer, f"GET {PLACES[place]}"))[0]


@asynccontextmanager
async def _connected(port: int) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        yield reader, writer
    finally:
        writer.close()


async def _ask(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, what: str) -> tuple[bytes, bytes]:
    writer.write(f"{what} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n".encode())
    head = await reader.readuntil(b"\r\n\r\n")
    return head, await reader.readexactly(response_length(head) - len(head))


async def _stretch(servers: Mapping[str, Server], found: Mapping[str, Found], rate: int, seconds: float) -> None:
    """Load all, each watched at its place."""
    async with AsyncExitStack() as stack:
        for place in PLACES:
            server = servers[place]
            await stack.enter_async_context(open_page(server.listen, partial(server.fetch, place)))
        await asyncio.sleep(1.0)  # the first answer of a page comes at once
        before, start = await _used(servers), time.perf_counter()
        turns = enumerate(servers.values())
        loads = [server.load(start + turn / rate / len(servers), rate, seconds) for turn, server in turns]
        latencies = await asyncio.gather(*loads)
        await asyncio.sleep(start + seconds - time.perf_counter())
        after, took = await _used(servers), time.perf_counter() - start
    for place, times in zip(servers, latencies, strict=True):
        share = (after[place] - before[place]) / took * 100
        if (rate, seconds) == BUSY:
            found[place].busy.append(share)
            found[place].latencies += times
        else:
            found[place].quiet.append(share)


async def _used(servers: Mapping[str, Server]) -> dict[str, float]:
    return {place: await server.used() for place, server in servers.items()}


async def _measure(servers: Sequence[Server], rounds: int) -> dict[str, Found]:
    places = [NOBODY, *PLACES]
    for server in servers:
        await wait_until_up(server.port)
        for place in PLACES:
            await server.fetch(place)
    await _stretch(dict(zip(places, servers, strict=True)), {place: Found() for place in places}, BUSY[0], 2.0)
    found = {place: Found() for place in places}
    for at in range(rounds):
        turned = [servers[(at + turn) % len(servers)] for turn in range(len(servers))]
        for load in (BUSY, QUIET):
            await _stretch(dict(zip(places, turned, strict=True)), found, *load)
    return found


def run(options: Options) -> Section:
    """Watch, and do not."""
    with scratch(options) as folder:
        folders = [folder / str(at) for at in range(1 + len(PLACES))]
        for one in folders:
            one.mkdir()
        commands = {one.name: [sys.executable, "-m", "benchmarks.dashboard", str(one)] for one in folders}
        with serving(commands) as servers:
            found = asyncio.run(_measure([Server(one.port) for one in servers.values()], options.rounds(2)))
    alone = found[NOBODY]
    told = f"{number(percentile(alone.latencies, 99))} ms, and {spread(alone.busy, '%')} of a processor"
    section = Section("An open dashboard", METHOD, "beside", [Row("nobody watches: p99 of the requests", told)])
    for place in PLACES:
        section.rows += _rows(place, found[place], alone)
    return section


def _rows(place: str, watched: Found, alone: Found) -> list[Row]:
    quiet, busy = (
        [here - none for here, none in zip(here_all, none_all, strict=True)]
        for here_all, none_all in ((watched.quiet, alone.quiet), (watched.busy, alone.busy))
    )
    p99, none = percentile(watched.latencies, 99), percentile(alone.latencies, 99)
    beside = f"under {BUSY[0]} requests per second {spread(busy, '%')}"
    added = at_most(f"{place}: processor time added", statistics.median(quiet), 1.0, "%", spread(quiet, "%"), beside)
    return [added, at_most(f"{place}: p99 of the requests", p99 / none, 1.1, "x", f"{number(p99)} ms")]


# -- the server ----------------------------------------------------------------------------------------


def _build(folder: Path) -> FastAPI:
    manager = TaskManager(SqliteBackend(folder / "tasks.db", synchronous="NORMAL"))

    @manager.task()
    async def noop(address: str) -> None: ...

    @asynccontextmanager
    async def filled(_: FastAPI) -> AsyncIterator[None]:
        async with manager:
            await manager.enqueue_many(noop, [("ann@example.org",)] * 2000)
            yield

    app = FastAPI(lifespan=filled)
    TaskAdmin(app, manager)

    @app.post("/signup")
    async def signup(tasks: Tasks) -> dict[str, bool]:
        tasks.after_response.schedule(noop, "ann@example.org")
        return {"ok": True}

    @app.get("/used")
    async def used() -> float:
        return time.process_time()

    return app


if __name__ == "__main__":
    serve(_build(Path(sys.argv[1])))
