import json
from datetime import UTC, datetime, timedelta, timezone
from functools import partial
from typing import Any

import pytest

from outlive import TaskConfig
from outlive.core.config import UNSET
from outlive.definitions.options import decode_options, due_at, encode_options

NOW = 1_000_000.0


def handler(task, error): ...


def is_temporary(error): ...


class Handlers:
    def method(self, task, error): ...

    @classmethod
    def create(cls, task, error): ...

    def __call__(self, task, error): ...

    @staticmethod
    def log(task, error): ...


EVERYTHING_PLAIN: dict[str, Any] = {
    "name": "for Ada",
    "retries": 3,
    "delay": 1.5,
    "backoff": 2.0,
    "max_delay": 60.0,
    "retry_jitter": 0.1,
    "timeout": 30.0,
    "executor": "thread",
    "priority": 5,
    "queue": "mail",
    "persist": False,
    "eager": True,
    "requeue_on_interrupt": True,
    "shield": True,
    "even_on_error": True,
}


def test_no_options_need_no_text():
    assert encode_options(UNSET) == (None, None)
    assert encode_options(TaskConfig()) == (None, None)
    assert decode_options(None) == UNSET


@pytest.mark.parametrize("name", EVERYTHING_PLAIN)
def test_an_option_comes_back(name):
    options = TaskConfig(**{name: EVERYTHING_PLAIN[name]})

    text, note = encode_options(options)

    assert decode_options(text) == options
    assert note is None


def test_what_was_not_said_stays_unsaid():
    text, _ = encode_options(TaskConfig(retries=0, shield=False))
    assert json.loads(text or "") == {"retries": 0, "shield": False}


@pytest.mark.parametrize(
    "options",
    [
        TaskConfig(on_error=handler),
        TaskConfig(on_error=Handlers.log),
        TaskConfig(on_error=Handlers.create),
        TaskConfig(retry_on=OSError),
        TaskConfig(retry_on=(OSError, KeyError)),
        TaskConfig(retry_on=is_temporary),
        TaskConfig(on_error=handler, retry_on=is_temporary, **EVERYTHING_PLAIN),
    ],
    ids=["function", "static method", "class method", "exception", "exceptions", "predicate", "everything"],
)
def test_callables_that_can_be_imported_come_back(options):
    text, note = encode_options(options)

    back = decode_options(text)

    assert note is None
    assert back.on_error == options.on_error
    assert back.given().keys() == options.given().keys()
    wanted, found = options.retry_on, back.retry_on
    assert found in (wanted, (wanted,))


def test_callables_that_cannot_be_imported_are_left_out_and_named():
    options = TaskConfig(retries=3, on_error=lambda task, error: None, retry_on=lambda error: True)

    text, note = encode_options(options)

    assert decode_options(text) == TaskConfig(retries=3)
    assert note == "on_error and retry_on given with this call cannot be imported and will not survive a restart"


@pytest.mark.parametrize(
    "on_error",
    [Handlers().method, Handlers(), partial(handler, None)],
    ids=["method", "callable object", "partial"],
)
def test_what_an_import_would_not_bring_back_as_it_is_is_left_out(on_error):
    text, note = encode_options(TaskConfig(on_error=on_error))

    assert decode_options(text) == UNSET
    assert note is not None
    assert note.startswith("on_error given with this call cannot be imported")


def test_an_exception_that_cannot_be_imported_is_named():
    class LocalError(Exception): ...

    text, note = encode_options(TaskConfig(retry_on=(OSError, LocalError)))

    assert decode_options(text) == UNSET
    assert note == "retry_on given with this call cannot be imported and will not survive a restart"


def test_a_callable_that_is_gone_falls_back_to_the_definitions():
    stored = {
        "retries": 3,
        "on_error": [f"{__name__}:gone"],
        "retry_on": ["no.such.module:Error", "builtins:OSError"],
    }
    assert decode_options(json.dumps(stored)) == TaskConfig(retries=3)


def test_what_belongs_to_the_acceptance_is_not_stored_with_the_options():
    options = TaskConfig(tags={"a": "b"}, idempotency_key="key", run_in=5)
    assert encode_options(options) == (None, None)


def test_a_run_is_due_at_once_unless_it_is_told_otherwise():
    assert due_at(UNSET, NOW) == NOW
    assert due_at(TaskConfig(run_in=90), NOW) == NOW + 90


@pytest.mark.parametrize(
    "moment",
    [
        datetime(2030, 1, 2, 3, 0, tzinfo=UTC),
        datetime(2030, 1, 2, 5, 0, tzinfo=timezone(timedelta(hours=2))),
        datetime(2030, 1, 2, 3, 0),  # noqa: DTZ001 - naive is UTC
    ],
    ids=["UTC", "other zone", "naive"],
)
def test_run_at_is_a_moment_in_time(moment):
    assert due_at(TaskConfig(run_at=moment), NOW) == datetime(2030, 1, 2, 3, 0, tzinfo=UTC).timestamp()
