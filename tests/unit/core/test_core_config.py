import dataclasses
from datetime import UTC, datetime

import pytest

from outlive import ConfigError, OutliveError, TaskConfig
from outlive.core.config import UNSET


def test_what_the_call_says_wins_over_the_definition_and_that_over_the_manager():
    manager = TaskConfig(retries=1, delay=1.0, queue="slow", shield=True)
    definition = TaskConfig(retries=2, delay=2.0)
    call = TaskConfig(retries=3, shield=False)

    merged = manager.merge(definition).merge(call)

    assert (merged.retries, merged.delay, merged.queue, merged.shield) == (3, 2.0, "slow", False)


def test_a_zero_is_said_and_none_is_not():
    manager = TaskConfig(retries=3, timeout=5.0, shield=True)

    merged = manager.merge(TaskConfig(retries=0, timeout=None, shield=False))

    assert (merged.retries, merged.timeout, merged.shield) == (0, 5.0, False)


def test_merging_changes_neither_side():
    below, above = TaskConfig(retries=1), TaskConfig(delay=2.0)
    below.merge(above)
    assert (below, above) == (TaskConfig(retries=1), TaskConfig(delay=2.0))


@pytest.mark.parametrize("nothing", [None, UNSET, TaskConfig()], ids=["None", "UNSET", "empty"])
def test_merging_with_nothing_changes_nothing(nothing):
    config = TaskConfig(retries=1, tags={"team": "mail"})
    assert config.merge(nothing) == config
    assert UNSET.merge(config) == config


def test_tags_are_replaced_as_one_option():
    merged = TaskConfig(tags={"team": "mail"}).merge(TaskConfig(tags={"user": "7"}))
    assert merged.tags == {"user": "7"}


def test_a_config_cannot_be_changed():
    with pytest.raises(dataclasses.FrozenInstanceError):
        TaskConfig().retries = 3


def test_tags_are_the_callers_at_the_moment_of_the_call():
    tags = {"user": "7"}
    config = TaskConfig(tags=tags)
    tags["user"] = "8"
    assert config.tags == {"user": "7"}


def test_given_lists_what_was_said():
    assert TaskConfig(retries=0, shield=False).given() == {"retries": 0, "shield": False}
    assert TaskConfig().given() == {}


def test_shielded_is_whether_shield_is_set():
    assert [TaskConfig(shield=value).shielded for value in (None, False, True)] == [False, False, True]


def test_an_option_that_nobody_sets_has_its_default():
    effective = UNSET.effective()

    assert effective.retry.retries == 0
    assert effective.retry.wait(1, 0.5) == 0
    assert effective.retry.retry_on is Exception
    assert (effective.timeout, effective.priority, effective.queue) == (None, None, "default")
    assert (effective.tags, effective.persist, effective.on_error) == ({}, None, None)
    assert not any(
        [effective.eager, effective.requeue_on_interrupt, effective.shield, effective.even_on_error],
    )


def test_every_option_reaches_what_the_runtime_goes_by():
    def handler(task, error):
        pass

    effective = TaskConfig(
        retries=3,
        delay=1.0,
        backoff=2.0,
        max_delay=60.0,
        retry_jitter=0.1,
        retry_on=(OSError,),
        timeout=30,
        priority=5,
        queue="mail",
        tags={"user": "7"},
        persist=False,
        eager=True,
        requeue_on_interrupt=True,
        shield=True,
        on_error=handler,
        even_on_error=True,
    ).effective()

    retry = effective.retry
    assert (retry.retries, retry.delay, retry.backoff, retry.max_delay) == (3, 1.0, 2.0, 60.0)
    assert (retry.jitter, retry.retry_on) == (0.1, (OSError,))
    assert (effective.timeout, effective.priority, effective.queue) == (30, 5, "mail")
    assert (effective.tags, effective.persist, effective.on_error) == ({"user": "7"}, False, handler)
    assert all([effective.eager, effective.requeue_on_interrupt, effective.shield, effective.even_on_error])


def test_an_empty_retry_on_is_not_the_default():
    assert TaskConfig(retry_on=()).effective().retry.retry_on == ()


NAN, INF = float("nan"), float("inf")
NUMBERS = {
    "retries": (-1, 2.5, "3", True, NAN),
    "delay": (-0.1, NAN, INF, "1"),
    "backoff": (-1, NAN, INF, "2"),
    "max_delay": (-1, NAN, INF),
    "retry_jitter": (-0.1, 1.1, NAN),
    "timeout": (0, -1, NAN, INF, "30"),
    "priority": ("high", 1.5, 2**31),
    "run_in": (-1, NAN, INF, 1e10),
}
OTHERS = {
    "name": (5, "a\0b", "\ud800"),
    "queue": (5, "\ud800"),
    "idempotency_key": (5, "a\0b"),
    "tags": (["a"], {"a": 1}, {1: "a"}, {"a": "\ud800"}, "a"),
    "executor": ("fork", 1),
    "retry_on": (5, int, (ValueError, "OSError"), (int,)),
    "on_error": (5, "handler"),
    "run_at": ("2030-01-01", 1.5, datetime(1, 1, 1, tzinfo=UTC), datetime.max.replace(tzinfo=UTC)),
}
WRONG = [(name, value) for name, values in {**NUMBERS, **OTHERS}.items() for value in values]


@pytest.mark.parametrize(("name", "value"), WRONG, ids=ascii)
def test_a_value_that_cannot_work_is_refused_where_it_is_given(name, value):
    with pytest.raises(ConfigError) as caught:
        TaskConfig(**{name: value})

    assert str(caught.value).startswith(f"{name}={value!r} ")
    assert isinstance(caught.value, (OutliveError, ValueError))


@pytest.mark.parametrize(
    ("options", "advice"),
    [
        ({"retries": -1}, "must be a whole number, 0 or more"),
        ({"delay": -1}, "must be a number of seconds, 0 or more"),
        ({"timeout": 0}, "must be more than 0 seconds; leave it out for no limit"),
        ({"retry_jitter": 2}, "must be from 0 to 1"),
        ({"executor": "fork"}, "is unknown; choose one of async, thread, process"),
        ({"retry_on": int}, "must be an exception type, a tuple of them, or a function of the exception"),
        ({"tags": {"user": 7}}, "must map text to text"),
        ({"name": "\ud800"}, "must be text that can be stored"),
        ({"run_at": "tomorrow"}, "must be a datetime"),
        ({"run_at": datetime(2030, 1, 1, tzinfo=UTC), "run_in": 5}, "run_at and run_in say the same thing twice"),
    ],
    ids=lambda value: value if isinstance(value, str) else next(iter(value)),
)
def test_the_refusal_says_what_would_work(options, advice):
    with pytest.raises(ConfigError, match=advice):
        TaskConfig(**options)


def test_merging_cannot_combine_run_at_and_run_in():
    with pytest.raises(ConfigError, match="give one of them"):
        TaskConfig(run_in=5).merge(TaskConfig(run_at=datetime(2030, 1, 1, tzinfo=UTC)))


@pytest.mark.parametrize(
    "options",
    [
        {"retries": 0, "delay": 0, "backoff": 0, "max_delay": 0, "retry_jitter": 0, "run_in": 0},
        {"retry_jitter": 1, "priority": -(2**31) + 1, "timeout": 0.001},
        {"retry_on": OSError},
        {"retry_on": KeyboardInterrupt},
        {"retry_on": ()},
        {"run_at": datetime(2030, 1, 1)},  # noqa: DTZ001 - naive means UTC
        {"tags": {}, "name": "Grüße", "queue": "mail"},
    ],
    ids=str,
)
def test_the_edges_of_what_works(options):
    assert TaskConfig(**options).given().keys() == options.keys()
