"""The application that has an admin goes on while one of its pages is made."""

import asyncio
import time
from collections.abc import AsyncIterator, Iterator

import httpx
import pytest
from fastapi import FastAPI
from uuid_utils import uuid7

from outlive import TaskAdmin, TaskManager
from outlive.admin import parts
from outlive.core.moves import Enqueue, Move, Settle
from outlive.core.states import Event, TaskStatus

FAILURES = 1000


def failures() -> Iterator[Move]:
    now = time.time()
    for number in range(FAILURES):
        task_id = str(uuid7())
        yield Enqueue(task_id, "shop:charge", "charge", now, now, "instance", now)
        yield Settle(task_id, 1, Event.FAIL, TaskStatus.FAILED, now, error=f"no {number}")


@pytest.fixture
async def client() -> AsyncIterator[httpx.AsyncClient]:
    manager, app = TaskManager(), FastAPI()
    TaskAdmin(app, manager)
    transport = httpx.ASGITransport(app, client=("127.0.0.1", 5000))
    async with manager, httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
        assert all(await manager.backend.apply(list(failures())))
        yield client


class Others:
    """What else the event loop has to do: counts its turns."""

    def __init__(self) -> None:
        self.turns = 0
        self._take()

    def _take(self) -> None:
        self.turns += 1
        self._next = asyncio.get_running_loop().call_soon(self._take)

    def stop(self) -> None:
        self._next.cancel()


@pytest.fixture
async def others() -> AsyncIterator[Others]:
    others = Others()
    yield others
    others.stop()


@pytest.mark.parametrize(("place", "at_least"), [("", FAILURES), ("/tasks", 50), ("/errors", FAILURES)])
async def test_others_have_turns_of_the_loop_while_a_page_is_made(client, others, monkeypatch, place, at_least):
    monkeypatch.setattr(parts, "_PART", 0.0)  # each step of the work is a part
    before = others.turns
    answer = await client.get(f"/tasks/dashboard{place}")

    assert answer.status_code == 200
    assert others.turns - before > at_least


async def test_a_part_ends_when_its_time_is_over(others):
    now, turns = 0.0, list[int]()

    def work() -> Iterator[int]:
        nonlocal now
        for number in range(12):
            turns.append(others.turns)
            now += 0.0001
            yield number

    assert await parts.in_parts(work(), lambda: now) == list(range(12))
    assert all(turns[at + 4] > turns[at] for at in range(8))
