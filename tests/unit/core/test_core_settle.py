from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from outlive.core.record import AttemptRecord, TaskRecord
from outlive.core.retry import RetryPolicy
from outlive.core.settle import (
    INSTANCE_DIED,
    WORKER_DIED,
    Attempt,
    Cancelled,
    Failed,
    Interrupted,
    Succeeded,
    dead_instances_in_a_row,
    deaths_in_a_row,
    not_repeated,
    settle,
)
from outlive.core.states import Event, TaskStatus, may

NOW = 1_000.0


def attempt(attempts=1, *, requeue_on_interrupt=False, **policy):
    return Attempt("id", 7, attempts, RetryPolicy(**policy), requeue_on_interrupt)


def failed(error=None):
    return Failed(error or ValueError("no"), "no", "Traceback: no")


def test_a_body_that_returned_ends_the_record_as_success():
    move = settle(attempt(), Succeeded(5), NOW, 0.5)

    assert (move.event, move.status, move.at) == (Event.SUCCEED, TaskStatus.SUCCESS, NOW)
    assert (move.run_at, move.error, move.stacktrace, move.reason) == (None, None, None, None)


def test_a_body_that_raised_ends_the_record_as_failed_with_its_error():
    move = settle(attempt(), failed(), NOW, 0.5)

    assert (move.event, move.status, move.run_at) == (Event.FAIL, TaskStatus.FAILED, None)
    assert (move.error, move.stacktrace) == ("no", "Traceback: no")


def test_a_failure_that_is_retried_waits_and_keeps_its_error():
    move = settle(attempt(delay=2.0, retries=1), failed(), NOW, 0.5)

    assert (move.event, move.status, move.run_at) == (Event.RETRY, TaskStatus.PENDING, NOW + 2.0)
    assert (move.error, move.stacktrace) == ("no", "Traceback: no")


def test_three_retries_are_four_attempts():
    moves = [settle(attempt(n, retries=3, delay=1.0, backoff=2.0), failed(), NOW, 0.5) for n in (1, 2, 3, 4)]

    assert [move.status for move in moves] == ["pending", "pending", "pending", "failed"]
    assert [move.run_at for move in moves] == [NOW + 1, NOW + 2, NOW + 4, None]


def test_chance_decides_the_jitter():
    runs = [settle(attempt(retries=1, delay=10.0, jitter=0.5), failed(), NOW, chance).run_at for chance in (0.0, 1.0)]
    assert runs == [NOW + 5, NOW + 15]


def test_what_retry_on_does_not_name_fails_at_once():
    move = settle(attempt(retries=3, retry_on=OSError), failed(ValueError()), NOW, 0.5)
    assert move.status is TaskStatus.FAILED


def test_a_retry_on_that_raises_fails_the_record_and_says_so():
    def broken(error):
        raise LookupError("no such \ud800 code")

    move = settle(attempt(retries=3, retry_on=broken), failed(), NOW, 0.5)

    assert (move.event, move.status) == (Event.FAIL, TaskStatus.FAILED)
    assert move.error == "no"
    assert move.reason == "not retried, because retry_on raised LookupError: no such ? code"


def test_three_dead_workers_in_a_row_end_the_record_whatever_retries_are_left():
    dying = attempt(2, retries=9)
    moves = []
    for dying.deaths in (1, 2, 3):
        moves.append(settle(dying, failed(), NOW, 0.5))

    assert [move.status for move in moves] == ["pending", "pending", "failed"]
    assert moves[-1].reason == "not retried, because 3 worker processes in a row have died of it"


def test_a_cancelled_body_ends_the_record_as_cancelled_with_the_reason():
    move = settle(attempt(retries=3), Cancelled("not needed"), NOW, 0.5)
    assert (move.event, move.status, move.reason) == (Event.CANCEL, TaskStatus.CANCELLED, "not needed")


def test_an_interrupted_run_waits_for_a_person():
    move = settle(attempt(retries=3), Interrupted("deploy"), NOW, 0.5)

    assert (move.event, move.status, move.reason) == (Event.INTERRUPT, TaskStatus.INTERRUPTED, "deploy")
    assert move.run_at is None


def test_an_interrupted_run_that_is_safe_to_repeat_is_due_again_at_once():
    move = settle(attempt(requeue_on_interrupt=True), Interrupted("deploy"), NOW, 0.5)

    assert (move.event, move.status, move.reason) == (Event.INTERRUPT, TaskStatus.PENDING, "deploy")
    assert move.run_at == NOW


outcomes = st.one_of(
    st.just(Succeeded()),
    st.sampled_from([failed(), failed(KeyError()), failed(SystemExit())]),
    st.just(Interrupted("deploy")),
    st.just(Cancelled("not needed")),
)
attempts = st.builds(
    Attempt,
    id=st.text(),
    fence=st.integers(1),
    attempts=st.integers(1, 100),
    retry=st.builds(RetryPolicy, retries=st.integers(0, 100), delay=st.floats(0, 1e6), jitter=st.floats(0, 1)),
    requeue_on_interrupt=st.booleans(),
)


@settings(deadline=None)
@given(attempts, outcomes, st.floats(0, 1))
def test_every_decision_is_a_move_of_the_table_for_the_attempt_that_ended(attempt, outcome, chance):
    move = settle(attempt, outcome, NOW, chance)

    assert may(move.event, TaskStatus.RUNNING, move.status)
    assert (move.id, move.fence, move.at) == (attempt.id, attempt.fence, NOW)
    if move.status is TaskStatus.PENDING:
        assert move.run_at is not None
        assert move.run_at >= NOW
    else:
        assert move.run_at is None


@pytest.mark.parametrize("retries", [0, 1, 5])
def test_a_failing_task_is_attempted_once_and_once_for_each_retry(retries):
    attempts, status = 0, TaskStatus.PENDING
    while status is TaskStatus.PENDING:
        attempts += 1
        status = settle(attempt(attempts, retries=retries), failed(), NOW, 0.5).status

    assert attempts == retries + 1
    assert status is TaskStatus.FAILED


@pytest.mark.parametrize(
    ("ends", "attempts", "deaths"),
    [
        pytest.param("", 0, 0, id="new"),
        pytest.param("dd", 2, 2, id="two deaths"),
        pytest.param("fdd", 3, 2, id="after a failure"),
        pytest.param("ddf", 3, 0, id="before a failure"),
        pytest.param("didi", 2, 2, id="with deploys between"),
        pytest.param("ddd", 0, 0, id="requeued by a person"),
        pytest.param("dddsd", 1, 1, id="since it was requeued"),
        pytest.param("d", 2, 1, id="with a history cut short"),
    ],
)
def test_deaths_of_workers_are_counted_in_the_attempts(ends, attempts, deaths):
    now = datetime.now(UTC)
    outcomes = {
        "d": (TaskStatus.FAILED, f"{WORKER_DIED}was killed by SIGKILL"),
        "f": (TaskStatus.FAILED, "no"),
        "i": (TaskStatus.INTERRUPTED, None),
        "s": (TaskStatus.SUCCESS, None),
    }
    history = [AttemptRecord(n, now, now, *outcomes[end], None, "me") for n, end in enumerate(ends, 1)]
    record = TaskRecord("id", "f", "f", TaskStatus.PENDING, now, now, attempts=attempts, history=history)

    assert deaths_in_a_row(record) == deaths


@pytest.mark.parametrize(
    ("ends", "deaths"),
    [
        pytest.param("", 0, id="new"),
        pytest.param("ddd", 3, id="three deaths"),
        pytest.param("fdd", 2, id="after a failure"),
        pytest.param("ddf", 0, id="before a failure"),
        pytest.param("didi", 2, id="with deploys between"),
        pytest.param("dddn", 0, id="not repeated"),
        pytest.param("dddnd", 1, id="since a person asked"),
    ],
)
def test_deaths_of_instances_are_counted_in_the_attempts(ends, deaths):
    now = datetime.now(UTC)
    record = TaskRecord("id", "f", "f", TaskStatus.PENDING, now, now)
    outcomes = {
        "d": (TaskStatus.INTERRUPTED, f"{INSTANCE_DIED}x died"),
        "f": (TaskStatus.FAILED, "no"),
        "i": (TaskStatus.INTERRUPTED, None),
        "n": (TaskStatus.INTERRUPTED, not_repeated(record, "me", 3, NOW)[1].error),
    }
    history = [AttemptRecord(n, now, now, *outcomes[end], None, "me") for n, end in enumerate(ends, 1)]

    assert dead_instances_in_a_row(replace(record, history=history)) == deaths
