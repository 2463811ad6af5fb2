"""The commands that look at tasks and act on them."""

import asyncio
import csv
import io
import json
import sys

import pytest
from cryptography.fernet import Fernet
from support import cli_app
from support.waiting import until
from typer.testing import CliRunner

from outlive import SqliteBackend, TaskManager, TaskStatus
from outlive.cli.app import app


class Shop:
    """A folder with an application, and commands that are run there."""

    def __init__(self, folder):
        self.folder = folder
        self.url = f"sqlite:///{folder}/tasks.db"

    def run(self, *arguments, code=0, answer=None):
        result = CliRunner().invoke(app, [*map(str, arguments)], input=answer)
        assert result.exit_code == code, (result.output, result.exception)
        return result.output

    def json(self, *arguments, **more):
        return json.loads(self.run(*arguments, "--json", **more))

    def on(self, *arguments, **more):
        """About the application."""
        return self.run(*arguments, "--app", "shop:manager", **more)

    def json_on(self, *arguments, **more):
        return self.json(*arguments, "--app", "shop:manager", **more)

    def enqueue(self, *arguments):
        return self.json_on("enqueue", *arguments)["task_id"]

    def work(self):
        """Run everything that waits, as a worker does."""

        async def drain():
            manager = TaskManager(self.url, poll_interval=0.05)
            shop = sys.modules["shop"]

            @manager.task(name="shop:note")
            async def note(word: str, seconds: float = 0.0) -> str:
                return await shop.note(word, seconds)

            @manager.task(name="shop:fail")
            async def fail() -> None:
                await shop.fail()

            async with manager:

                async def is_done():
                    counts = await manager.counts()
                    return not counts[TaskStatus.PENDING] + counts[TaskStatus.RUNNING]

                await until(is_done)

        asyncio.run(drain())


@pytest.fixture
def shop(tmp_path, monkeypatch):
    cli_app.write(tmp_path)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    monkeypatch.setenv("COLUMNS", "300")
    for name in ("OUTLIVE_APP", "OUTLIVE_BACKEND"):
        monkeypatch.delenv(name, raising=False)
    yield Shop(tmp_path)
    sys.modules.pop("shop", None)


# -- tasks ---------------------------------------------------------------------------------------


def test_a_task_is_enqueued_found_and_shown(shop):
    assert "no tasks match" in shop.on("tasks")
    task_id = shop.enqueue("note", "--args", '["tea"]', "--queue", "mail")

    (found,) = shop.json_on("tasks", "status:pending", "queue:mail")
    assert (found["task_id"], found["func_name"]) == (task_id, "note")
    assert shop.json_on("tasks", "status:failed") == []
    assert task_id in shop.run("tasks", "--backend", shop.url)

    shop.work()
    shown = shop.json_on("show", task_id)
    assert (shown["status"], shown["logs"][0].endswith("noting")) == ("success", True)
    text = shop.on("show", task_id)
    assert "warning noting" in text
    assert "attempt 1: success" in text


def test_what_failed_is_retried_and_what_waits_cancelled(shop):
    failed = [shop.enqueue("fail") for _ in range(2)]
    shop.work()
    assert "ValueError: =boom" in shop.on("show", failed[0])

    assert "1 done, 0 refused" in shop.on("retry", failed[0])
    assert "1 done, 0 refused" in shop.on("retry", "--where", "status:failed", answer="y\n")
    assert [one["status"] for one in shop.json_on("tasks")] == ["pending", "pending"]
    shop.on("cancel", "--where", "status:pending", answer="n\n", code=1)
    assert "2 done, 0 refused" in shop.on("cancel", "--where", "status:pending", "--yes")
    assert [one["status"] for one in shop.json_on("tasks")] == ["cancelled", "cancelled"]


def test_what_cannot_be_done_says_so_and_the_rest_is_done(shop):
    task_id = shop.enqueue("fail")

    output = shop.on("cancel", "nothing", task_id, code=1)

    assert "1 done, 1 refused" in output
    assert "'nothing'" in output
    assert "already ended" in shop.on("cancel", task_id, code=1)


def test_tasks_are_exported(shop):
    task_id = shop.enqueue("fail")
    shop.work()

    rows = list(csv.DictReader(io.StringIO(shop.on("export"))))
    assert [(row["task_id"], row["status"]) for row in rows] == [(task_id, "failed")]
    shop.on("export", "--format", "jsonl", "--output", "out.jsonl")
    assert json.loads((shop.folder / "out.jsonl").read_text())["task_id"] == task_id


# -- what runs them ------------------------------------------------------------------------------


def test_a_queue_is_paused_changed_and_resumed(shop):
    shop.enqueue("note", "--args", '["tea"]', "--queue", "mail")

    (queue,) = shop.json("queues", "--backend", shop.url, "--pause", "mail")
    assert (queue["name"], queue["paused"], queue["pending"]) == ("mail", True, 1)
    (queue,) = shop.json_on("queues", "--resume", "mail", "--set", "mail:concurrency=3,max_size=none")
    assert (queue["paused"], queue["concurrency"], queue["max_size"]) == (False, 3, None)
    assert "no limit" in shop.on("queues", "--reset", "mail")


def test_a_schedule_is_paused_run_and_resumed(shop):
    (schedule,) = shop.json_on("schedules")
    assert (schedule["name"], schedule["paused"]) == ("shop:morning", False)

    (schedule,) = shop.json_on("schedules", "--pause", "shop:morning")
    assert schedule["paused"]
    assert "runs as" in shop.on("schedules", "--run", "shop:morning", "--resume", "shop:morning")
    assert [one["func_name"] for one in shop.json_on("tasks")] == ["morning"]


def test_locks_and_instances_are_listed_and_a_lock_taken_away(shop):
    async def hold():
        backend = SqliteBackend(shop.folder / "tasks.db")
        await backend.open()
        await backend.leases.take("lock:stock", "somebody", 4_000_000_000.0, 1.0)
        await backend.close()

    asyncio.run(hold())

    (lock,) = shop.json_on("locks")
    assert (lock["key"], lock["holder"]) == ("lock:stock", "somebody")
    assert "needs a --reason" in shop.on("locks", "--release", "lock:stock", code=1)
    output = shop.on("locks", "--release", "lock:stock", "--reason", "it hangs")
    assert "taken from its holder" in output
    assert "nobody holds a lock" in output
    assert "no process is at work" in shop.on("instances")


# -- upkeep --------------------------------------------------------------------------------------


def test_old_records_are_deleted_after_a_question(shop):
    shop.enqueue("fail")
    shop.work()
    shop.run("migrate", "--backend", shop.url)

    shop.on("prune", "--older-than-days", "0", answer="n\n", code=1)
    assert len(shop.json_on("tasks")) == 1
    assert "1 deleted" in shop.on("prune", "--older-than-days", "0", "--yes")
    assert shop.json_on("tasks") == []


def test_records_are_written_under_the_newest_key(shop):
    old, new, other = (Fernet.generate_key().decode() for _ in range(3))

    def keyed(*keys):
        sys.modules.pop("shop", None)
        cli_app.write(shop.folder, cli_app.SOURCE.replace('"tasks.db", ', f'"tasks.db", encrypt_args_key={[*keys]}, '))

    keyed(old)
    shop.enqueue("note", "--args", '["tea"]')
    keyed(new)
    assert "no key decrypts" in shop.on("rotate-keys", code=1)
    keyed(new, old)
    assert "1 of 1 records written" in shop.on("rotate-keys")
    keyed(new)
    assert "0 of 1 records written" in shop.on("rotate-keys")
    keyed(other)
    shop.on("rotate-keys", code=1)


def test_the_settings_of_the_environment_are_shown_without_secrets(shop, monkeypatch):
    monkeypatch.setenv("OUTLIVE_RETRIES", "3")
    monkeypatch.setenv("OUTLIVE_ENCRYPT_ARGS_KEY", "hush")

    shown = {one["name"]: one for one in shop.json("config")}

    assert shown["retries"] == {"name": "retries", "variable": "OUTLIVE_RETRIES", "value": "3"}
    assert shown["timeout"]["value"] is None
    assert "hush" not in shop.run("config")
    monkeypatch.setenv("OUTLIVE_RETIRES", "3")
    assert "did you mean OUTLIVE_RETRIES" in shop.run("config", code=1)


def test_a_backend_in_the_environment_is_the_application_s(shop, monkeypatch):
    shop.enqueue("note", "--args", '["tea"]')
    monkeypatch.setenv("OUTLIVE_BACKEND", shop.url)

    assert len(shop.json_on("tasks")) == len(shop.json("tasks")) == 1


def test_the_doctor_finds_what_the_code_cannot_run(shop):
    assert "no process is at work" in shop.on("doctor")
    shop.enqueue("note", "--args", '["tea"]')
    shop.enqueue("fail")
    shop.on("queues", "--pause", "default")
    sys.modules.pop("shop")
    cli_app.write(
        shop.folder, cli_app.SOURCE.replace("async def fail(", "async def renamed(").replace("word: str,", "word: int,")
    )

    findings = {one["what"]: one for one in shop.json_on("doctor", code=1)}

    assert findings["functions"]["verdict"] == findings["arguments"]["verdict"] == "wrong"
    assert "shop:fail (1)" in findings["functions"]["text"]
    assert "1 records cannot be run" in findings["arguments"]["text"]
    assert "default is paused and 2 tasks wait" in findings["queues"]["text"]


# -- misuse --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        pytest.param(["tasks"], "name the application", id="nothing to look at"),
        pytest.param(["tasks", "--app", "shop"], "'shop' must be module:attribute", id="no attribute"),
        pytest.param(["tasks", "--app", "shops:manager"], "there is no module 'shops'", id="no module"),
        pytest.param(["tasks", "--app", "shop:note"], "is function, not a TaskManager", id="no manager"),
        pytest.param(["tasks", "--backend", "memory://"], "nothing to see from here", id="memory"),
        pytest.param(["tasks", "status:lost", "--app", "shop:manager"], "status:lost is no status", id="query"),
        pytest.param(["show", "x", "--app", "shop:manager"], "there is no task 'x'", id="unknown task"),
        pytest.param(["retry", "--app", "shop:manager"], "name tasks by their ids", id="retry what"),
        pytest.param(["enqueue", "none", "--app", "shop:manager"], "there are fail, morning, note", id="function"),
        pytest.param(["enqueue", "note", "--args", "{}", "--app", "shop:manager"], "must be a JSON list", id="list"),
        pytest.param(["enqueue", "note", "--args", "(", "--app", "shop:manager"], "is not JSON", id="json"),
        pytest.param(["queues", "--set", "mail", "--app", "shop:manager"], "cannot be set", id="setting"),
        pytest.param(["export", "--format", "xml", "--app", "shop:manager"], "use csv or jsonl", id="format"),
    ],
)
def test_misuse_says_what_to_do(shop, arguments, message):
    assert message in shop.run(*arguments, code=1)


def test_looking_from_outside_leaves_waiting_records_as_they_are(shop):
    task_id = shop.enqueue("note", "--args", '["tea"]')

    shop.run("tasks", "--backend", shop.url)

    assert shop.json_on("show", task_id)["reason"] is None
