"""The rows on logging, encryption and retention in fastapi-taskflow's page on its TaskManager, one test for each."""

import os
import time
from pathlib import Path
from typing import Any

import pytest
from cryptography.fernet import Fernet
from fastapi import FastAPI
from fastapi.testclient import TestClient
from support.waiting import until_sync

from outlive import FileLogger, InMemoryLogger, LoggerChain, TaskAdmin, TaskManager, TaskObserver, Tasks, task_log
from outlive.core.events import LifecycleEvent, LogEvent
from outlive.core.moves import Cancel, Enqueue


@pytest.fixture(autouse=True)
def in_a_folder_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def served(manager: TaskManager, *words: str) -> list[dict[str, Any]]:
    """The records of an application whose endpoint schedules a task for each word, once it has stopped."""
    app = FastAPI()
    TaskAdmin(app, manager, display_func_args=True)

    @manager.task()
    def send_email(address: str) -> None:
        task_log(f"to {address}")
        if not address:
            raise ValueError("no address")

    @app.post("/")
    def endpoint(tasks: Tasks) -> None:
        for word in words:
            tasks.add_task(send_email, word)

    with TestClient(app) as client:
        client.post("/")

        def ended() -> Any:
            records = client.get("/tasks").json()
            return records if all(one["status"] in ("success", "failed") for one in records) else None

        records: list[dict[str, Any]] = until_sync(ended)
        return records


def lines_of(path: str = "tasks.log") -> list[str]:
    return Path(path).read_text(encoding="utf-8").splitlines()


class Broken(TaskObserver):
    async def on_log(self, event: LogEvent) -> None:
        raise RuntimeError("broken")

    async def on_lifecycle(self, event: LifecycleEvent) -> None:
        raise RuntimeError("broken")


def test_loggers_receive_every_log_call_and_transition_and_an_error_in_one_touches_nobody():
    memory = InMemoryLogger()

    [record] = served(TaskManager(loggers=[Broken(), memory]), "ada@example.com")

    assert record["status"] == "success"
    assert [event.message for event in memory.log_events] == ["to ada@example.com"]
    assert [event.status for event in memory.lifecycle_events] == ["running", "success"]


def test_log_file_is_short_for_one_file_logger():
    manager = TaskManager(log_file="tasks.log")
    assert manager.logger is not None
    assert [type(one) for one in manager.logger.observers] == [FileLogger]

    served(manager, "ada@example.com")

    [line] = lines_of()
    assert line.endswith("to ada@example.com")
    assert "[send_email]" in line


def test_log_file_is_ignored_when_loggers_has_a_file_logger_for_the_same_path():
    mine = FileLogger("tasks.log")
    manager = TaskManager(loggers=[mine], log_file=str(Path("tasks.log").absolute()))
    assert manager.logger is not None
    assert manager.logger.observers == (mine,)
    assert len(TaskManager(loggers=[mine], log_file="other.log").logger.observers) == 2


def test_log_file_max_bytes_and_backup_count_rotate_the_file():
    served(TaskManager(log_file="tasks.log", log_file_max_bytes=100, log_file_backup_count=2), *["a" * 40] * 6)

    assert sorted(path.name for path in Path().glob("tasks.log*")) == ["tasks.log", "tasks.log.1", "tasks.log.2"]
    assert all(path.stat().st_size <= 100 for path in Path().glob("tasks.log*"))


def test_log_file_max_bytes_has_no_effect_in_watched_mode():
    served(TaskManager(log_file="tasks.log", log_file_max_bytes=1, log_file_mode="watched"), "a", "b")

    assert len(lines_of()) == 2
    assert sorted(path.name for path in Path().iterdir()) == ["tasks.log"]


def test_log_file_mode_is_rotate_or_watched():
    with pytest.raises(ValueError, match="log file"):
        TaskManager(log_file="tasks.log", log_file_mode="append")


def test_log_lifecycle_writes_transitions_too():
    served(TaskManager(log_file="tasks.log", log_lifecycle=True), "ada", "")

    words = [word for line in lines_of() for word in ("RUNNING", "SUCCESS", "FAILED") if f"-- {word}" in line]
    assert sorted(words) == ["FAILED", "RUNNING", "RUNNING", "SUCCESS"]


@pytest.mark.parametrize("form", [bytes, str])
def test_encrypt_args_key_takes_text_or_bytes_and_encrypts_at_rest(form):
    key = Fernet.generate_key()
    manager = TaskManager("tasks.db", encrypt_args_key=key if form is bytes else key.decode())

    [record] = served(manager, "ada@example.com")

    assert record["status"] == "success"
    assert record["arguments"] == "(str)"
    stored = b"".join(path.read_bytes() for path in Path().iterdir() if path.is_file())
    assert b"send_email" in stored
    # What the task itself wrote into its log is its own affair; its arguments are nowhere.
    assert b'"address"' not in stored


def test_retention_days_deletes_terminal_records():
    manager, then = TaskManager("tasks.db", retention_days=2), time.time() - 3 * 86_400
    app = FastAPI()
    TaskAdmin(app, manager)
    old = [Enqueue("old", "f", "f", then, then), Cancel("old", then, "a test")]

    with TestClient(app) as client:
        assert client.portal is not None
        client.portal.call(manager.backend.apply, old)
    with TestClient(app) as client:
        until_sync(lambda: client.get("/tasks").json() == [])


def test_the_public_attributes():
    plain = TaskManager()
    assert (plain.logger, plain.fernet) == (None, None)
    full = TaskManager(log_file="x.log", encrypt_args_key=Fernet.generate_key())
    assert isinstance(full.logger, LoggerChain)
    assert isinstance(full.fernet, Fernet)


def test_without_the_extra_the_error_says_what_to_install(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "cryptography.fernet", None)
    with pytest.raises(ImportError, match=r"outlive\[encryption\]"):
        TaskManager(encrypt_args_key=Fernet.generate_key())


def test_no_file_is_opened_before_the_start():
    TaskManager(log_file="tasks.log")
    assert os.listdir() == []  # noqa: PTH208 - the names alone
