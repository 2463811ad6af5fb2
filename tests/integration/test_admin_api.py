import asyncio
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient
from uuid_utils import uuid7

from outlive import BackendUnavailableError, JournalFullError, MemoryBackend, TaskAdmin, TaskManager, task_log
from outlive.core.moves import Cancel, Enqueue, Move

TASKFLOW_KEYS = {
    *("task_id", "func_name", "status", "created_at", "start_time", "end_time", "duration", "retries_used"),
    *("error", "logs", "stacktrace", "tags", "source", "priority", "executor", "queue"),
}
HOUR = 3600.0


class Site:
    """An application with an admin, and its tasks."""

    def __init__(self, backend: Any, **options: Any) -> None:
        self.manager = TaskManager(backend, shutdown_grace=0)
        self.app = FastAPI()
        TaskAdmin(self.app, self.manager, **options)
        self.client = TestClient(self.app)
        self.works = False
        self.entered = asyncio.Event()
        self.ran: list[int] = []
        self.manager.task(name="add")(self.add)
        self.manager.task(name="charge")(self.charge)
        self.manager.task(name="hold")(self.hold)

    async def add(self, x: int) -> int:
        task_log("adding")
        self.ran.append(x)
        return x + 1

    async def charge(self, card: str) -> None:
        if not self.works:
            raise ValueError("the bank is closed")

    async def hold(self) -> None:
        self.entered.set()
        await asyncio.Event().wait()

    # -- steps of a test, on the application's event loop ----------------------------------------

    def call(self, func: Callable[..., Any], *args: Any) -> Any:
        assert self.client.portal is not None
        return self.client.portal.call(func, *args)

    def enqueue(self, func: Callable[..., Any], *args: Any, **options: Any) -> str:
        async def accept() -> str:
            return (await self.manager.using(**options).enqueue(func, *args)).id

        return self.call(accept)

    def run(self, func: Callable[..., Any], *args: Any, **options: Any) -> str:
        async def run() -> str:
            task = await self.manager.using(**options).enqueue(func, *args)
            await task.finished.wait()
            return task.id

        return self.call(run)

    def store(self, *moves: Move) -> None:
        assert all(self.call(self.manager.backend.apply, moves))

    def store_cancelled(self, func: str, arguments: str | None) -> str:
        task_id, now = str(uuid7()), time.time()
        enqueue = Enqueue(task_id, func, func, now, now + HOUR, arguments=arguments, recoverable=arguments is not None)
        self.store(enqueue, Cancel(task_id, now, "a test"))
        return task_id

    def wait_for(self, task_id: str, status: str) -> dict[str, Any]:
        deadline = time.monotonic() + 20
        while (task := self.client.get(f"/tasks/{task_id}").json())["status"] != status:
            assert time.monotonic() < deadline, task
        return task


@pytest.fixture(params=["memory", "sqlite"])
def backend(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    return "memory://" if request.param == "memory" else f"sqlite:///{tmp_path}/tasks.db"


@pytest.fixture
def site(backend: str) -> Iterator[Site]:
    site = Site(backend)
    with site.client:
        yield site


# -- looking -----------------------------------------------------------------------------------------


def test_the_list_is_an_array_of_records_newest_first(site):
    first, second, third = (site.run(site.add, n) for n in range(3))

    response = site.client.get("/tasks")

    assert response.status_code == 200
    assert [task["task_id"] for task in response.json()] == [third, second, first]
    assert response.json()[0].keys() >= TASKFLOW_KEYS
    assert response.json()[0]["status"] == "success"
    assert "next" not in response.links


def test_an_empty_list_is_an_empty_array(site):
    assert site.client.get("/tasks").json() == []


def test_one_record_shows_its_logs_its_attempts_and_its_key(site):
    task_id = site.run(site.add, 1, idempotency_key="order-1", tags={"shop": "north"})

    task = site.client.get(f"/tasks/{task_id}").json()

    assert task["task_id"] == task_id
    assert task["tags"] == {"shop": "north"}
    assert task["idempotency_key"] == "order-1"
    assert [line.split(" ", 1)[1] for line in task["logs"]] == ["adding"]
    assert [(one["number"], one["outcome"]) for one in task["attempts_history"]] == [(1, "success")]
    assert task["attempts"] == 1


def test_a_failed_record_shows_error_and_traceback(site):
    task = site.client.get(f"/tasks/{site.run(site.charge, 'card')}").json()

    assert (task["status"], task["error"]) == ("failed", "the bank is closed")
    assert "ValueError: the bank is closed" in task["stacktrace"]


@pytest.mark.parametrize(("method", "path"), [("GET", ""), ("POST", "/cancel"), ("POST", "/retry")])
def test_an_unknown_id_is_404(site, method, path):
    response = site.client.request(method, f"/tasks/{uuid7()}{path}")

    assert response.status_code == 404
    assert "there is no task" in response.json()["detail"]


def test_metrics_of_nothing_are_zeros(site):
    assert site.client.get("/tasks/metrics").json() == {
        "total": 0,
        "pending": 0,
        "running": 0,
        "success": 0,
        "failed": 0,
        "interrupted": 0,
        "cancelled": 0,
        "rejected": 0,
        "success_rate": 0.0,
        "avg_duration_seconds": 0.0,
    }


def test_metrics_count_and_divide(site):
    for n in range(3):
        site.run(site.add, n)
    site.run(site.charge, "card")
    site.enqueue(site.add, 9, run_in=HOUR)
    site.store_cancelled("add", '{"x":1}')

    metrics = site.client.get("/tasks/metrics").json()

    assert metrics["total"] == 6
    assert {name: metrics[name] for name in ("success", "failed", "pending", "cancelled", "running")} == {
        "success": 3,
        "failed": 1,
        "pending": 1,
        "cancelled": 1,
        "running": 0,
    }
    assert metrics["success_rate"] == 0.75
    durations = [task["duration"] for task in site.client.get("/tasks").json() if task["duration"] is not None]
    assert len(durations) == 4
    assert metrics["avg_duration_seconds"] == pytest.approx(sum(durations) / 4, abs=1e-6)


@pytest.mark.parametrize(
    "query",
    [
        "status=sucess",
        "status=failed,sucess",
        "status=failed&status=sucess",
        "source=cron",
        "limit=0",
        "limit=1001",
        "limit=many",
        "before=yesterday",
    ],
)
def test_a_value_that_cannot_be_is_422(site, query):
    response = site.client.get(f"/tasks?{query}")

    assert response.status_code == 422
    assert response.json()["detail"][0]["loc"][:2] == ["query", query.partition("=")[0]]


def test_text_that_utf8_cannot_carry_does_not_hide_the_list():
    site = Site("memory://")
    with site.client:
        site.store(Enqueue(str(uuid7()), "add", "add", time.time(), time.time() + HOUR, tags={"name": "\ud800"}))
        assert site.client.get("/tasks").json()[0]["tags"] == {"name": "\ud800"}


# -- cancel ------------------------------------------------------------------------------------------


def test_a_cancelled_pending_task_never_runs(site):
    task_id = site.enqueue(site.add, 1, run_in=HOUR)

    response = site.client.post(f"/tasks/{task_id}/cancel")

    assert response.status_code == 200
    assert response.json()["task_id"] == task_id
    assert response.json()["task"]["status"] == "cancelled"
    assert response.json()["task"]["reason"] == "cancelled by a person"
    assert site.ran == []


def test_a_running_task_is_asked_and_ends_cancelled(site):
    task_id = site.enqueue(site.hold)
    site.call(site.entered.wait)

    response = site.client.post(f"/tasks/{task_id}/cancel")

    assert response.status_code == 200
    assert response.json()["task"]["cancel_requested"] is True
    assert site.wait_for(task_id, "cancelled")["attempts_history"][0]["outcome"] == "cancelled"


def test_what_has_ended_cannot_be_cancelled(site):
    task_id = site.run(site.add, 1)

    response = site.client.post(f"/tasks/{task_id}/cancel")

    assert response.status_code == 400
    assert "already ended" in response.json()["detail"]
    assert site.client.get(f"/tasks/{task_id}").json()["status"] == "success"


def test_what_has_ended_and_is_not_flushed_yet_cannot_be_cancelled(site):
    task_id = site.run(site.add, 1, persist=False)

    assert site.client.get(f"/tasks/{task_id}").json()["status"] == "success"
    assert site.client.post(f"/tasks/{task_id}/cancel").status_code == 400


# -- retry -------------------------------------------------------------------------------------------


def test_a_retried_task_runs_again_under_its_id_with_its_history(site):
    task_id = site.run(site.charge, "card")
    site.works = True

    response = site.client.post(f"/tasks/{task_id}/retry")

    assert response.status_code == 200
    assert response.json()["task_id"] == response.json()["task"]["task_id"] == task_id
    assert response.json()["task"]["status"] in ("pending", "running", "success")
    task = site.wait_for(task_id, "success")
    assert [one["outcome"] for one in task["attempts_history"]] == ["failed", "success"]
    assert [one["task_id"] for one in site.client.get("/tasks").json()] == [task_id]


def test_a_cancelled_task_can_be_retried(site):
    task_id = site.store_cancelled("add", '{"x":5}')

    assert site.client.post(f"/tasks/{task_id}/retry").status_code == 200

    site.wait_for(task_id, "success")
    assert site.ran == [5]


def test_a_pending_task_cannot_be_retried(site):
    response = site.client.post(f"/tasks/{site.enqueue(site.add, 1, run_in=HOUR)}/retry")

    assert response.status_code == 400
    assert "is pending" in response.json()["detail"]


def test_a_running_task_cannot_be_retried(site):
    task_id = site.enqueue(site.hold)
    site.call(site.entered.wait)

    response = site.client.post(f"/tasks/{task_id}/retry")

    assert response.status_code == 400
    assert "is running" in response.json()["detail"]


def refused_retry(site: Site, task_id: str) -> str:
    before = site.client.get(f"/tasks/{task_id}").json()
    response = site.client.post(f"/tasks/{task_id}/retry")
    assert response.status_code == 409
    assert site.client.get(f"/tasks/{task_id}").json() == before
    return response.json()["detail"]


def test_a_task_whose_function_is_not_declared_any_more_cannot_be_retried(site):
    assert "declares no task 'shop:old_name'" in refused_retry(site, site.store_cancelled("shop:old_name", "{}"))


def test_a_task_whose_arguments_were_not_stored_cannot_be_retried(site):
    assert "arguments were not stored" in refused_retry(site, site.store_cancelled("add", None))


@pytest.mark.parametrize("arguments", ['{"x":"seven"}', '{"y":7}', "{}"])
def test_a_task_whose_arguments_the_function_refuses_cannot_be_retried(site, arguments):
    assert "no longer takes its arguments" in refused_retry(site, site.store_cancelled("add", arguments))


def test_a_task_whose_key_another_one_holds_cannot_be_retried(site):
    failed = site.run(site.charge, "card", idempotency_key="order-1")
    site.works = True
    assert site.run(site.charge, "card", idempotency_key="order-1") != failed

    assert "holds the idempotency key 'order-1'" in refused_retry(site, failed)


# -- arguments ---------------------------------------------------------------------------------------


def every_answer(site: Site) -> list[dict[str, Any]]:
    failed, pending = site.run(site.charge, "4111-1111"), site.enqueue(site.charge, "4111-1111", run_in=HOUR)
    return [
        *site.client.get("/tasks").json(),
        site.client.get(f"/tasks/{failed}").json(),
        site.client.post(f"/tasks/{pending}/cancel").json()["task"],
        site.client.post(f"/tasks/{failed}/retry").json()["task"],
    ]


def test_arguments_are_not_shown(site):
    answers = every_answer(site)

    assert len(answers) == 5
    assert "4111-1111" not in repr(answers)
    assert not any("arguments" in answer for answer in answers)


def test_arguments_are_shown_where_that_was_asked_for(backend):
    site = Site(backend, display_func_args=True)
    with site.client:
        assert [answer["arguments"] for answer in every_answer(site)] == ['{"card":"4111-1111"}'] * 5


def test_types_are_shown_where_arguments_are_not_stored(backend):
    async def undeclared(path: Path, size: int) -> None: ...

    site = Site(backend, display_func_args=True)
    with site.client:
        task_id = site.run(undeclared, Path("/secret"), 3)
        assert site.client.get(f"/tasks/{task_id}").json()["arguments"] == "(PosixPath, int)"


# -- trouble with the backend ------------------------------------------------------------------------


class Breakable(MemoryBackend):
    """Memory that can refuse everything."""

    trouble: Exception | None = None

    def _refuse(self) -> None:
        if self.trouble is not None:
            raise self.trouble

    async def get(self, task_id):
        self._refuse()
        return await super().get(task_id)

    async def find(self, conditions, page):
        self._refuse()
        return await super().find(conditions, page)

    async def counts(self):
        self._refuse()
        return await super().counts()


class BreakableWrites(Breakable):
    """Memory that can still be read."""

    def _refuse(self) -> None:
        pass

    def apply_now(self, moves):
        super()._refuse()
        return super().apply_now(moves)


ROUTES = [("GET", ""), ("GET", "/metrics"), ("GET", "/{id}"), ("POST", "/{id}/cancel"), ("POST", "/{id}/retry")]


@pytest.mark.parametrize(
    "trouble", [BackendUnavailableError("the disk is full"), JournalFullError("20000 writes wait")]
)
@pytest.mark.parametrize(("method", "path"), ROUTES)
def test_a_backend_that_cannot_be_read_is_503(method, path, trouble):
    backend = Breakable()
    site = Site(backend)
    with site.client:
        task_id = site.enqueue(site.add, 1, run_in=HOUR)
        backend.trouble = trouble
        response = site.client.request(method, "/tasks" + path.format(id=task_id))
        backend.trouble = None

    assert response.status_code == 503
    assert response.json() == {"detail": str(trouble)}
    assert response.headers["Retry-After"] == "1"


@pytest.mark.parametrize(
    "trouble", [BackendUnavailableError("the disk is full"), JournalFullError("20000 writes wait")]
)
@pytest.mark.parametrize(("status", "action"), [("pending", "cancel"), ("success", "retry")])
def test_an_action_that_cannot_be_written_is_503_and_changes_nothing(status, action, trouble):
    backend = BreakableWrites()
    site = Site(backend)
    with site.client:
        task_id = site.enqueue(site.add, 1, run_in=HOUR) if status == "pending" else site.run(site.add, 1)
        backend.trouble = trouble
        response = site.client.post(f"/tasks/{task_id}/{action}")
        backend.trouble = None
        assert site.client.get(f"/tasks/{task_id}").json()["status"] == status

    assert response.status_code == 503
    assert response.json() == {"detail": str(trouble)}
