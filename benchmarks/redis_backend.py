"""Redis: accepting and draining, beside the client alone in the same run."""

import asyncio
import statistics
import time
from collections.abc import Callable, Sequence
from itertools import count
from typing import Any
from uuid import UUID, uuid4

import ormsgpack
from redis.asyncio import Redis

from benchmarks import servers
from benchmarks.measure import Options, Row, Section, at_least, at_most, interleave, number, ratios, spread
from benchmarks.peers.adapter import cpu_of
from benchmarks.watching import watched
from outlive import TaskManager
from outlive.backends.redis import RedisBackend
from outlive.backends.redis.scripts import script
from outlive.backends.redis.wire import wire
from outlive.core.moves import Enqueue, Move, Settle, Start
from outlive.core.states import Event, TaskStatus

ONE, BULK, DRAIN, CHUNK = 300, 1000, 3000, 200

METHOD = f"""\
"Raw" is redis-py alone: one `XADD` of the same size per task, awaited one after the other; for the drain the same
scripts with batches of {CHUNK} that were made beforehand, without a runtime around them (enqueue is not in it). Bulk is
`enqueue_many` of {BULK:,}; the drain is {DRAIN:,} records that nobody owns and one worker that starts, until all have
ended. Who enqueues runs nothing (`run_tasks=False`). Seconds of the processor are per 1,000 tasks, of the worker's
process and of the server."""

_serial = count(1)


async def noop(address: str) -> None:
    """The task."""


def record(owner: str | None = None) -> Enqueue:
    """A record such as a task with one argument leaves."""
    now = time.time()
    task_id = str(UUID(int=next(_serial) | 7 << 76))
    return Enqueue(task_id, "bench:noop", "noop", now, now, owner, arguments='{"address":"a@b.c"}')


class Bench:
    """The measures on one server; every sample has a prefix of its own."""

    def __init__(self, server: servers.Server) -> None:
        self.server, self.url = server, server.url
        #: Seconds of the processor for 1,000 tasks of each drain: of the worker's process, and of the server.
        self.worker: list[float] = []
        self.used: list[float] = []

    def manager(self, prefix: str | None = None, *, runs: bool = True) -> TaskManager:
        """A manager on this server that knows the task."""
        manager = TaskManager(RedisBackend(self.url, prefix or uuid4().hex), room=2 * DRAIN, run_tasks=runs)
        manager.task(name="bench:noop")(noop)
        return manager

    async def xadd_one(self) -> float:
        """One entry of a stream after the other."""
        async with Redis.from_url(self.url) as client:
            fields: dict[Any, Any] = {"facts": wire(record(), 0.0)[-3], "arguments": '{"address":"a@b.c"}'}
            stream, start = uuid4().hex, time.perf_counter()
            for _ in range(ONE):
                await client.xadd(stream, fields)
            return ONE / (time.perf_counter() - start)

    async def enqueue_one(self) -> float:
        """One task after the other, each awaited."""
        async with self.manager(runs=False) as manager:
            start = time.perf_counter()
            for _ in range(ONE):
                await manager.enqueue(noop, "a@b.c")
            return ONE / (time.perf_counter() - start)

    async def enqueue_bulk(self) -> float:
        """Many tasks in one call."""
        async with self.manager(runs=False) as manager:
            start = time.perf_counter()
            await manager.enqueue_many(noop, [("a@b.c",)] * BULK)
            return BULK / (time.perf_counter() - start)

    async def raw_drain(self) -> float:
        """Claim, start and settle by the scripts alone: what is left when there is no runtime."""
        prefix = uuid4().hex
        ids = await self._fill(prefix)
        steps: list[list[list[Move]]] = [
            [[Start(task_id, 0, "me", 1.0) for task_id in chunk], [_success(task_id) for task_id in chunk]]
            for chunk in (ids[at : at + CHUNK] for at in range(0, DRAIN, CHUNK))
        ]
        sent = [[_packed(moves) for moves in step] for step in steps]
        async with Redis.from_url(self.url) as client:
            for name in ("claim", "apply"):
                await client.script_load(script(name).text)
            start = time.perf_counter()
            for step in sent:
                await self._claim(client, prefix)
                for packed in step:
                    await client.evalsha(script("apply").sha, 1, f"{{{prefix}}}", packed)
            return DRAIN / (time.perf_counter() - start)

    async def _claim(self, client: Redis, prefix: str) -> None:
        asked = {"owner": "me", "functions": ["bench:noop"], "limit": CHUNK, "now": repr(time.time()), "refused": []}
        more: dict[str, Any] = {"queues": None, "without_queues": [], "token": uuid4().hex, "heard": [], "remember": 60}
        words = f"{{{prefix}}}", ormsgpack.packb(asked | more)
        found = await client.execute_command("EVALSHA", script("claim").sha, 1, *words, NEVER_DECODE=True)
        if len(ormsgpack.unpackb(found)[0]) < CHUNK:
            raise RuntimeError("the claim found too little")

    async def drain(self) -> float:
        """One worker that finds what nobody owns."""
        prefix = uuid4().hex
        await self._fill(prefix)
        manager = self.manager(prefix)
        before, used, start = cpu_of(self.server.process), time.process_time(), time.perf_counter()
        async with manager, watched(manager):
            while (await manager.counts())[TaskStatus.SUCCESS] < DRAIN:  # noqa: ASYNC110 - as others look
                await asyncio.sleep(0.005)
            took, used = time.perf_counter() - start, time.process_time() - used
        self.worker.append(used * 1000 / DRAIN)
        self.used.append((cpu_of(self.server.process) - before) * 1000 / DRAIN)
        return DRAIN / took

    async def _fill(self, prefix: str) -> list[str]:
        backend = RedisBackend(self.url, prefix)
        await backend.open()
        moves = [record() for _ in range(DRAIN)]
        for at in range(0, DRAIN, CHUNK):
            await backend.apply(moves[at : at + CHUNK])
        await backend.close()
        return [move.id for move in moves]


def _success(task_id: str) -> Settle:
    return Settle(task_id, 1, Event.SUCCEED, TaskStatus.SUCCESS, 2.0)


def _packed(moves: Sequence[Move]) -> bytes:
    asked = {
        "token": uuid4().hex,
        "heard": [],
        "remember": 60,
        "gaps": 20,
        "moves": [wire(move, 0.0) for move in moves],
    }
    return ormsgpack.packb(asked)


async def _measure(bench: Bench, options: Options) -> dict[str, list[float]]:
    cases: dict[str, Callable[[], Any]] = {
        "raw XADD": bench.xadd_one, "enqueue one": bench.enqueue_one, "bulk": bench.enqueue_bulk,
        "raw drain": bench.raw_drain, "drain": bench.drain,
    }  # fmt: skip
    return await interleave(cases, options.rounds(3))


def run(options: Options) -> Section:
    """Measure on the server."""
    with servers.redis() as server:
        bench = Bench(server)
        found = asyncio.run(_measure(bench, options))
    return Section("Redis", METHOD, "compared", _rows(bench, found))


def _rows(bench: Bench, found: dict[str, list[float]]) -> list[Row]:
    one, drain = ratios(found["enqueue one"], found["raw XADD"]), ratios(found["raw drain"], found["drain"])
    return [
        Row("raw XADD, one after the other", spread(found["raw XADD"], "/s")),
        at_least("enqueue one", statistics.median(one), 0.6, "x raw", spread(found["enqueue one"], "/s"), spread(one)),
        Row("enqueue in bulk", spread(found["bulk"], "/s")),
        Row("drain, scripts alone", spread(found["raw drain"], "/s"), f"{spread(drain)} x the drain of a worker"),
        Row("drain", spread(found["drain"], "/s")),
        at_most("processor, worker", statistics.median(bench.worker), 0.05, "s per 1,000"),
        Row("processor, server", f"{number(statistics.median(bench.used))} s per 1,000"),
    ]
