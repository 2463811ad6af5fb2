"""The pages of the guide, used as they say; `test_readme` runs what stands on them."""

import os
import subprocess
import sys
from contextlib import asynccontextmanager
from types import SimpleNamespace

import pytest
from fastapi.testclient import TestClient
from support.pages import ROOT, blocks, run_page, save_files
from support.waiting import until_sync

from outlive import TaskFailed, TaskRecord
from outlive.testing import rehearse


@pytest.fixture
def page(tmp_path, monkeypatch):
    """Runs a page in a folder of its own and gives its names."""
    monkeypatch.chdir(tmp_path)
    return lambda name: SimpleNamespace(**run_page(f"docs/{name}.md"))


@asynccontextmanager
async def at_work(page, mode="real"):
    """The manager of a page at work, led by a test."""
    with rehearse(page.manager, mode) as tasks:
        async with page.manager:
            yield tasks


async def records(page, func) -> list[TaskRecord]:
    found = await page.manager.merged_list()
    return [await page.manager.get(record.id) for record in found if record.func_name == func.__name__]


async def logged(page, func) -> list[str]:
    return [line.message for record in await records(page, func) for line in record.logs]


def test_the_first_minute(page):
    first = page("first-minute")
    with rehearse(first.manager, "inline") as tasks, TestClient(first.app) as client:
        task_id = client.post("/signup", params={"email": "ada@example.com"}).json()["task_id"]
        tasks.advance_sync(0.2)
        shown = client.get(f"/tasks/{task_id}").json()
        tasks.advance_sync(2)
        schedules = client.get("/tasks/schedules").json()
    assert (shown["status"], shown["retries_used"]) == ("success", 1)
    assert "sent to ada@example.com" in shown["logs"][-1]
    assert schedules[0]["last_fire"] is not None


async def test_tasks(page):
    tasks = page("guide/tasks")
    async with at_work(tasks) as kit:
        await tasks.close_the_month()
        await kit.drain()
        assert [task.args or task.kwargs for task in kit.enqueued(tasks.build_report)][:2] == [(1,), (2,)]
        await kit.advance(3600)
        assert {task.status for task in kit.enqueued()} == {"success"}
        await tasks.manager.enqueue(tasks.knows_itself)
        await tasks.manager.enqueue(tasks.newsletter, 7)
        await kit.drain()
        assert await logged(tasks, tasks.knows_itself) == ["attempt 0 of knows_itself with {}"]
        newsletter = await tasks.manager.get(kit.assert_enqueued(tasks.newsletter).id)
        assert (newsletter.func, newsletter.queue) == ("mail.newsletter", "mail")


def test_requests(page):
    requests = page("guide/requests")
    with rehearse(requests.manager, "inline") as kit, TestClient(requests.app) as client:
        assert client.post("/orders", params={"item": "lamp"}).status_code == 200
        order = [task.func.__name__ for task in kit.enqueued()]
        for path in ("/later?item=lamp", "/a", "/b"):
            assert client.post(path).status_code == 200
        delayed = kit.assert_enqueued(requests.reserve, item="lamp")
        assert (delayed.status, delayed.config.retries) == ("pending", 5)
        kit.advance_sync(60)
        assert {task.status for task in kit.enqueued()} == {"success"}
    assert order == ["task_log", "reserve", "confirm"]


async def test_retries(page, capsys):
    retries = page("guide/retries")
    async with at_work(retries) as kit:
        task = await retries.manager.enqueue(retries.call_the_supplier, 7)
        await kit.drain()
        for attempt, seconds in enumerate((1, 2, 4, 5), 2):
            await kit.advance(seconds * 1.1)
            assert task.attempts == attempt
        with pytest.raises(TaskFailed):
            await task.result()
        assert capsys.readouterr().out == "call_the_supplier failed for good: no answer\n"
        await retries.again(task.id)
        await kit.drain()
        assert (await retries.manager.get(task.id)).status == "pending"
        await retries.manager.enqueue(retries.rebuild_index)
        await kit.drain()
        assert await logged(retries, retries.rebuild_index) == ["from the beginning"]


async def test_schedules(page):
    schedules = page("guide/schedules")
    async with at_work(schedules) as kit:
        await kit.drain()
        kit.assert_enqueued(schedules.clean_up)
        await kit.advance(300)
        assert (await records(schedules, schedules.check_the_supplier))[0].source == "scheduled"
        await schedules.by_hand()
        await schedules.plan()
        assert await schedules.manager.list_scheduled() == []


async def test_queues(page):
    queues = page("guide/queues")
    async with at_work(queues) as kit:
        await queues.in_trouble()
        await queues.manager.enqueue(queues.import_file, 7, "a.csv")
        await queues.manager.enqueue(queues.import_file, 7, "b.csv")
        await kit.drain()
        assert await logged(queues, queues.import_file) == ["for 7", "for 7"]
        assert await logged(queues, queues.send) == ["to ada@example.com"]


async def test_locks(page):
    locks = page("guide/locks")
    async with at_work(locks) as kit:
        await locks.manager.enqueue(locks.move_money)
        await locks.manager.enqueue(locks.move_money_in_a_thread)
        assert await locks.import_once() == "imported"
        assert await locks.import_once() == "somebody else does"
        await kit.drain()
        assert await logged(locks, locks.move_money_in_a_thread) == ["alone"]
        assert (await logged(locks, locks.count_stock))[0].startswith("one instance")
        await kit.advance(60)
        assert (await logged(locks, locks.bill))[0] == "only in the leader"


async def test_dependencies(page):
    shop = page("guide/dependencies")
    async with at_work(shop) as kit:
        await shop.order()
        await kit.drain()
        await (await shop.manager.enqueue(shop.cancel_order, 7)).result()
        assert kit.assert_enqueued(shop.book, number=7).status == "success"


def test_dashboard(page):
    dashboard = page("guide/dashboard")
    with rehearse(dashboard.manager), TestClient(dashboard.app, follow_redirects=False) as client:
        assert client.get("/tasks").status_code == 401
        assert client.get("/tasks/dashboard").is_redirect
        answer = client.post("/tasks/auth/login", data={"username": "ada", "password": "correct horse"})
        assert (answer.status_code, client.get("/tasks/dashboard").status_code) == (303, 200)


async def test_deployment(page):
    deployment = page("guide/deployment")
    with rehearse(deployment.manager, "real") as kit:
        await deployment.main()
    kit.assert_enqueued(deployment.send_email, address="ada@example.com")


def test_accepted(page):
    accepted = page("howto/accepted")
    with rehearse(accepted.manager) as kit, TestClient(accepted.app) as client:
        answer = client.post("/conversions", params={"name": "a"})
        path = answer.headers["Location"]
        before = client.get(path).json()["status"]
        kit.drain_sync()
        after = client.get(path).json()
    assert (answer.status_code, before) == (202, "pending")
    assert (after["status"], after["result"]["value"]) == ("success", "a.pdf")


async def test_logs(page, tmp_path):
    logs = page("howto/logs")
    async with at_work(logs) as kit:
        await logs.manager.enqueue(logs.count, 3)
        await kit.drain()
        assert await logged(logs, logs.count) == ["counting items=3", "3 counted"]
    assert logs.alarm.heard[-1] == "count: success"
    assert "counting" in (tmp_path / "tasks.log").read_text()


def test_metrics(page):
    metrics = page("howto/metrics")
    with rehearse(metrics.manager) as kit, TestClient(metrics.app) as client:
        assert client.portal is not None
        client.portal.call(metrics.manager.enqueue, metrics.send, "ada")
        kit.drain_sync()
        until_sync(lambda: 'outlive_tasks_total{function="send"' in client.get("/metrics").text)


def test_traces(page):
    traces = page("howto/traces")
    with rehearse(traces.manager, "inline"), TestClient(traces.app) as client:
        assert client.post("/orders").status_code == 200
    traces.provider.shutdown()
    spans = {span.name: span for span in traces.exporter.get_finished_spans()}
    assert spans["enqueue ship"].context.trace_id == spans["POST /orders"].context.trace_id
    assert spans["run ship"].parent.span_id == spans["enqueue ship"].context.span_id
    assert spans["pack"].parent.span_id == spans["run ship"].context.span_id


async def test_secrets(page):
    secrets = page("howto/secrets")
    async with at_work(secrets) as kit:
        task = await secrets.manager.enqueue(secrets.charge, "4711")
        await kit.drain()
        assert "4711" not in (await secrets.manager.get(task.id)).arguments
        await secrets.forget_the_old_key()


def test_once(page):
    once = page("howto/once")
    with rehearse(once.manager) as kit, TestClient(once.app) as client:
        assert client.post("/orders/7/pay").json() == client.post("/orders/7/pay").json()
        kit.drain_sync()
        assert len(kit.enqueued(once.charge)) == 1


async def test_failures(page):
    failures = page("howto/failures")
    async with at_work(failures) as kit:
        await failures.manager.enqueue(failures.fragile)
        await kit.drain()
    assert failures.heard == ["fragile: it broke"]


def test_heavy_work_is_declared_as_the_page_says(page):
    heavy = page("howto/heavy")
    assert heavy.manager.registry.of(heavy.render).executor == "process"


# -- migration ---------------------------------------------------------------------------------------


def patched(source: str, change: str) -> str:
    """Apply a change as it is shown: the lines that it quotes are replaced."""
    lines = change.splitlines(keepends=True)
    old = "".join(line[1:] for line in lines if line[0] != "+")
    new = "".join(line[1:] for line in lines if line[0] != "-")
    assert source.count(old) == 1, old
    return source.replace(old, new)


def serve_newsletter(source):
    names = {"__name__": "newsletter"}
    exec(compile(source, "newsletter.py", "exec"), names)
    return names


def test_three_lines_make_a_small_application_durable(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (application,) = blocks("docs/migrate/backgroundtasks.md", "python")
    three_lines, declared = (block.text for block in blocks("docs/migrate/backgroundtasks.md", "diff"))
    assert [line[0] for line in three_lines.splitlines()].count("+") == 3
    assert not any(line.startswith("-") for line in three_lines.splitlines())

    def subscribe(client):
        codes = [client.post("/subscriptions", params={"email": "ada"}).status_code for _ in range(2)]
        return codes, (tmp_path / "outbox.csv").read_text(), (tmp_path / "count.txt").read_text()

    before = serve_newsletter(application.text)
    with TestClient(before["app"]) as client:
        said_before = subscribe(client)
    (tmp_path / "outbox.csv").unlink()

    after = serve_newsletter(patched(patched(application.text, three_lines), declared))
    with rehearse(after["manager"], "inline") as kit, TestClient(after["app"]) as client:
        said_after = subscribe(client)
        shown = client.get("/tasks").json()
    assert said_after == said_before
    assert sorted(record["func_name"] for record in shown) == ["count_subscribers", "write_outbox"]
    assert kit.assert_enqueued(after["write_outbox"], subject="Welcome").config.retries == 3


@pytest.mark.parametrize(
    ("name", "asked", "succeeds"),
    [
        ("celery", "later", {"send_email", "report"}),
        ("arq", "signup", {"send_email", "report"}),
        ("apscheduler", "plan", {"clean_up", "report"}),
        ("grelmicro", None, {"cleanup"}),
    ],
)
async def test_what_comes_after_a_migration_works(page, name, asked, succeeds):
    after = page(f"migrate/{name}")
    manager = after.task if name == "grelmicro" else after.manager
    with rehearse(manager, "real") as kit:
        async with manager:
            if asked is not None:
                await getattr(after, asked)()
            for _ in range(24):
                await kit.advance(3600)
            assert {task.func.__name__ for task in kit.enqueued() if task.status == "success"} == succeeds


@pytest.mark.parametrize(
    ("name", "request_", "func"),
    [
        ("fastapi-taskflow", "/signup?email=ada", "send_email"),
        ("fastapi-tasks", "/process?number=1", "process"),
    ],
)
def test_an_application_after_its_migration_works(page, name, request_, func):
    after = page(f"migrate/{name}")
    (manager,) = [one.kwargs["host"] for one in after.app.user_middleware if "host" in one.kwargs]
    with rehearse(manager, "inline") as kit, TestClient(after.app) as client:
        assert client.post(request_).status_code == 200
        assert {(task.func.__name__, task.status) for task in kit.enqueued()} == {(func, "success")}


# -- testing -----------------------------------------------------------------------------------------


def test_the_tests_of_the_testing_page_pass(tmp_path):
    assert len(save_files("docs/testing.md", tmp_path)) == 4
    command = [sys.executable, "-m", "pytest", "-q", "-p", "pytest_outlive", "-p", "anyio", "-p", "no:cacheprovider"]
    alone = {**os.environ, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    said = subprocess.run(
        [*command, "--rootdir=.", "-k", "not trio"],
        cwd=tmp_path,
        env=alone,
        capture_output=True,
        text=True,
        timeout=50,
        check=False,
    ).stdout
    assert "5 passed" in said, said


def test_every_page_of_the_guide_is_used_here():
    here = (ROOT / "tests/docs/test_pages.py").read_text(encoding="utf-8")
    pages = [path for path in (ROOT / "docs").rglob("*.md") if blocks(path, "python")]
    names = [path.relative_to(ROOT / "docs").with_suffix("").as_posix() for path in pages]
    missing = [name for name in names if name not in here and name.removeprefix("migrate/") not in here]
    assert missing == []
