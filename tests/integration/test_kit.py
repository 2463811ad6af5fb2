"""The testing kit, as the tests of an application use it."""

import asyncio
import threading
from datetime import date

import httpx
import pytest
from fastapi import Depends, FastAPI, HTTPException, WebSocket
from fastapi.testclient import TestClient
from support.process_bodies import add

from outlive import (
    ConfigError,
    QueueConfig,
    SqliteBackend,
    TaskArgumentError,
    TaskFailed,
    TaskManager,
    Tasks,
    TaskStatus,
    WouldDeadlockError,
)
from outlive.testing import ManualClock, rehearse


class Shop:
    """A small application and its tasks; what they did is in `done`."""

    def __init__(self, backend: str) -> None:
        self.done: list[str] = []
        self.manager = manager = TaskManager(backend)
        self.app = app = FastAPI()
        manager.init_app(app)

        def database() -> str:
            return "database"

        self.database = database

        @manager.task(retries=2, delay=30)
        async def send(to: str, on: date | None = None) -> int:
            self.done.append(f"sent to {to}")
            if to == "nobody":
                raise ValueError("no such address")
            return len(to)

        @manager.task()
        def bill(amount: int, db: str = Depends(database)) -> None:
            self.done.append(f"billed {amount} in the {db}")
            manager.enqueue_sync(send, "the accountant")

        async def undeclared(thing: object) -> None:
            self.done.append("undeclared")

        @manager.schedule(every=300)
        async def nightly() -> None:
            self.done.append("nightly")

        self.send, self.bill, self.undeclared, self.nightly = send, bill, undeclared, nightly

        @app.post("/orders")
        async def order(to: str, tasks: Tasks) -> list[str]:
            tasks.after_route.schedule(bill, 7)
            tasks.after_response.schedule(send, to)
            tasks.schedule(undeclared, object())
            return self.done

        @app.post("/failing")
        async def failing(tasks: Tasks) -> None:
            tasks.after_response.schedule(send, "dropped")
            raise HTTPException(400)

        @app.post("/elsewhere")
        def elsewhere() -> str:
            return manager.enqueue_sync(send, "elsewhere").id


@pytest.fixture
def shop(tmp_path) -> Shop:
    return Shop(f"sqlite:///{tmp_path}/never.db")


def test_recorded_tasks_wait_until_they_are_drained(shop):
    with rehearse(shop.manager) as tasks, TestClient(shop.app) as client:
        assert client.post("/orders", params={"to": "ada"}).json() == []
        sent = tasks.assert_enqueued(shop.send, to="ada")
        tasks.assert_enqueued(shop.bill, amount=7)
        tasks.assert_enqueued(shop.undeclared)
        assert (shop.done, sent.status) == ([], TaskStatus.PENDING)

        tasks.drain_sync()

    assert sorted(shop.done) == ["billed 7 in the database", "sent to ada", "sent to the accountant", "undeclared"]
    assert sent.status is TaskStatus.SUCCESS
    assert len(tasks.enqueued()) == 4


def test_recorded_tasks_that_were_never_drained_do_not_run_at_shutdown(shop):
    with rehearse(shop.manager) as tasks, TestClient(shop.app) as client:
        client.post("/orders", params={"to": "ada"})
    tasks.assert_enqueued(shop.send, to="ada")
    assert shop.done == []


def test_inline_tasks_are_done_when_the_response_returns(shop):
    with rehearse(shop.manager, "inline") as tasks, TestClient(shop.app) as client:
        client.post("/orders", params={"to": "ada"})
        assert sorted(shop.done) == ["billed 7 in the database", "sent to ada", "sent to the accountant", "undeclared"]
        client.post("/elsewhere")
        assert shop.done[-1] == "sent to elsewhere"
        assert tasks.assert_enqueued(shop.send, to="elsewhere").status is TaskStatus.SUCCESS


async def test_async_clients_need_the_manager_around_them_and_no_thread(shop):
    transport = httpx.ASGITransport(shop.app)
    with rehearse(shop.manager, "inline") as tasks:
        async with shop.manager, httpx.AsyncClient(transport=transport, base_url="http://test") as client:
            await client.post("/orders", params={"to": "ada"})
            assert "sent to the accountant" in shop.done
            assert await tasks.assert_enqueued(shop.send, to="ada").result() == 3


@pytest.mark.parametrize("mode", ["recorded", "inline", "real"])
async def test_another_backend_may_be_chosen(shop, tmp_path, mode):
    transport = httpx.ASGITransport(shop.app)
    with rehearse(shop.manager, mode, backend=SqliteBackend(tmp_path / "of_the_test.db")) as tasks:
        async with shop.manager, httpx.AsyncClient(transport=transport, base_url="http://test") as client:
            await client.post("/orders", params={"to": "ada"})
            if mode != "real":
                assert len(shop.done) == (4 if mode == "inline" else 0)
            await tasks.drain()
            assert sorted(shop.done) == [
                "billed 7 in the database",
                "sent to ada",
                "sent to the accountant",
                "undeclared",
            ]
    assert not (tmp_path / "never.db").exists()


async def test_a_drain_waits_for_worker_processes_too(tmp_path):
    manager = TaskManager(f"sqlite:///{tmp_path}/never.db", max_process_workers=1)
    manager.task(executor="process")(add)
    with rehearse(manager) as tasks:
        async with manager:
            task = await manager.enqueue(add, 1, 2)
            await tasks.drain()
            assert task.status is TaskStatus.SUCCESS


async def test_a_paused_queue_stays_paused_in_a_drain(tmp_path):
    manager, ran = TaskManager(f"sqlite:///{tmp_path}/never.db", queues={"mail": QueueConfig()}), []

    @manager.task(queue="mail")
    async def send() -> None:
        ran.append(1)

    with rehearse(manager, "real") as tasks:
        async with manager:
            await manager.pause_queue("mail")
            await manager.enqueue(send)
            await tasks.drain()
            assert ran == []
            await manager.resume_queue("mail")
            await tasks.drain()
            assert ran == [1]


def test_tasks_of_a_websocket_are_done_when_it_has_closed(shop):
    @shop.app.websocket("/socket")
    async def socket(websocket: WebSocket, tasks: Tasks) -> None:
        await websocket.accept()
        tasks.after_response.schedule(shop.send, "socket")
        await websocket.close()

    with rehearse(shop.manager, "inline"), TestClient(shop.app) as client:
        with client.websocket_connect("/socket"):
            pass
        assert shop.done == ["sent to socket"]


async def test_real_tasks_run_by_themselves_and_can_be_waited_for(shop):
    with rehearse(shop.manager, "real") as tasks:
        async with shop.manager:
            task = await shop.manager.enqueue(shop.send, "ada")
            assert await task.result() == 3
            await shop.manager.enqueue(shop.bill, 5)
            await tasks.drain()
    assert shop.done == ["sent to ada", "billed 5 in the database", "sent to the accountant"]


async def test_retries_and_schedules_wait_for_the_clock_of_the_test(shop):
    with rehearse(shop.manager, "real") as tasks:
        async with shop.manager:
            task = await shop.manager.enqueue(shop.send, "nobody")
            await tasks.drain()
            assert (shop.done, task.status) == (["sent to nobody"], TaskStatus.PENDING)
            await tasks.advance(29)
            assert len(shop.done) == 1
            await tasks.advance(1)
            assert len(shop.done) == 2
            await tasks.advance(30)
            with pytest.raises(TaskFailed, match="no such address"):
                await task.result()
            await tasks.advance(300)
            assert shop.done[3:] == ["nightly"]


async def test_time_passes_from_moment_to_moment(shop):
    @shop.manager.schedule(cron="0 9 * * *", jitter=20)
    async def morning() -> None:
        shop.done.append("morning")

    with rehearse(shop.manager, "real") as tasks:
        async with shop.manager:
            task = await shop.manager.enqueue(shop.send, "nobody")
            await tasks.advance(60)
            assert task.attempts == 3  # each retry in its time
            await tasks.advance(86_400 - 60)
            assert len(tasks.enqueued(shop.nightly)) == 288
            assert shop.done.count("morning") == 1
            assert tasks.clock.now() == ManualClock().now() + 86_400


async def test_a_recorded_schedule_is_accepted_at_its_time(shop):
    with rehearse(shop.manager) as tasks:
        async with shop.manager:
            await tasks.advance(299)
            tasks.refute_enqueued(shop.nightly)
            await tasks.advance(1)
            tasks.assert_enqueued(shop.nightly)
            assert shop.done == []
            await tasks.drain()
            assert shop.done == ["nightly"]


async def test_a_task_for_later_is_accepted_at_once_and_runs_in_its_time(shop):
    with rehearse(shop.manager) as tasks:
        async with shop.manager:
            await shop.manager.using(run_in=3600).enqueue(shop.send, "later")
            tasks.assert_enqueued(shop.send, to="later")
            await tasks.drain()
            assert shop.done == []
            await tasks.advance(3600)
            assert "sent to later" not in shop.done
            await tasks.drain()
            assert "sent to later" in shop.done


async def test_arguments_go_through_the_store_as_in_production(shop):
    with rehearse(shop.manager) as tasks:
        async with shop.manager:
            await shop.manager.enqueue(shop.send, "ada", "2026-01-02")  # what a restart would make of it
            assert tasks.assert_enqueued(shop.send).args[1] == date(2026, 1, 2)
            with pytest.raises(TaskArgumentError, match="to"):
                await shop.manager.enqueue(shop.send, object())


def test_dependencies_are_overridden_as_on_an_application(shop):
    shop.manager.dependency_overrides[shop.database] = lambda: "fake"
    with rehearse(shop.manager, "inline"), TestClient(shop.app) as client:
        client.post("/orders", params={"to": "ada"})
    assert "billed 7 in the fake" in shop.done


def test_what_a_failed_request_dropped_was_not_enqueued(shop):
    with rehearse(shop.manager) as tasks, TestClient(shop.app) as client:
        assert client.post("/failing").status_code == 400
        tasks.refute_enqueued(shop.send)


async def test_a_failed_assertion_says_what_there_was_instead(shop):
    with rehearse(shop.manager) as tasks:
        async with shop.manager:
            await shop.manager.enqueue(shop.send, "ada")
            with pytest.raises(AssertionError, match=r"send\(to='bob', ...\) was not enqueued, but\n  send\('ada'\)"):
                tasks.assert_enqueued(shop.send, to="bob")
            with pytest.raises(AssertionError, match=r"was not to be enqueued, but was:\n  send\('ada'\)"):
                tasks.refute_enqueued(shop.send, to="ada")
            with pytest.raises(TypeError, match=r"no parameter 'adress'; it has to, on"):
                tasks.assert_enqueued(shop.send, adress="ada")
            tasks.assert_enqueued(shop.send, on=None)  # a default is an argument, too
            tasks.clear()
            assert tasks.enqueued() == []


async def test_a_body_that_does_not_end_is_named(shop):
    async def endless() -> None:
        await asyncio.Event().wait()

    with rehearse(shop.manager, "real", patience=0.05) as tasks:
        async with shop.manager:
            task = await shop.manager.enqueue(endless)
            with pytest.raises(TimeoutError, match=r"still run:\n  endless\(\)"):
                await tasks.drain()
            await task.cancel()


async def test_a_request_from_inside_a_task_does_not_wait_for_that_task(shop):
    client = httpx.AsyncClient(transport=httpx.ASGITransport(shop.app), base_url="http://test")

    async def call_home() -> int:
        return (await client.post("/orders", params={"to": "ada"})).status_code

    with rehearse(shop.manager, "inline") as tasks:
        async with shop.manager, client:
            task = await shop.manager.enqueue(call_home)
            await tasks.drain()
            assert await task.result() == 200
    assert "sent to ada" in shop.done


async def test_waiting_where_it_cannot_end_is_refused(shop):
    with rehearse(shop.manager, "real") as tasks:

        async def waits_for_itself() -> None:
            await tasks.drain()

        async with shop.manager:
            with pytest.raises(WouldDeadlockError):
                tasks.drain_sync()
            with pytest.raises(TaskFailed, match="inside a task"):
                await (await shop.manager.enqueue(waits_for_itself)).result()


async def test_a_rehearsal_is_around_the_life_of_the_manager(shop):
    async with shop.manager:
        with pytest.raises(ConfigError, match="before it starts"), rehearse(shop.manager):
            raise AssertionError
    backend = shop.manager.backend

    async def leave_it_running():
        with rehearse(shop.manager):
            await shop.manager.startup()
            running.append(shop.manager.runtime)

    running: list = []
    with pytest.raises(ConfigError, match="async with manager"):
        await leave_it_running()
    assert not shop.manager.is_started
    assert shop.manager.backend is backend
    await running[0].stop(_nothing)


async def _nothing() -> None:
    """There is no election."""


def test_a_test_client_without_an_event_loop_of_its_own_is_named(shop):
    def ask_twice() -> None:
        with rehearse(shop.manager, "inline"):
            client = TestClient(shop.app)
            client.post("/elsewhere")
            client.post("/elsewhere")

    with pytest.raises(ConfigError, match=r"with TestClient\(app\) as client"):
        ask_twice()


async def test_what_cannot_work_is_refused(shop):
    with pytest.raises(ConfigError, match="recorded, inline, real"), rehearse(shop.manager, "lazy"):
        raise AssertionError
    with rehearse(shop.manager) as tasks:
        async with shop.manager:
            with pytest.raises(ValueError, match="backwards"):
                await tasks.advance(-1)


def test_the_store_of_the_application_is_not_touched(shop, tmp_path):
    with rehearse(shop.manager, "inline"), TestClient(shop.app) as client:
        client.post("/orders", params={"to": "ada"})
    assert list(tmp_path.iterdir()) == []


async def test_a_manager_that_only_accepts_runs_its_tasks_in_a_rehearsal(tmp_path):
    manager, threads = TaskManager(f"sqlite:///{tmp_path}/never.db", run_tasks=False), []

    @manager.task()
    def work() -> None:
        threads.append(threading.current_thread())

    with rehearse(manager) as tasks:
        async with manager:
            await manager.enqueue(work)
            await tasks.drain()
    assert len(threads) == 1
