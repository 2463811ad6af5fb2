"""Cancellations at any instant, from the own process and from another, over all executors."""

import asyncio
import random
import time
from collections import Counter

import pytest
from support import process_bodies as bodies
from support.waiting import ended, until

from outlive import SqliteBackend, TaskManager, TaskStatus, cancelled
from outlive.core.moves import Abandon, Cancel, Settle

COUNTS = {"async": 200, "thread": 200, "process": 100}


class Watched(SqliteBackend):
    """Counts how often each record has ended."""

    def __init__(self, path, ends):
        super().__init__(path, synchronous="NORMAL")
        self._ends = ends

    async def apply(self, moves):
        answers = await super().apply(moves)
        self._ends.update(move.id for move, took in zip(moves, answers, strict=True) if took and _is_end(move))
        return answers


def _is_end(move):
    return isinstance(move, (Cancel, Abandon)) or (isinstance(move, Settle) and move.status is not TaskStatus.PENDING)


async def _coroutine(seconds):
    await asyncio.sleep(seconds)  # noqa: TID251 - long work


def _thread(seconds):
    end = time.monotonic() + seconds
    while not cancelled() and time.monotonic() < end:
        time.sleep(0.001)  # noqa: TID251 - long work


#: Seconds that a body may take; a process has to be started now and then, too.
LONGEST = {"async": 0.05, "thread": 0.05, "process": 0.5}
BODIES = {"async": _coroutine, "thread": _thread, "process": bodies.works}


@pytest.mark.timeout(120)
async def test_no_record_ends_twice_and_no_slot_or_worker_leaks(tmp_path):
    ends, chance = Counter(), random.Random(random.random())
    options = {"poll_interval": 0.02, "max_concurrent_tasks": 20, "max_sync_threads": 20, "max_process_workers": 2}
    here, there = (TaskManager(Watched(tmp_path / "tasks.db", ends), **options) for _ in range(2))

    async def one(executor):
        await asyncio.sleep(chance.uniform(0, 2.0))  # noqa: TID251 - at any instant
        longest = LONGEST[executor]
        task = await here.using(executor=executor, retries=1).enqueue(BODIES[executor], chance.uniform(0, longest))
        if chance.random() < 0.4:
            await task.started.wait()
        await asyncio.sleep(chance.uniform(0, longest * 1.2))  # noqa: TID251 - at any instant
        await chance.choice([here, there]).cancel(task.id)
        return task

    async with here, there:
        kinds = [kind for kind, count in COUNTS.items() for _ in range(count)]
        tasks = await asyncio.gather(*map(one, kinds))
        records = [await ended(here, task.id) for task in tasks]
        await until(lambda: not here.runtime.dispatcher.runner.running)
        lanes = here.runtime.dispatcher.lanes
        left = {kind: (lane.busy, lane.starting, lane.pop()) for kind, lane in lanes.items()}
        pids = [await (await here.using(executor="process").enqueue(bodies.pid)).result(20) for _ in range(5)]
        workers = list(lanes["process"].executor._workers)

    assert set(ends.values()) == {1}
    assert {record.status for record in records} <= {TaskStatus.CANCELLED, TaskStatus.SUCCESS}
    broken_off = Counter(one.executor for one in records if one.status is TaskStatus.CANCELLED and one.attempts)
    assert set(broken_off) == set(COUNTS)
    assert left == dict.fromkeys(COUNTS, (0, 0, None))
    assert len(set(pids)) <= len(workers) <= 2
