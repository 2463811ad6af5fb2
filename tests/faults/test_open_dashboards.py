"""A server stops although somebody watches, and what a watcher hears until then."""

import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

APP = """
from fastapi import FastAPI
from outlive import TaskAdmin, TaskManager, Tasks

manager = TaskManager(shutdown_grace=0)
app = FastAPI()
TaskAdmin(app, manager)

@manager.task()
async def note() -> None: ...

@app.post("/notes")
async def take(tasks: Tasks) -> str:
    return tasks.schedule(note).id
"""


class Server:
    def __init__(self, folder: Path) -> None:
        (folder / "watched.py").write_text(APP)
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port = free.getsockname()[1]
        command = [sys.executable, "-m", "uvicorn", "watched:app", "--port", str(self.port), "--log-level", "warning"]
        self.process = subprocess.Popen(command, cwd=folder)
        self.client = httpx.Client(base_url=f"http://127.0.0.1:{self.port}", timeout=30)
        deadline = time.monotonic() + 30
        while not self.answers():
            assert time.monotonic() < deadline, "the server did not start"

    def answers(self) -> bool:
        try:
            return self.client.get("/tasks/metrics").status_code == 200
        except httpx.TransportError:
            return False


@pytest.fixture
def server(tmp_path) -> Iterator[Server]:
    server = Server(tmp_path)
    yield server
    server.client.close()
    server.process.kill()
    server.process.wait()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_open_streams_do_not_keep_a_server_from_stopping(server, number):
    with server.client.stream("GET", "/tasks/dashboard/stream") as one:
        assert "hello" in next(one.iter_text())
        server.process.send_signal(number)
        # Without a word to the stream uvicorn would wait for it for ever.
        assert server.process.wait(20) is not None


def test_a_stream_tells_of_changes_and_of_nothing_else(server):
    with server.client.stream("GET", "/tasks/dashboard/stream") as one:
        assert one.headers["content-type"].startswith("text/event-stream")
        assert one.headers["cache-control"] == "no-cache"
        assert one.headers["x-accel-buffering"] == "no"
        events = one.iter_lines()
        assert event_of(events) == ("hello", "0")
        task_id = httpx.post(f"{server.client.base_url}/notes").json()
        name, data = event_of(events)
        assert name == "changed"
        assert data.isdigit()
        assert task_id not in data


def event_of(lines: Iterator[str]) -> tuple[str, str]:
    """The next event's name and data; comments keep the connection and are none."""
    found: dict[str, str] = {}
    for line in lines:
        key, colon, value = line.partition(": ")
        if colon and key:
            found[key] = value
        elif not line and "event" in found:
            return found["event"], found["data"]
    raise AssertionError("the stream ended")
