"""The commands that look at tasks and act on them."""

import asyncio
import csv
import io
import json
import os
import re
import sqlite3
import subprocess
import sys
from contextlib import closing, suppress
from pathlib import Path

import psycopg
import pytest
import redis
import typer
from cryptography.fernet import Fernet
from support import cli_app, postgres, valkey
from support.pages import ROOT
from support.waiting import until
from typer.testing import CliRunner

from outlive import SqliteBackend, TaskManager, TaskStatus
from outlive.cli.app import app


class Shop:
    """A folder with an application, and commands that are run there."""

    def __init__(self, folder):
        self.folder = folder
        self.url = f"sqlite:///{folder}/tasks.db"

    def run(self, *arguments, **more):
        return self.result_of(*arguments, **more).output

    def result_of(self, *arguments, code=0, answer=None):
        result = CliRunner().invoke(app, [*map(str, arguments)], input=answer)
        assert result.exit_code == code, (result.output, result.exception)
        return result

    def json(self, *arguments, **more):
        return json.loads(self.result_of(*arguments, "--json", **more).stdout)

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


def test_a_schedule_is_reset_and_one_that_was_added_removed(shop):
    async def change():
        manager = TaskManager(SqliteBackend(shop.folder / "tasks.db"), run_tasks=False)
        manager.task(name="shop:note")(change)
        async with manager:
            await manager.add_schedule(change, every=60, name="added")
            await manager.change_schedule("shop:morning", cron="0 10 * * *")

    shop.on("schedules")
    asyncio.run(change())

    assert [(one["name"], one["changed"]) for one in shop.json_on("schedules")] == [
        ("added", False),
        ("shop:morning", True),
    ]
    (schedule,) = shop.json_on("schedules", "--reset", "shop:morning", "--remove", "added")
    assert (schedule["name"], schedule["trigger"], schedule["changed"]) == (
        "shop:morning",
        "at 09:00 every day (UTC)",
        False,
    )
    assert "declared in code" in shop.on("schedules", "--remove", "shop:morning", code=1)
    assert "needs --app" in shop.run("schedules", "--remove", "shop:morning", "--backend", shop.url, code=1)


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


def test_an_instance_is_drained_and_works_again(shop):
    async def while_it_works(use):
        manager = TaskManager(shop.url, poll_interval=0.05)
        async with manager:
            await asyncio.to_thread(use, manager.runtime.process.instance.id)

    def use(instance):
        (drained,) = shop.json_on("instances", "--drain", instance)
        assert (drained["id"], drained["draining"]) == (instance, True)
        assert "draining" in shop.on("instances")
        assert "draining" in shop.on("instances", "--drain", instance)
        (resumed,) = shop.json_on("instances", "--resume", instance)
        assert resumed["draining"] is False
        assert "at work" in shop.on("instances")
        assert "no process nobody is at work" in shop.on("instances", "--drain", "nobody", code=1)

    asyncio.run(while_it_works(use))


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


def test_options_are_shown_with_where_they_are_from_and_without_secrets(shop, monkeypatch):
    monkeypatch.setenv("OUTLIVE_RETRIES", "3")
    monkeypatch.setenv("OUTLIVE_ENCRYPT_ARGS_KEY", Fernet.generate_key().decode())

    shown = {one["name"]: one for one in shop.json("config")}

    retries = {"name": "retries", "variable": "OUTLIVE_RETRIES", "value": "3", "source": "environment"}
    assert shown["retries"] == retries
    assert (shown["lease"]["value"], shown["lease"]["source"]) == ("15.0", "default")
    assert shown["encrypt_args_key"]["value"] == "••••••"
    monkeypatch.setenv("OUTLIVE_RETIRES", "3")
    assert "did you mean OUTLIVE_RETRIES" in shop.run("config", code=1)


def test_options_of_an_application_are_shown_and_what_it_does_not_read_is_told(shop, monkeypatch):
    monkeypatch.setenv("OUTLIVE_TIMEOUT", "5")

    told = shop.on("config")

    rows = {row.split()[0]: row.split()[1:] for row in told.splitlines() if row.strip()}
    assert (rows["lease"], rows["backend"], rows["retries"]) == (["3", "code"], ["tasks.db", "code"], ["0", "default"])
    assert "OUTLIVE_TIMEOUT: set, but not read by this manager" in told


def test_a_backend_in_the_environment_is_the_application_s(shop, monkeypatch):
    shop.enqueue("note", "--args", '["tea"]')
    monkeypatch.setenv("OUTLIVE_BACKEND", shop.url)

    assert len(shop.json_on("tasks")) == len(shop.json("tasks")) == 1


def test_the_doctor_finds_what_the_code_cannot_run(shop):
    shop.enqueue("note", "--args", '["tea"]')
    assert "no process is at work" in shop.on("doctor")
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


def verdicts(findings):
    return {(one["what"], one["verdict"]) for one in findings}


def test_the_doctor_changes_nothing(shop):
    assert verdicts(shop.json_on("doctor")) == {("schema", "warn")}
    assert not (shop.folder / "tasks.db").exists()

    shop.on("migrate")
    before = sorted(path.name for path in shop.folder.iterdir())
    findings = shop.json_on("doctor")
    assert ("schema", "ok") in verdicts(findings)
    assert ("promises", "ok") in verdicts(findings)
    assert sorted(path.name for path in shop.folder.iterdir()) == before
    assert shop.json("schedules", "--backend", shop.url) == []


@pytest.mark.parametrize(
    ("admin", "environment", "expected"),
    [
        pytest.param("", {}, {("dashboard", "ok")}, id="this machine"),
        pytest.param(", auth=('ada', 'hush')", {}, {("dashboard", "ok")}, id="passwords"),
        pytest.param(", auth=False", {}, {("dashboard", "warn")}, id="everybody"),
        pytest.param("", {"FORWARDED_ALLOW_IPS": "10.0.0.1"}, {("dashboard", "ok"), ("proxy", "warn")}, id="proxy"),
        pytest.param(
            ", auth=('ada', 'hush')",
            {"FORWARDED_ALLOW_IPS": "*"},
            {("dashboard", "ok"), ("proxy", "warn")},
            id="any proxy",
        ),
    ],
)
def test_the_doctor_says_who_is_let_in(shop, monkeypatch, admin, environment, expected):
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    more = (
        f"from fastapi import FastAPI\nfrom outlive import TaskAdmin\napp = FastAPI()\nTaskAdmin(app, manager{admin})\n"
    )
    cli_app.write(shop.folder, cli_app.SOURCE + more)
    shop.run("migrate", "--app", "shop:app")

    findings = [one for one in shop.json("doctor", "--app", "shop:app") if one["what"] in ("dashboard", "proxy")]

    assert verdicts(findings) == expected
    assert "hush" not in str(findings)


@pytest.fixture(params=["sqlite", "postgres", "redis"])
def any_url(request, tmp_path):
    urls = {
        "sqlite": lambda: f"sqlite:///{tmp_path}/elsewhere.db?synchronous=NORMAL",
        "postgres": postgres.url_without_schema,
        "redis": lambda: f"{valkey.server_url()}?prefix=cli:{tmp_path}",
    }
    return urls[request.param]()


def test_a_slip_in_a_url_makes_nothing(shop, any_url):
    assert "there is nothing of outlive at this backend" in shop.run("tasks", "--backend", any_url, code=1)
    assert "behind: schema 0" in shop.run("migrate", "--check", "--backend", any_url, code=1)


def test_the_doctor_looks_at_a_server(shop, any_url):
    shop.run("migrate", "--backend", any_url)
    found = verdicts(shop.json("doctor", "--backend", any_url))

    assert {("schema", "ok"), ("backend", "ok"), ("instances", "warn")} <= found
    assert any(what == "promises" for what, _ in found)
    assert ("clock", "ok") in found or "sqlite" in any_url


def test_the_doctor_says_that_a_backend_cannot_be_reached(shop):
    findings = shop.json("doctor", "--backend", f"sqlite:///{shop.folder}/nowhere/tasks.db", code=1)
    assert verdicts(findings) == {("backend", "wrong")}


# -- schemas -------------------------------------------------------------------------------------


def test_a_schema_is_shown_checked_and_applied(shop, any_url):
    has_sql = not any_url.startswith("redis")

    assert "behind: schema 0" in shop.run("migrate", "--check", "--backend", any_url, code=1)
    script = shop.run("migrate", "--sql", "--backend", any_url)
    assert ("create table outlive_record" in script) == has_sql
    assert "behind" in shop.run("migrate", "--check", "--backend", any_url, code=1)  # neither changed anything

    assert "from schema 0 to" in shop.run("migrate", "--backend", any_url)
    assert "up to date: schema" in shop.run("migrate", "--backend", any_url)
    standing = shop.json("migrate", "--check", "--backend", any_url)
    assert standing["version"] == standing["known"] > 0
    assert shop.run("migrate", "--sql", "--backend", any_url).startswith("-- nothing to do")


def test_what_is_shown_can_be_applied_by_hand(shop):
    shop.folder.joinpath("schema.sql").write_text(shop.run("migrate", "--sql", "--backend", shop.url))
    with closing(sqlite3.connect(shop.folder / "tasks.db")) as database:
        database.executescript((shop.folder / "schema.sql").read_text())

    assert "up to date" in shop.run("migrate", "--check", "--backend", shop.url)
    assert shop.enqueue("note", "--args", '["tea"]')


def test_what_is_shown_can_be_applied_by_hand_to_postgresql(shop):
    url = postgres.url_without_schema()
    script = shop.run("migrate", "--sql", "--backend", url)

    with psycopg.connect(postgres.url(), autocommit=True) as connection:
        connection.execute(script)

    assert "up to date" in shop.run("migrate", "--check", "--backend", url)
    assert shop.json("tasks", "--backend", url) == []


def test_a_schema_of_a_newer_release_is_refused(shop):
    shop.on("migrate")
    with closing(sqlite3.connect(shop.folder / "tasks.db")) as database, database:
        database.execute("insert into outlive_schema values (99, 99)")

    for option in ("--check", "--sql"):
        assert "upgrade outlive" in shop.on("migrate", option, code=1)
    assert verdicts(shop.json_on("doctor", code=1)) == {("backend", "wrong")}


# -- measuring -----------------------------------------------------------------------------------


def test_a_backend_is_measured_beside_what_it_holds(shop, any_url):
    shop.run("migrate", "--backend", any_url)

    measures = shop.json("bench", "--backend", any_url, "--seconds", "0.1")

    names = ["enqueue one", "enqueue 1,000 at once", "drain", "enqueue to result"]
    assert [one["name"] for one in measures] == names
    assert all(one["tasks"] > 0 for one in measures)
    assert shop.json("tasks", "--backend", any_url) == []
    assert [path.name for path in shop.folder.iterdir() if "bench" in path.name] == []
    if any_url.startswith("postgres"):
        with psycopg.connect(postgres.url()) as connection:
            found = connection.execute("select 1 from pg_namespace where nspname like 'outlive_bench_%'").fetchall()
        assert found == []
    if any_url.startswith("redis"):
        assert list(redis.Redis.from_url(valkey.server_url()).scan_iter("{outlive_bench_*")) == []


def test_memory_is_measured_too(shop):
    names = [one["name"] for one in shop.json("bench", "--backend", "memory://", "--seconds", "0.05")]
    assert names == ["enqueue one", "enqueue 1,000 at once", "enqueue to result"]


# -- for programs, and for a terminal --------------------------------------------------------------


def test_what_is_done_is_told_to_programs_too(shop):
    task_id = shop.enqueue("fail")
    shop.work()

    told = shop.json_on("cancel", task_id, code=1)
    assert (told["done"], [*told["refused"]]) == (0, [task_id])
    assert shop.json_on("retry", "--where", "status:failed", "--yes") == {"done": 1, "refused": {}}
    assert shop.json_on("cancel", task_id) == {"done": 1, "refused": {}}
    assert shop.json_on("prune", "--older-than-days", "0", "--yes") == {"deleted": 1}


def test_health_is_told_to_programs_too(shop):
    (shop.folder / "health.json").write_text('{"pid": 7, "running": 2, "backend": "ok"}')

    told = shop.json("health", "health.json")
    assert (told["healthy"], told["pid"], told["running"]) == (True, 7, 2)
    assert shop.json("health", "health.json", "--max-age", "-1", code=1)["healthy"] is False
    assert "no worker has written" in shop.run("health", "nothing.json", code=1)


def test_a_shell_completes_commands(shop):
    environment = {"_OUTLIVE_COMPLETE": "complete_bash", "COMP_WORDS": "outlive mi", "COMP_CWORD": "1"}
    done = subprocess.run(
        [Path(sys.executable).with_name("outlive")],
        env=cli_app.environment() | environment,
        capture_output=True,
        text=True,
        timeout=50,
        check=False,
    )
    assert done.stdout.split() == ["migrate"]


def test_every_command_that_answers_can_answer_with_json():
    silent = {"worker", "demo", "export", "grafana"}
    options = {command.name: {name for one in command.params for name in one.opts} for command in commands()}
    assert {name for name, known in options.items() if "--json" not in known} == silent


def test_every_command_is_on_its_page_with_its_options():
    page = (ROOT / "docs/guide/command-line.md").read_text(encoding="utf-8")
    assert {command.name for command in commands()} == {*re.findall(r"`outlive ([a-z][a-z-]+)", page)}
    known = {option for command in commands() for parameter in command.params for option in parameter.opts}
    told = {*re.findall(r"(?<![\w-])--[a-z][a-z-]+", page)}
    assert told - known == {"--help", "--install-completion"}


def commands():
    return typer.main.get_command(app).commands.values()


@pytest.mark.parametrize("json", [False, True])
def test_long_work_shows_a_bar_on_a_terminal_alone(shop, json):
    shop.enqueue("fail")
    command = [sys.executable, "-m", "outlive", "cancel", "--where", "status:pending", "--yes", "--app", "shop:manager"]
    ours, theirs = pytest.importorskip("pty").openpty()
    environment = cli_app.environment() | {"TERM": "xterm"}
    done = subprocess.run(
        command + ["--json"] * json,
        cwd=shop.folder,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=theirs,
        timeout=50,
        check=False,
    )
    os.close(theirs)

    assert done.returncode == 0
    assert ("━" in _all_of(ours)) is not json
    assert b"\x1b" not in done.stdout


def _all_of(terminal):
    text = b""
    with suppress(OSError), closing(os.fdopen(terminal, "rb", buffering=0)) as file:  # Linux ends it with an error
        while more := file.read(4096):
            text += more
    return text.decode(errors="replace")


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
        pytest.param(["enqueue", "note", "--app", "shop:manager"], "cannot be called so: missing a req", id="call"),
        pytest.param(["enqueue", "note", "--args", "[[]]", "--app", "shop:manager"], "word", id="argument"),
        pytest.param(
            ["export", "-o", "no/where.csv", "--app", "shop:manager"], "cannot be written: No such", id="file"
        ),
        pytest.param(["bench", "--backend", "no/where.db"], "does not exist; create it", id="folder"),
        pytest.param(["tasks", "--app", "shop:nothing"], "shop has no 'nothing'", id="attribute"),
        pytest.param(["queues", "--set", "mail", "--app", "shop:manager"], "cannot be set", id="setting"),
    ],
)
def test_misuse_says_what_to_do(shop, arguments, message):
    assert message in shop.run(*arguments, code=1)


def test_looking_from_outside_leaves_waiting_records_as_they_are(shop):
    task_id = shop.enqueue("note", "--args", '["tea"]')

    shop.run("tasks", "--backend", shop.url)

    assert shop.json_on("show", task_id)["reason"] is None
