import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from outlive.core.retry import LONGEST_WAIT, RetryPolicy

seconds = st.floats(0, 1e9)
chances = st.floats(0, 1)
policies = st.builds(
    RetryPolicy,
    delay=seconds,
    backoff=st.floats(0, 1e6),
    max_delay=st.none() | seconds,
    jitter=st.floats(0, 1),
)


def waits(policy, count, chance=0.5):
    return [policy.wait(attempt, chance) for attempt in range(1, count + 1)]


def test_without_backoff_every_wait_is_the_delay():
    assert waits(RetryPolicy(delay=1.5), 4) == [1.5, 1.5, 1.5, 1.5]


def test_backoff_multiplies_the_wait_before_each_further_retry():
    assert waits(RetryPolicy(delay=1.0, backoff=2.0), 4) == [1.0, 2.0, 4.0, 8.0]


def test_max_delay_is_the_longest_wait():
    assert waits(RetryPolicy(delay=1.0, backoff=2.0, max_delay=3.0), 4) == [1.0, 2.0, 3.0, 3.0]


def test_without_delay_nothing_waits_however_often_it_fails():
    assert waits(RetryPolicy(backoff=2.0), 3) == [0.0, 0.0, 0.0]
    assert RetryPolicy(backoff=2.0).wait(5_000, 0.5) == 0.0


def test_a_backoff_that_outgrows_every_number_waits_a_year_at_most():
    assert RetryPolicy(delay=1.0, backoff=10.0).wait(5_000, 0.5) == LONGEST_WAIT
    assert RetryPolicy(delay=1.0, backoff=10.0, max_delay=60.0).wait(5_000, 0.5) == 60.0


def test_jitter_spreads_by_its_share_of_the_delay():
    policy = RetryPolicy(delay=10.0, jitter=0.2)

    assert policy.wait(1, 0.0) == pytest.approx(8.0)
    assert policy.wait(1, 0.5) == pytest.approx(10.0)
    assert policy.wait(1, 1.0) == pytest.approx(12.0)


def test_at_the_longest_wait_jitter_still_spreads_and_adds_nothing():
    policy = RetryPolicy(delay=100.0, max_delay=6.0, jitter=0.5)
    assert [policy.wait(1, chance) for chance in (0.0, 0.5, 1.0)] == pytest.approx([2.0, 4.0, 6.0])


@settings(deadline=None)
@given(policies, st.integers(1, 10_000), chances)
def test_a_wait_is_a_time_within_the_limits(policy, attempts, chance):
    wait = policy.wait(attempts, chance)

    assert math.isfinite(wait)
    assert 0 <= wait <= LONGEST_WAIT
    assert policy.max_delay is None or wait <= policy.max_delay


@settings(deadline=None)
@given(
    delay=st.floats(0, 100), backoff=st.floats(0, 2), jitter=st.floats(0, 1), attempts=st.integers(1, 10), at=chances
)
def test_jitter_keeps_within_its_share_of_a_wait_that_no_limit_touches(delay, backoff, jitter, attempts, at):
    exact = delay * backoff ** (attempts - 1)

    wait = RetryPolicy(delay=delay, backoff=backoff, jitter=jitter).wait(attempts, at)

    assert exact * (1 - jitter) <= wait * 1.000001
    assert wait <= exact * (1 + jitter) * 1.000001


def test_retries_are_counted_after_the_first_attempt():
    policy = RetryPolicy(retries=2)
    assert [policy.allows(attempts, ValueError()) for attempts in (1, 2, 3)] == [True, True, False]


def test_without_retries_nothing_is_retried():
    assert not RetryPolicy().allows(1, ValueError())


def test_every_exception_is_retried_but_not_what_ends_a_process():
    policy = RetryPolicy(retries=1)
    assert policy.allows(1, KeyError())
    assert not policy.allows(1, SystemExit())


@pytest.mark.parametrize(
    "retry_on",
    [OSError, (OSError, KeyError), lambda error: isinstance(error, OSError), lambda error: error.args],
    ids=["type", "tuple", "function", "function that gives any value"],
)
def test_retry_on_says_which_exceptions_are_retried(retry_on):
    policy = RetryPolicy(retries=1, retry_on=retry_on)
    assert policy.allows(1, ConnectionError("reset")) is True
    assert policy.allows(1, ValueError()) is False


def test_an_empty_tuple_retries_nothing():
    assert not RetryPolicy(retries=1, retry_on=()).allows(1, ValueError())
