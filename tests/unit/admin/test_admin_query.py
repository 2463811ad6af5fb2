"""The grammar for finding tasks."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from outlive.admin.failures import fingerprint
from outlive.admin.query import QueryError, parse
from outlive.core.filter import TaskFilter
from outlive.core.record import TaskRecord
from outlive.core.states import LIVE, TaskStatus

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
FAILED = TaskRecord(
    id="01a2",
    func="shop.mail:send",
    func_name="send",
    status=TaskStatus.FAILED,
    created_at=NOW - timedelta(hours=2),
    run_at=NOW,
    start_time=NOW - timedelta(seconds=3),
    end_time=NOW,
    attempts=3,
    error="Connection to 10.0.0.1 timed out",
    tags={"region": "eu"},
    label="invoice of March",
    priority=5,
    queue="bulk mail",
    arguments='{"user":{"id":42},"name":"Ann"}',
)


def finds(text: str, record: TaskRecord = FAILED) -> bool:
    query = parse(text, NOW, arguments=True)
    in_time = (query.since is None or record.created_at >= query.since) and (
        query.until is None or record.created_at < query.until
    )
    return query.conditions.matches(record) and query.matches(record) and in_time


@pytest.mark.parametrize(
    "text",
    [
        "",
        "   ",
        "status:failed",
        "status:failed,interrupted",
        "-status:success",
        "fn:send",
        "func:shop.mail:send",
        "fn:shop.mail*",
        "fn:SEND,other*",
        "-fn:bounce",
        'queue:"bulk mail"',
        "source:manual",
        "error:timed",
        "error:TIMED*",
        "attempts:3",
        "attempts:>=2",
        "attempts:<4",
        "priority:>4",
        "duration:>2s",
        "duration:<=3000ms",
        "age:>1h",
        "age:<1d",
        "age:3h",
        "-age:<1h",
        "tag.region:eu",
        "tag.region:us,eu",
        "-tag.region:us",
        "arg.user.id:42",
        "arg.name:an*",
        "timed out",
        '"timed out"',
        "MARCH eu",
        "-success",
        "status:failed fn:send age:<1d march",
        f"group:{fingerprint(FAILED)}",
    ],
)
def test_what_is_found(text):
    assert finds(text)


@pytest.mark.parametrize(
    "text",
    [
        "status:success",
        "-status:failed",
        "status:failed status:success",
        "fn:bounce",
        "fn:sen",
        "-fn:send",
        "queue:bulk",
        "source:scheduled",
        "error:refused",
        "attempts:>3",
        "-attempts:3",
        "duration:<3s",
        "age:<1h",
        "age:>3h",
        "tag.region:us",
        "tag.city:eu",
        "arg.user.name:42",
        "arg.nothing:1",
        '"out timed"',
        "-march",
        "group:0123456789ab",
        "send refused",
        "https://bank.example/charge",
    ],
)
def test_what_is_not_found(text):
    assert not finds(text)


@pytest.mark.parametrize("text", ["duration:>1s", "error:x", "tag.a:b", "arg.a:1", "schedule:x", "label:x", "group:x"])
def test_what_is_asked_about_may_be_missing(text):
    bare = replace(FAILED, start_time=None, error=None, tags={}, arguments=None, label=None)
    assert not finds(text, bare)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("status:broken", "they are pending, running"),
        ("colour:red", "known are age, arg.<name>"),
        ("attempts:many", "write it like 3"),
        ("age:1y", "write it like 1h"),
        ("fn:", "says nothing after the colon"),
        ('"open', "a quote is not closed"),
    ],
)
def test_what_makes_no_sense_is_refused_with_what_would(text, told):
    with pytest.raises(QueryError, match=told):
        parse(text, NOW)


def test_arguments_that_are_not_shown_cannot_be_asked_for():
    with pytest.raises(QueryError, match="display_func_args=True"):
        parse("arg.password:a*", NOW)


def test_what_the_backend_has_an_index_for_is_left_to_it():
    query = parse('status:failed fn:send queue:"bulk mail" source:manual', NOW)
    assert query.conditions == TaskFilter(frozenset({TaskStatus.FAILED}), "send")
    assert len(query.tests) == 1

    query = parse('status:pending,running queue:"bulk mail" source:manual', NOW)
    assert query.conditions == TaskFilter(frozenset(LIVE), queue="bulk mail", source="manual")
    assert query.tests == ()


def test_signs_that_mean_something_elsewhere_mean_themselves():
    odd = replace(FAILED, queue="a[b]?c", error="what?")
    assert finds("queue:a[b]?*", odd)
    assert finds("error:what?", odd)
    assert not finds("error:whaty", odd)
