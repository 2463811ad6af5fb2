"""Processes on one Redis: killed, stopped, cut off, and the server restarted; nothing is lost, nothing is doubled.

`OUTLIVE_FLEET_TASKS=20000` makes them as long as one likes.
"""

import asyncio
import os
import signal
import time
from uuid import uuid4

import pytest
from support.proxy import Proxy
from support.valkey import own_server, server_url, unused_port
from support.waiting import until
from tests.faults.fleet_kit import LEASE, Member, fleet_on

from outlive import TaskStatus

TASKS = int(os.environ.get("OUTLIVE_FLEET_TASKS", "600"))
PROCESSES = 4


@pytest.fixture
def url():
    return f"{server_url()}?prefix={uuid4().hex}"


@pytest.fixture
def fleet(url, tmp_path):
    with fleet_on(url, tmp_path) as fleet:
        yield fleet


async def test_the_task_of_a_killed_worker_runs_again_on_an_idle_queue_and_a_long_one_runs_once(fleet, capsys):
    first, second = fleet.add(2)
    first_task, long_task = first.ask("run", "again", 60.0), second.ask("run", "again", 9.0)
    await until(lambda: fleet.begun(first_task) and fleet.begun(long_task))

    first.kill()
    killed = time.monotonic()
    await until(lambda: fleet.begun(first_task) == 2, LEASE + 10)
    with capsys.disabled():
        print(f"\nrun again {time.monotonic() - killed:.2f} s after kill -9, with a lease of {LEASE} s")  # noqa: T201

    third = fleet.add()[0]
    await until(lambda: third.ask("run", "once", 0.0) and len(fleet.lines("ended")) >= 20, 15)
    await until(lambda: any(words[0] == long_task for words in fleet.lines("ended")), 15)
    assert fleet.begun(long_task) == 1


async def test_a_fleet_whose_members_are_killed_and_stopped_while_its_server_restarts(tmp_path, tally):
    keeps = {"appendonly": "yes", "appendfsync": "always", "data_dir": tmp_path / "server", "persist": True}
    with own_server(port=unused_port(), **keeps) as server, fleet_on(server.connection_url, tmp_path) as fleet:
        for member in fleet.add(PROCESSES):
            member.tell("fill", TASKS)
        await until(lambda: len(fleet.lines("accepted")) > TASKS / 8, 60)
        server.terminate()
        server.start()
        stopped: Member | None = fleet.members.pop()  # it is not killed while it sleeps
        stopped.signal(signal.SIGSTOP)
        stopped_at = time.monotonic()
        kills, is_over = 0, False
        while not is_over:
            is_over = await fleet.is_quiet_within(1.0) and len(fleet.lines("accepted")) >= TASKS
            if stopped is not None and time.monotonic() > stopped_at + LEASE + 2:
                stopped.signal(signal.SIGCONT)
                fleet.members.append(stopped)
                stopped = None
            is_over = is_over and stopped is None
            await asyncio.to_thread(fleet.replace(fleet.members[0]).tell, "fill", TASKS)
            kills += 1

        counts = await fleet.check()
        assert sum(counts.values()) >= TASKS
        tally.update({"redis fleet: kills": kills} | {f"redis fleet: {status}": n for status, n in counts.items()})


@pytest.mark.parametrize("where", ["before", "after"])
async def test_a_fleet_whose_connections_are_cut(tmp_path, tally, where):
    count = 0

    def sometimes(data):
        nonlocal count
        count += b"EVAL" in data
        return b"EVAL" in data and count % 37 == 0

    async with Proxy(server_url()) as proxy:
        setattr(proxy, f"breaks_{where}", sometimes)
        fleet = await asyncio.to_thread(fleet_on(f"{proxy.url}?prefix={uuid4().hex}", tmp_path).__enter__)
        try:
            for member in await asyncio.to_thread(fleet.add, 2):
                member.tell("fill", TASKS // 2)
            await until(lambda: len(fleet.lines("accepted")) >= TASKS // 2, 40)
            await until(lambda: proxy.broken > 3)
            await fleet.settle()
            counts = await fleet.check()
        finally:
            for member in fleet.members:
                member.kill()

    assert set(counts) == {TaskStatus.SUCCESS}
    tally[f"redis cuts {where}"] += proxy.broken
