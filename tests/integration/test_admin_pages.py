import time
from collections.abc import Iterator
from typing import Any
from uuid import UUID

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient
from uuid_utils import uuid7

from outlive import TaskAdmin, TaskManager
from outlive.core.moves import Cancel, Enqueue, Move

FUNCTIONS = ["shop.mail:send", "shop.mail:bounce", "shop.stock:count"]


class Shelf:
    """250 records of three functions in two queues, every third of them cancelled, and the client that lists them."""

    def __init__(self, manager: TaskManager, client: TestClient) -> None:
        self.manager = manager
        self.client = client
        self.records = [self._record(number) for number in range(250)]
        self.cancelled = {record.id for record in self.records[::3]}
        moves: list[Move] = [*self.records, *(Cancel(task_id, time.time(), "a test") for task_id in self.cancelled)]
        assert all(self.store(moves))

    def _record(self, number: int) -> Enqueue:
        func, now = FUNCTIONS[number % len(FUNCTIONS)], time.time()
        record = Enqueue(str(uuid7()), func, func.partition(":")[2], now, now + 3600)
        record.queue = "slow" if number % 5 == 0 else "default"
        record.source = "scheduled" if number % 7 == 0 else "manual"
        return record

    def store(self, moves: list[Move]) -> Any:
        assert self.client.portal is not None
        return self.client.portal.call(self.manager.backend.apply, moves)

    def newest_first(self, wanted: Any = lambda record: True) -> list[str]:
        return [record.id for record in reversed(self.records) if wanted(record)]

    def pages(self, url: str) -> Iterator[list[str]]:
        while url:
            response = self.client.get(url)
            assert response.status_code == 200
            yield [task["task_id"] for task in response.json()]
            url = response.links.get("next", {}).get("url", "")

    def walk(self, url: str) -> list[str]:
        return [task_id for page in self.pages(url) for task_id in page]


@pytest.fixture(params=["memory", "sqlite"])
def shelf(request, tmp_path):
    manager = TaskManager("memory://" if request.param == "memory" else f"sqlite:///{tmp_path}/tasks.db")
    app = FastAPI()
    TaskAdmin(app, manager)
    with TestClient(app) as client:
        yield Shelf(manager, client)


def test_a_page_has_100_records_unless_asked_otherwise(shelf):
    assert [len(page) for page in shelf.pages("/tasks")] == [100, 100, 50]
    assert [len(page) for page in shelf.pages("/tasks?limit=120")] == [120, 120, 10]
    assert [len(page) for page in shelf.pages("/tasks?limit=1000")] == [250]


def test_a_last_page_that_is_full_leads_nowhere(shelf):
    assert [len(page) for page in shelf.pages("/tasks?limit=125")] == [125, 125]
    assert [len(page) for page in shelf.pages("/tasks?limit=250")] == [250]


def test_the_pages_hold_every_record_once_newest_first(shelf):
    assert shelf.walk("/tasks?limit=30") == shelf.newest_first()


def test_records_that_arrive_meanwhile_do_not_move_the_pages(shelf):
    expected, seen = shelf.newest_first(), []
    for page in shelf.pages("/tasks?limit=60"):
        seen += page
        shelf.store([Enqueue(str(uuid7()), "late:comer", "comer", time.time(), time.time() + 3600)])
    assert seen == expected


CASES = {
    "status=cancelled": lambda shelf, record: record.id in shelf.cancelled,
    "status=pending": lambda shelf, record: record.id not in shelf.cancelled,
    "status=pending&status=cancelled": lambda shelf, record: True,
    "status=pending,cancelled": lambda shelf, record: True,
    "status=running,cancelled": lambda shelf, record: record.id in shelf.cancelled,
    "func=send": lambda shelf, record: record.func_name == "send",
    "func=shop.stock:count": lambda shelf, record: record.func_name == "count",
    "func=nobody": lambda shelf, record: False,
    "queue=slow": lambda shelf, record: record.queue == "slow",
    "source=scheduled": lambda shelf, record: record.source == "scheduled",
    "status=&func=&queue=&source=": lambda shelf, record: True,
    "status=cancelled&func=send&queue=slow": lambda shelf, record: (
        record.id in shelf.cancelled and record.func_name == "send" and record.queue == "slow"
    ),
    "status=pending&source=manual&queue=default": lambda shelf, record: (
        record.id not in shelf.cancelled and record.source == "manual" and record.queue == "default"
    ),
}


@pytest.mark.parametrize("query", CASES)
def test_filters_hold_on_every_page(shelf, query):
    wanted = shelf.newest_first(lambda record: CASES[query](shelf, record))

    assert shelf.walk(f"/tasks?{query}&limit=7") == wanted


def test_the_link_keeps_the_whole_query_and_replaces_the_cursor(shelf):
    cursor = shelf.newest_first()[9]

    response = shelf.client.get(f"/tasks?status=pending&status=cancelled&limit=20&queue=&note=a%26b&before={cursor}")

    url, _, relation = response.headers["Link"].partition("; ")
    assert relation == 'rel="next"'
    last = response.json()[-1]["task_id"]
    assert url == f"</tasks?status=pending&status=cancelled&limit=20&queue=&note=a%26b&before={last}>"
    assert last == shelf.newest_first()[29]


def test_a_cursor_may_point_at_a_record_that_is_gone(shelf):
    newer, older = shelf.newest_first()[100:102]
    gone = UUID(int=UUID(newer).int - 1)

    assert shelf.walk(f"/tasks?limit=50&before={gone}")[0] == older
    assert shelf.walk(f"/tasks?limit=50&before={str(gone).upper()}")[0] == older
