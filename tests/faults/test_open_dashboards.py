"""A server stops although somebody watches, and what a watcher hears until then."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import httpx
import pytest
from support.waiting import until_sync

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


UVICORN = ["uvicorn", "watched:app", "--log-level", "warning", "--port"]
GUNICORN = [
    *["gunicorn", "watched:app", "--log-level", "warning", "--workers", "2"],
    *["--worker-class", "uvicorn_worker.UvicornWorker", "--bind"],
]


class Server:
    def __init__(self, folder: Path, command: list[str] = UVICORN) -> None:
        self.app = folder / "watched.py"
        self.app.write_text(APP)
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port = free.getsockname()[1]
        place = f"127.0.0.1:{self.port}" if command is GUNICORN else str(self.port)
        whole = [sys.executable, "-m", *command, place]
        # In a session of its own: what it leaves behind is found by it.
        self.process = subprocess.Popen(whole, cwd=folder, start_new_session=True)
        self.client = httpx.Client(base_url=f"http://127.0.0.1:{self.port}", timeout=30)
        deadline = time.monotonic() + 30
        while not self.answers():
            assert time.monotonic() < deadline, "the server did not start"

    def answers(self) -> bool:
        return self.tells("/tasks/metrics") is not None

    def tells(self, path: str) -> str | None:
        """What it answers now, on a connection of its own."""
        try:
            answer = httpx.get(f"{self.client.base_url}{path}", timeout=30)
        except httpx.TransportError:
            return None
        return answer.text if answer.status_code == 200 else None

    def end(self) -> None:
        self.client.close()
        with suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()


@pytest.fixture
def server(tmp_path) -> Iterator[Server]:
    server = Server(tmp_path)
    yield server
    server.end()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_open_streams_do_not_keep_a_server_from_stopping(server, number):
    with server.client.stream("GET", "/tasks/dashboard/stream") as one:
        assert "hello" in next(one.iter_text())
        server.process.send_signal(number)
        # Without a word to the stream uvicorn would wait for it for ever.
        assert server.process.wait(20) is not None


@pytest.mark.parametrize(
    "command", [[*UVICORN[:-1], "--workers", "2", "--port"], GUNICORN], ids=["workers", "gunicorn"]
)
def test_open_streams_do_not_keep_servers_of_several_processes_from_stopping(tmp_path, command):
    server = Server(tmp_path, command)
    try:
        with server.client.stream("GET", "/tasks/dashboard/stream") as one:
            assert "hello" in next(one.iter_text())
            server.process.terminate()
            assert server.process.wait(20) is not None
    finally:
        server.end()


def test_an_open_stream_does_not_keep_a_new_release_of_the_code_from_being_loaded(tmp_path):
    server = Server(tmp_path, [*UVICORN[:-1], "--reload", "--port"])
    try:
        assert server.tells("/release") is None
        with server.client.stream("GET", "/tasks/dashboard/stream") as one:
            assert "hello" in next(one.iter_text())
            # Written until it is noticed: the reloader may not have looked at the folder for the first time yet.
            until_sync(lambda: release(server), 30)
        assert server.answers()
    finally:
        server.end()


def release(server: Server) -> bool:
    added = '@app.get("/release")\nasync def release() -> int:\n    return 2\n'
    fresh = server.app.with_suffix(".new")
    fresh.write_text(f"{APP}\n{added}# {time.time()}\n")
    fresh.replace(server.app)  # never seen half written
    return server.tells("/release") == "2"


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
