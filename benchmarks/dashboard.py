"""What an open dashboard costs the application that it watches."""

import asyncio
import itertools
import statistics
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import IO, cast

from fastapi import FastAPI

from benchmarks.measure import Options, Row, Section, at_most, interleave, number, percentile, scratch, spread
from benchmarks.peers.web import serve
from benchmarks.requests_per_second import response_length, wait_until_up
from outlive import SqliteBackend, TaskAdmin, TaskManager, Tasks

CONNECTIONS = 10
#: Requests per second, for how many seconds.
BUSY, QUIET = (100, 4.0), (2, 3.0)
NOBODY, OVERVIEW, TASKS = "nobody", "the overview", "the list of tasks"
PLACES = {OVERVIEW: "/tasks/dashboard", TASKS: "/tasks/dashboard/tasks"}

METHOD = f"""\
One uvicorn process with SQLite (NORMAL) and 2,000 ended records takes requests with a task each, over {CONNECTIONS}
keep-alive connections at an even pace, while nobody watches, or one page is open: its stream is read, and after a hint
it is fetched anew as often as the server says, as the page's own script does. Stretches of {BUSY[1]:g} s with {BUSY[0]}
requests per second, whose 99th percentile is taken over all rounds together, and of {QUIET[1]:g} s with {QUIET[0]}, in
an order drawn anew each round. What a page costs depends on the changes there are each second, not on how many: with
few requests it is not lost in what those cost. Processor time is that of all threads of the server, in per cent of one
processor."""


@dataclass(slots=True)
class Watched:
    """The server, and the milliseconds that requests took while somebody looked at one place of it."""

    port: int
    latencies: dict[str, list[float]] = field(default_factory=dict)

    async def stretch(self, place: str, rate: int, seconds: float) -> float:
        """Per cent of a processor that the server used over one stretch."""
        async with self._open_page(place):
            await asyncio.sleep(1.0)  # the first answers of a page come at once
            used, start = await self._used(), time.perf_counter()
            found = await asyncio.gather(*[self._client(start, rate, seconds, one) for one in range(CONNECTIONS)])
            await asyncio.sleep(start + seconds - time.perf_counter())
            share = (await self._used() - used) / (time.perf_counter() - start) * 100
        if (rate, seconds) == BUSY:
            self.latencies.setdefault(place, []).extend(itertools.chain(*found))
        return share

    async def _client(self, start: float, rate: int, seconds: float, first: int) -> list[float]:
        latencies: list[float] = []
        async with _connected(self.port) as (reader, writer):
            for at in range(first, int(rate * seconds), CONNECTIONS):
                await asyncio.sleep(start + at / rate - time.perf_counter())
                sent = time.perf_counter()
                await _ask(reader, writer, "POST /signup")
                latencies.append((time.perf_counter() - sent) * 1e3)
        return latencies

    async def _used(self) -> float:
        async with _connected(self.port) as (reader, writer):
            return float((await _ask(reader, writer, "GET /used"))[1])

    @asynccontextmanager
    async def _open_page(self, place: str) -> AsyncIterator[None]:
        if place == NOBODY:
            yield
            return
        page = asyncio.create_task(self._look(PLACES[place]))
        try:
            yield
        finally:
            page.cancel()

    async def _look(self, path: str) -> None:
        async with _connected(self.port) as (hints, listening), _connected(self.port) as (reader, writer):
            listening.write(b"GET /tasks/dashboard/stream HTTP/1.1\r\nHost: localhost\r\n\r\n")
            while True:
                while b"event: changed" not in await hints.readline():
                    pass
                head, _ = await _ask(reader, writer, f"GET {path}")
                await asyncio.sleep(float(head.partition(b"again;dur=")[2].split()[0]) / 1e3)


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


@contextmanager
def _serving(folder: Path) -> Iterator[Watched]:
    command = [sys.executable, "-m", "benchmarks.dashboard", str(folder)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield Watched(int(cast("IO[str]", process.stdout).readline()))
        finally:
            process.terminate()


async def _measure(server: Watched, rounds: int) -> dict[str, list[float]]:
    await wait_until_up(server.port)
    await server.stretch(NOBODY, *BUSY)
    server.latencies.clear()
    cases = {
        f"{place}, {name}": partial(server.stretch, place, *load)
        for place in (NOBODY, *PLACES)
        for name, load in (("busy", BUSY), ("quiet", QUIET))
    }
    return await interleave(cases, rounds)


def run(options: Options) -> Section:
    """Watch, and do not."""
    with scratch(options) as folder, _serving(folder) as server:
        shares = asyncio.run(_measure(server, options.rounds(3)))
    alone = percentile(server.latencies[NOBODY], 99)
    told = f"{number(alone)} ms, and {spread(shares[NOBODY + ', busy'], '%')} of a processor"
    section = Section("An open dashboard", METHOD, "beside", [Row("nobody watches: p99 of the requests", told)])
    for place in PLACES:
        section.rows += _rows(place, shares, server.latencies[place], alone)
    return section


def _rows(place: str, shares: dict[str, list[float]], latencies: list[float], alone: float) -> list[Row]:
    quiet, busy = (
        [here - none for here, none in zip(shares[f"{place}, {load}"], shares[f"{NOBODY}, {load}"], strict=True)]
        for load in ("quiet", "busy")
    )
    p99 = percentile(latencies, 99)
    beside = f"under {BUSY[0]} requests per second {spread(busy, '%')}"
    added = at_most(f"{place}: processor time added", statistics.median(quiet), 1.0, "%", spread(quiet, "%"), beside)
    return [added, at_most(f"{place}: p99 of the requests", p99 / alone, 1.1, "x", f"{number(p99)} ms")]


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
