"""The admin behind a real server."""

import socket
import threading
import time
from collections.abc import Iterator

import httpx
import pytest
import uvicorn
from fastapi import FastAPI

from outlive import TaskAdmin, TaskManager, Tasks


async def double(number: int) -> int:
    if number < 0:
        raise ValueError("too small")
    return 2 * number


@pytest.fixture
def address(tmp_path) -> Iterator[str]:
    manager = TaskManager(f"sqlite:///{tmp_path}/tasks.db")
    manager.task()(double)
    app = FastAPI()
    TaskAdmin(app, manager)

    @app.post("/double")
    async def start(number: int, tasks: Tasks) -> str:
        return tasks.after_response.schedule(double, number).id

    server = uvicorn.Server(uvicorn.Config(app, log_level="warning", ws="none"))
    with socket.create_server(("127.0.0.1", 0)) as listener:  # listens at once, so a first request only has to wait
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            server.should_exit = True
            thread.join(30)
            assert not thread.is_alive()


def test_a_real_server(address):
    with httpx.Client(base_url=address, timeout=30) as client:
        good = client.post("/double", params={"number": 1}).json()
        bad = client.post("/double", params={"number": -1}).json()
        ended = wait_until_ended(client, 2)

        assert [(task["task_id"], task["status"]) for task in ended] == [(bad, "failed"), (good, "success")]
        newest = client.get("/tasks", params={"limit": 1})
        assert newest.json()[0]["task_id"] == bad
        assert client.get(newest.links["next"]["url"]).json()[0]["task_id"] == good
        assert client.get(f"/tasks/{bad}").json()["error"] == "too small"
        assert client.post(f"/tasks/{good}/cancel").status_code == 400
        assert client.post(f"/tasks/{bad}/retry").json()["task_id"] == bad
        wait_until_ended(client, 2)
        assert [one["error"] for one in client.get(f"/tasks/{bad}").json()["attempts_history"]] == ["too small"] * 2


def test_a_real_server_refuses_what_only_looks_near(address):
    with httpx.Client(base_url=address, timeout=30) as client:
        assert client.get("/tasks").status_code == 200
        assert client.get("/tasks", headers={"Host": "rebound.example"}).status_code == 403
        # The server believes a proxy on this machine and takes the address from the header.
        assert client.get("/tasks", headers={"X-Forwarded-For": "127.0.0.1"}).status_code == 403
        assert client.get("/tasks", headers={"X-Forwarded-For": "testclient", "Host": "testserver"}).status_code == 403
        evil = {"Origin": "https://evil.example"}
        assert client.post("/tasks/x/cancel", headers=evil).status_code == 403
        assert client.post("/tasks/x/cancel").status_code == 404


def wait_until_ended(client: httpx.Client, count: int) -> list[dict]:
    deadline = time.monotonic() + 30
    while len(tasks := client.get("/tasks", params={"status": "success,failed"}).json()) != count:
        assert time.monotonic() < deadline, tasks
    return tasks
