import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from outlive import TaskRecord, TaskStatus
from outlive.core.record import AttemptRecord, LogLine, moment

AT = datetime(2030, 1, 2, 3, 4, 5, tzinfo=UTC)
FRESH = TaskRecord(
    id="0190", func="app.mail:send", func_name="send", status=TaskStatus.PENDING, created_at=AT, run_at=AT
)
ENDED = replace(
    FRESH,
    status=TaskStatus.FAILED,
    start_time=AT + timedelta(seconds=1),
    end_time=AT + timedelta(seconds=3.5),
    attempts=3,
    error="no route",
    stacktrace="Traceback",
    tags={"user": "7"},
    priority=5,
    executor="thread",
    queue="mail",
    logs=(LogLine(1, AT, "info", "hello"),),
)


def test_the_keys_of_taskflow_come_first():
    assert list(FRESH.to_dict())[:16] == [
        "task_id",
        "func_name",
        "status",
        "created_at",
        "start_time",
        "end_time",
        "duration",
        "retries_used",
        "error",
        "logs",
        "stacktrace",
        "tags",
        "source",
        "priority",
        "executor",
        "queue",
    ]


def test_an_ended_record_tells_everything_that_taskflow_tells():
    told = ENDED.to_dict()

    assert {key: told[key] for key in list(told)[:16]} == {
        "task_id": "0190",
        "func_name": "send",
        "status": "failed",
        "created_at": "2030-01-02T03:04:05+00:00",
        "start_time": "2030-01-02T03:04:06+00:00",
        "end_time": "2030-01-02T03:04:08.500000+00:00",
        "duration": 2.5,
        "retries_used": 2,
        "error": "no route",
        "logs": ["2030-01-02T03:04:05Z hello"],
        "stacktrace": "Traceback",
        "tags": {"user": "7"},
        "source": "manual",
        "priority": 5,
        "executor": "thread",
        "queue": "mail",
    }


def test_a_record_that_has_not_started_has_no_times_yet():
    told = FRESH.to_dict()

    assert (told["start_time"], told["end_time"], told["duration"]) == (None, None, None)
    assert (told["retries_used"], told["logs"], told["tags"]) == (0, [], {})


def test_a_running_record_has_no_duration_yet():
    assert replace(FRESH, status=TaskStatus.RUNNING, start_time=AT).duration is None


@pytest.mark.parametrize("record", [FRESH, ENDED], ids=["fresh", "ended"])
def test_a_record_is_ready_for_json_and_keeps_its_arguments_to_itself(record):
    told = json.dumps(replace(record, arguments='{"password":"hunter2"}', idempotency_key="key-1").to_dict())
    assert "hunter2" not in told
    assert "key-1" not in told


def test_the_full_identity_of_the_function_stands_beside_its_name():
    told = FRESH.to_dict()
    assert (told["func_name"], told["func"]) == ("send", "app.mail:send")


def test_task_id_is_the_id():
    assert FRESH.task_id == FRESH.id


def test_retries_are_counted_from_the_second_attempt():
    assert [replace(FRESH, attempts=attempts).retries_used for attempts in (0, 1, 2, 4)] == [0, 0, 1, 3]


def test_a_record_is_final_when_only_a_person_can_move_it():
    final = {status for status in TaskStatus if replace(FRESH, status=status).is_final}
    assert final == {"success", "failed", "interrupted", "cancelled", "rejected"}


def test_a_separator_stands_in_front_of_each_retry():
    lines = [LogLine(1, AT, "info", "a"), LogLine(1, AT, "info", "b"), LogLine(3, AT, "error", "c")]

    assert replace(FRESH, logs=lines).log_lines() == [
        "2030-01-02T03:04:05Z a",
        "2030-01-02T03:04:05Z b",
        "--- Retry 2 ---",
        "2030-01-02T03:04:05Z c",
    ]


def test_a_record_that_was_requeued_counts_its_attempts_anew():
    lines = [LogLine(2, AT, "info", "a"), LogLine(1, AT, "info", "b")]

    assert replace(FRESH, logs=lines).log_lines() == [
        "--- Retry 1 ---",
        "2030-01-02T03:04:05Z a",
        "--- Requeued ---",
        "2030-01-02T03:04:05Z b",
    ]


def test_an_attempt_is_ready_for_json():
    attempt = AttemptRecord(2, AT, AT + timedelta(seconds=1.5), TaskStatus.FAILED, "no", "Traceback", "instance")

    assert json.loads(json.dumps(attempt.to_dict())) == {
        "number": 2,
        "start_time": "2030-01-02T03:04:05+00:00",
        "end_time": "2030-01-02T03:04:06.500000+00:00",
        "duration": 1.5,
        "outcome": "failed",
        "error": "no",
        "stacktrace": "Traceback",
        "owner": "instance",
    }


def test_an_attempt_that_runs_has_no_end_yet():
    told = AttemptRecord(1, AT, None, None, None, None, None).to_dict()
    assert (told["end_time"], told["duration"], told["outcome"]) == (None, None, None)


def test_a_moment_is_aware():
    assert moment(AT.timestamp()) == AT
    assert moment(0.0) == datetime(1970, 1, 1, tzinfo=UTC)
    assert moment(None) is None
