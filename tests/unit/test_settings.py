"""Options from environment variables."""

import inspect
import os
from typing import Any

import pytest
from cryptography.fernet import Fernet, MultiFernet

from outlive import ConfigError, MemoryBackend, SqliteBackend, TaskManager
from outlive.core.config import TaskOptions
from outlive.core.queues import QueueConfig
from outlive.operations import ManagerOptions
from outlive.settings import Settings, options_from_environment, settings_of

#: What only code can say: objects and functions, and what belongs to one call or one definition.
CODE_ONLY = {
    "snapshot_backend",
    "clock",
    "loggers",
    "tracer",
    "retry_on",
    "on_error",
    "name",
    "idempotency_key",
    "run_at",
    "run_in",
}


@pytest.fixture(autouse=True)
def clean(monkeypatch):
    for name in [name for name in os.environ if name.upper().startswith("OUTLIVE_")]:
        monkeypatch.delenv(name)


def given(monkeypatch: pytest.MonkeyPatch, **variables: str) -> dict[str, Any]:
    for name, value in variables.items():
        monkeypatch.setenv(f"OUTLIVE_{name}", value)
    return options_from_environment()


def test_every_option_has_a_variable_or_is_one_that_only_code_can_give():
    parameters = {*inspect.signature(TaskManager).parameters} - {"options"}
    parameters |= {*inspect.get_annotations(ManagerOptions), *inspect.get_annotations(TaskOptions)}
    assert parameters - CODE_ONLY == {*Settings.model_fields}


def test_nothing_set_is_nothing_given():
    assert options_from_environment() == {}
    assert isinstance(TaskManager.from_env().backend, MemoryBackend)
    assert {setting.source for setting in settings_of({}, (), {})} == {"default"}


def test_what_is_set_has_the_type_of_its_option(monkeypatch):
    options = given(
        monkeypatch,
        RETRIES="3",
        TIMEOUT="2.5",
        SHIELD="true",
        RUN_QUEUES="mails, reports",
        QUEUES='{"mails": {"concurrency": 3}}',
        RETENTION='{"failed": 90}',
        TAGS='{"tenant": "a"}',
        RATE_LIMIT="10/s",
        MAX_SIZE="",
    )

    assert options == {
        "retries": 3,
        "timeout": 2.5,
        "shield": True,
        "run_queues": ["mails", "reports"],
        "queues": {"mails": QueueConfig(3)},
        "retention": {"failed": 90.0},
        "tags": {"tenant": "a"},
        "rate_limit": "10/s",
    }


def test_the_environment_wins_over_code(monkeypatch, tmp_path):
    given(monkeypatch, BACKEND=f"sqlite:///{tmp_path}/tasks.db", RETRIES="5")

    manager = TaskManager.from_env(backend="memory://", retries=1, delay=2.0)

    assert isinstance(manager.backend, SqliteBackend)
    config = manager.registry.of(len).config
    assert (config.retries, config.delay) == (5, 2.0)


def test_snapshot_db_is_another_name_of_the_backend(monkeypatch):
    assert given(monkeypatch, SNAPSHOT_DB="tasks.db") == {"backend": "tasks.db"}
    assert given(monkeypatch, BACKEND="memory://") == {"backend": "memory://"}


def test_keys_are_a_list_and_are_never_shown(monkeypatch):
    old, new = Fernet.generate_key().decode(), Fernet.generate_key().decode()
    found = given(monkeypatch, ENCRYPT_ARGS_KEY=f"{new},{old}", BACKEND="postgresql://me:hush@host/db")

    shown = {setting.name: setting for setting in settings_of(found, found, {})}
    assert shown["encrypt_args_key"].value == "••••••"
    assert shown["backend"].value == "postgresql://me:••••••@host/db"
    assert shown["backend"].variable == "OUTLIVE_BACKEND"
    monkeypatch.delenv("OUTLIVE_BACKEND")
    assert isinstance(TaskManager.from_env().fernet, MultiFernet)


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("RETRIES", "many", "OUTLIVE_RETRIES makes no sense"),
        ("EXECUTOR", "gpu", "OUTLIVE_EXECUTOR makes no sense"),
        ("QUEUES", "{", "OUTLIVE_QUEUES|queues"),
        ("RETIRES", "3", "did you mean OUTLIVE_RETRIES"),
        ("XYZZY", "3", "known are"),
    ],
)
def test_a_wrong_variable_is_named(monkeypatch, name, value, message):
    with pytest.raises(ConfigError, match=message):
        given(monkeypatch, **{name: value})


def test_a_wrong_key_is_refused_without_being_shown(monkeypatch):
    given(monkeypatch, ENCRYPT_ARGS_KEY="hush-hush")
    with pytest.raises(ConfigError, match="no Fernet key") as refused:
        TaskManager.from_env()
    assert "hush" not in str(refused.value)


def test_the_variable_of_the_command_line_is_left_alone(monkeypatch):
    assert given(monkeypatch, APP="shop:manager") == {}


def test_a_manager_knows_what_it_was_given_and_by_whom(monkeypatch):
    given(monkeypatch, RETRIES="3", TIMEOUT="5")
    manager = TaskManager.from_env(retries=1, delay=0.0, backend=MemoryBackend())

    settings = settings_of(manager.given, manager.given_by_environment, {"delay": 0.0, "shield": False})
    shown = {setting.name: (setting.value, setting.source) for setting in settings}

    assert [shown[name] for name in ("retries", "timeout", "delay", "backend", "shield")] == [
        ("3", "environment"),
        ("5.0", "environment"),
        ("0.0", "code"),
        ("MemoryBackend", "code"),
        ("False", "default"),
    ]
    assert TaskManager("a.db").given == {"backend": "a.db"}
