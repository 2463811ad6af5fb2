"""The trace of a request: which tasks it started, by timing mode, and what the client waited for each."""

import asyncio
import re
from collections.abc import Iterator
from typing import Any

import pytest
from fastapi import FastAPI, HTTPException
from fastapi.testclient import TestClient
from support.waiting import until_sync

from outlive import SqliteBackend, TaskAdmin, TaskManager, Tasks
from outlive.errors import JournalFullError
from outlive.web.traces import STEPS, Trace, Traces

DASHBOARD = "/tasks/dashboard"


class Shop:
    """An application whose endpoints schedule in every mode."""

    def __init__(self, backend: Any, *, admin: bool = True) -> None:
        self.manager = TaskManager(backend)
        self.app = FastAPI()
        self.gate = asyncio.Event()
        self.manager.task(name="note")(self.note)
        if admin:
            TaskAdmin(self.app, self.manager)
        else:
            self.manager.init_app(self.app)
        self.app.post("/orders/{number}", status_code=201)(self.order)
        self.app.post("/plain")(self.plain)
        self.app.post("/refused")(self.refused)
        self.app.post("/many")(self.many)
        self.app.get("/nothing")(self.nothing)

    async def note(self, text: str) -> None: ...

    async def order(self, number: int, tasks: Tasks) -> list[str]:
        at_once = tasks.schedule(self.note, "at once")
        before = tasks.after_route.schedule(self.note, "before")
        after = [tasks.after_response.schedule(self.note, "after").id, tasks.add_task(self.note, "last")]
        return [at_once.id, before.id, *after]

    def plain(self, tasks: Tasks) -> str:
        return tasks.schedule(self.note, "from a thread").id

    async def refused(self, tasks: Tasks) -> None:
        tasks.after_response.schedule(self.note, "dropped")
        raise HTTPException(418, "no")

    async def many(self, tasks: Tasks) -> None:
        for _ in range(STEPS + 3):
            tasks.after_response.schedule(self.note, "one of many")

    async def nothing(self, tasks: Tasks) -> None: ...

    @property
    def traces(self) -> Traces:
        assert self.manager.traces is not None
        return self.manager.traces


@pytest.fixture(params=["memory", "sqlite"])
def shop(request, tmp_path) -> Shop:
    return Shop(None if request.param == "memory" else SqliteBackend(tmp_path / "tasks.db"))


@pytest.fixture
def client(shop) -> Iterator[TestClient]:
    with TestClient(shop.app) as client:
        yield client


def only(shop: Shop) -> Trace:
    (trace,) = shop.traces.newest()
    return trace


def test_a_request_is_shown_with_its_tasks_and_what_each_added(shop, client):
    ids = client.post("/orders/7?card=4111").json()
    trace = only(shop)
    steps = [trace.steps[one] for one in ids]

    assert (trace.method, trace.path, trace.status) == ("POST", "/orders/7", 201)
    assert [step.timing for step in steps] == ["immediate", "after_route", "after_response", "after_response"]
    assert steps[1].ran > 0  # the response waited for its first attempt
    assert [step.ran for step in (steps[0], *steps[2:])] == [0, 0, 0]
    assert trace.took is not None
    assert trace.added == pytest.approx(sum(step.added for step in steps))
    assert 0 < trace.added <= trace.took

    listed = client.get(f"{DASHBOARD}/requests").text
    assert "POST /orders/7</a>" in listed
    assert "4111" not in listed
    text = client.get(f"{DASHBOARD}/requests/{trace.id}").text
    assert re.findall(r'id="s-([0-9a-f-]+)"', text) == ids
    assert re.findall(r"<h2>(\w+)</h2>", text) == ["immediate", "after_route", "after_response"]


def test_a_task_leads_to_its_request(shop, client):
    ids = client.post("/orders/1").json()
    client.post("/orders/2")
    for one in ids:
        assert (
            f'/requests/{shop.traces.newest()[1].id}">POST /orders/1</a>'
            in client.get(f"/tasks/dashboard/tasks/{one}").text
        )


def test_what_a_plain_function_schedules_in_its_thread_is_noted(shop, client):
    task_id = client.post("/plain").json()
    assert list(only(shop).steps) == [task_id]


def test_only_requests_with_tasks_are_kept(shop, client):
    client.get("/nothing")
    client.get("/unknown")
    assert "No request has started a task yet" in client.get(f"{DASHBOARD}/requests").text


def test_a_request_that_failed_says_so(shop, client, monkeypatch):
    client.post("/refused")
    assert only(shop).status == 418
    # What is dropped is written without holding the response back.
    until_sync(lambda: 'class="badge' in client.get(f"{DASHBOARD}/requests/{only(shop).id}").text)

    def full(*_: Any, **__: Any) -> None:
        raise JournalFullError("full")

    monkeypatch.setattr(shop.manager.runtime.intake, "enqueue", full)
    assert client.post("/many").status_code == 503
    assert (shop.traces.newest()[0].status, shop.traces.newest()[0].took is None) == (503, False)


def test_of_many_tasks_and_requests_the_first_and_the_newest_are_kept(shop, client):
    client.post("/many")
    trace = only(shop)
    assert (len(trace.steps), trace.more) == (STEPS, 3)
    assert "3 more tasks" in client.get(f"{DASHBOARD}/requests/{trace.id}").text

    few = Traces(2)
    for path in ("/a", "/b", "/c"):
        few.keep(Trace("GET", path, 0.0))
    assert [one.path for one in few.newest()] == ["/c", "/b"]


def test_a_request_that_is_not_remembered_is_said_on_a_page(client):
    answer = client.get(f"{DASHBOARD}/requests/unknown")
    assert answer.status_code == 404
    assert "does not remember" in answer.text


def test_without_an_admin_nothing_is_noted():
    shop = Shop(None, admin=False)
    with TestClient(shop.app) as client:
        assert len(client.post("/orders/1").json()) == 4
    assert shop.manager.traces is None
