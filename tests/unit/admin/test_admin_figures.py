"""What is made of records: figures, groups, tracebacks, reasons, arguments. All pure."""

import traceback
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from pydantic import SecretStr

from outlive.admin import arguments, stats, tracebacks, waiting, words
from outlive.admin.failures import fingerprint, grouped, kind_of
from outlive.admin.pages.functions import histogram
from outlive.admin.pages.route import again
from outlive.admin.pages.schedules import change_of_clocks
from outlive.admin.pages.task import draw
from outlive.core.cipher import SEALED
from outlive.core.config import UNSET
from outlive.core.queues import QueueConfig
from outlive.core.record import AttemptRecord, LogLine, TaskRecord
from outlive.core.states import TaskStatus
from outlive.definitions.definition import Definition
from outlive.runtime.queue_control import QueueInfo

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
SECOND = timedelta(seconds=1)


def ended(number: int, ran: float = 1.0, *, func: str = "m:f", status=TaskStatus.SUCCESS, error=None) -> TaskRecord:
    end = NOW - number * SECOND
    start = end - ran * SECOND
    return TaskRecord(
        id=f"{1000 - number}",
        func=func,
        func_name=func.partition(":")[2],
        status=status,
        created_at=start - SECOND,
        run_at=start - SECOND / 2,
        start_time=start,
        end_time=end,
        attempts=1,
        error=error,
        stacktrace=trace_of(error) if error else None,
    )


def trace_of(message: str, kind: type[Exception] = ValueError) -> str:
    def fail() -> None:
        raise kind(message)

    try:
        fail()
    except kind as error:
        return "".join(traceback.format_exception(error))
    raise AssertionError


# -- figures -----------------------------------------------------------------------------------------


def test_percentiles_are_values_that_occurred():
    spread = stats.spread(float(value) for value in range(1, 101))

    assert (spread.least, spread.p50, spread.p95, spread.p99, spread.most) == (1.0, 51.0, 95.0, 99.0, 100.0)
    assert spread.mean == 50.5


def test_nothing_has_no_percentiles():
    assert stats.spread([]) == stats.Spread(0)
    assert list(stats.course([], NOW)) == []


def test_waiting_counts_from_when_it_was_due():
    record = ended(0)
    assert stats.wait_of(record) == 0.5
    assert stats.wait_of(replace(record, start_time=None)) is None
    assert stats.wait_of(replace(record, run_at=NOW + SECOND)) == 1.0  # due again: counted from acceptance


def test_a_course_has_every_end_in_one_step():
    records = [
        ended(number, status=TaskStatus.FAILED if number % 10 == 0 else TaskStatus.SUCCESS) for number in range(50)
    ]
    steps = list(stats.course(records, NOW))

    assert len(steps) == stats.STEPS
    assert sum(step.success for step in steps) == 45
    assert sum(step.failed for step in steps) == 5
    assert [step.at for step in steps] == sorted(step.at for step in steps)


def test_figures_for_each_function():
    records = [ended(1), ended(2, func="m:g", status=TaskStatus.FAILED), ended(3, func="m:g"), ended(4, ran=3.0)]
    f, g = stats.by_function(records)

    assert (f.func, f.runs, f.failure_rate, f.run.most, f.newest.id) == ("m:f", 2, 0.0, 3.0, "999")
    assert (g.func, g.runs, g.failure_rate, g.newest.status) == ("m:g", 2, 0.5, TaskStatus.FAILED)


def test_a_histogram_doubles_from_bucket_to_bucket():
    buckets = histogram([ended(1, ran=0.0005), ended(2, ran=0.003), ended(3, ran=0.0039), ended(4, ran=1e6)])

    assert [bucket.count for bucket in buckets][:3] == [1, 0, 2]
    assert [bucket.up_to for bucket in buckets][:3] == [0.001, 0.002, 0.004]
    assert sum(bucket.count for bucket in buckets) == 4


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, words.NONE),
        (0.0, "0 s"),
        (0.0032, "3.2 ms"),
        (1.25, "1.25 s"),
        (59.96, "60 s"),
        (184, "3 min 4 s"),
        (7200, "2 h"),
        (190_800, "2 d 5 h"),
    ],
)
def test_seconds_in_words(value, text):
    assert words.seconds(value) == text


# -- groups of failures ------------------------------------------------------------------------------


def test_the_same_failure_with_other_values_is_the_same():
    one, other = (
        ended(1, error="order 17 of 'ann' at 0x7f was lost"),
        ended(2, error="order 4 of 'bea' at 0x99 was lost"),
    )
    assert fingerprint(one) == fingerprint(other) is not None


@pytest.mark.parametrize(
    "change",
    [
        {"func": "m:g"},
        {"error": "order 17 was found"},
        {"stacktrace": trace_of("order 17 was lost", KeyError)},
        {"stacktrace": None},
    ],
)
def test_another_failure_is_another(change):
    record = ended(1, error="order 17 was lost")
    assert fingerprint(replace(record, **change)) != fingerprint(record)


async def test_a_record_without_error_is_in_no_group():
    assert fingerprint(ended(1)) is None
    assert await grouped([ended(1)]) == []


async def test_groups_say_how_many_since_when_and_what_was_newest():
    records = [ended(1, error="b 2"), ended(2, error="a"), ended(3, error="b 1"), ended(9, error="b 0")]
    first, second = await grouped(records)

    assert (first.error, first.count, first.kind, first.newest.id) == ("b 2", 3, "ValueError", "999")
    assert (first.first, first.last) == (NOW - 9 * SECOND, NOW - SECOND)
    assert (second.error, second.count) == ("a", 1)


def test_the_kind_is_the_last_exception_of_a_chain():
    text = (
        trace_of("first")
        + "\nThe above exception was the direct cause of the following exception:\n\n"
        + trace_of("x: y", KeyError)
    )
    assert kind_of(replace(ended(1), stacktrace=text)) == "KeyError"
    assert kind_of(replace(ended(1), stacktrace="my.own.Error: oh")) == "Error"
    assert kind_of(replace(ended(1), stacktrace=None)) == "Error"


# -- tracebacks --------------------------------------------------------------------------------------


def test_a_traceback_in_parts_loses_nothing_but_its_opening():
    text = trace_of("two\nlines")
    found = tracebacks.parts(text)

    assert [part.name for part in found if part.file] == ["trace_of", "fail"]
    assert found[0].is_own
    assert found[0].file == __file__
    assert "raise kind(message)" in found[1].text
    assert found[-1].text == "ValueError: two\nlines"


def test_frames_of_libraries_are_not_ones_own():
    text = '  File "/usr/lib/python3.11/asyncio/tasks.py", line 5, in wait_for\n    return await fut\nTimeoutError'
    (frame, told) = tracebacks.parts(text)

    assert (frame.is_own, frame.line, frame.text) == (False, 5, "return await fut")
    assert told.text == "TimeoutError"


@pytest.mark.parametrize(
    ("file", "told"),
    [
        ("/srv/app/shop/mail.py", "shop/mail.py"),
        ("/srv/other.py", "other.py"),
        ("/srvx/other.py", "/srvx/other.py"),
        ("C:\\app\\mail.py", "mail.py"),
    ],
)
def test_files_are_told_from_where_modules_are_found(file, told):
    text = f'  File "{file}", line 5, in send\n    raise'
    assert tracebacks.parts(text, ["", "/srv", "/srv/app/", "C:\\app"])[0].file == told


def test_what_is_no_traceback_is_one_part():
    assert [part.text for part in tracebacks.parts("worker died\nexit code 9")] == ["worker died\nexit code 9"]
    assert list(tracebacks.parts("")) == []


# -- why it is not running ---------------------------------------------------------------------------

WAITING = TaskRecord(
    id="1",
    func="m:f",
    func_name="f",
    status=TaskStatus.PENDING,
    created_at=NOW - SECOND,
    run_at=NOW - SECOND,
    owner="me",
)
QUEUE = QueueInfo("mail", QueueConfig(), is_overridden=False, paused=False, pending=2, running=0, oldest_at=1.0)
AROUND = waiting.Surroundings(
    NOW, {"m:f"}, {"async": waiting.LaneState("async", 3, 4, 0)}, here="me", alive={"me", "other"}
)


@pytest.mark.parametrize(
    ("change", "around", "told"),
    [
        ({}, {}, "due and free"),
        ({"run_at": NOW + 90 * SECOND}, {}, "accepted for a later time, in 1min"),
        ({"run_at": NOW + 5 * SECOND, "attempts": 2}, {}, "between two attempts: attempt 3 is due in 5s"),
        ({"func": "m:gone"}, {}, "declares no task 'm:gone'"),
        ({"owner": "other"}, {}, "Instance other has taken it"),
        ({"owner": "dead"}, {}, "Instance dead, which has taken it, gives no sign of life"),
        ({"owner": None}, {"alive": set()}, "nobody can take it"),
        ({"owner": None}, {"draining": {"me", "other"}}, "Every instance was asked to take no new work"),
        ({"owner": None}, {"draining": {"other"}}, "due and free"),
        ({"owner": None}, {"queue": replace(QUEUE, paused=True)}, "Its queue 'mail' is paused"),
        ({}, {"queue": replace(QUEUE, paused=True)}, "Its queue 'mail' is paused"),
        (
            {"owner": None},
            {"queue": replace(QUEUE, running=3, config=QueueConfig(global_concurrency=3))},
            "runs 3 at once in all instances",
        ),
        ({}, {"lanes": {"async": waiting.LaneState("async", 4, 4, 1200)}}, "1,200 tasks wait for one"),
        ({"cancel_requested": True}, {}, "asked to cancel"),
        ({"reason": "its queue is full"}, {}, "Its queue is full."),
    ],
)
def test_why_a_task_waits(change, around, told):
    reasons = waiting.reasons(replace(WAITING, **change), replace(AROUND, **around))
    assert any(told in reason for reason in reasons), reasons


def test_what_does_not_wait_has_no_reasons():
    assert waiting.reasons(replace(WAITING, status=TaskStatus.RUNNING), AROUND) == []


# -- arguments ---------------------------------------------------------------------------------------


def sign_in(user: str, code: SecretStr, *, maybe: SecretStr | None = None, options: dict | None = None) -> None: ...


STORED = replace(
    WAITING,
    arguments='{"user":"ann","code":"1234","maybe":"5678","password":"sesame","options":{"api_key":"k","tags":["a"]}}',
)
SIGN_IN = Definition(sign_in, UNSET, UNSET, declared=True)


def test_arguments_are_hidden_by_type_and_by_name_at_any_depth():
    text = arguments.redacted(STORED, SIGN_IN)

    assert text is not None
    for secret in ("1234", "5678", "sesame", '"k"'):
        assert secret not in text
    assert '"ann"' in text
    assert '["a"]' in text
    assert arguments.has_secrets(STORED, SIGN_IN)


def test_without_values_only_kinds_are_told():
    shown = arguments.shown(STORED, SIGN_IN, values=False)

    assert [(one.name, one.kind, one.value) for one in shown.values][:2] == [
        ("user", "str", None),
        ("code", "str", None),
    ]
    assert "display_func_args" in shown.note


def test_what_was_not_stored_tells_its_types():
    record = replace(WAITING, arguments=None, summary="(str, x=int)")

    assert "(str, x=int)" in arguments.shown(record, None, values=True).nothing
    assert arguments.redacted(record, None) == "(str, x=int)"
    assert arguments.shown(replace(STORED, arguments="gAAAA"), None, values=True).values == ()


def test_what_hides_nothing_stays_as_it_was_stored():
    record = replace(WAITING, arguments='{"user": "ann",  "n":1e3}')

    assert arguments.redacted(record, None) == record.arguments
    assert not arguments.has_secrets(record, None)


def test_results_are_shown_like_arguments():
    record = replace(WAITING, result='{"token":"abc","sent":2}')
    shown = arguments.result(record, values=True)
    assert shown is not None
    assert "abc" not in str(shown.values[0].value)
    assert '"sent": 2' in str(shown.values[0].value)
    hidden = arguments.result(record, values=False)
    assert hidden is not None
    assert (list(hidden.values), "display_func_args" in hidden.nothing) == ([], True)
    assert arguments.result(WAITING, values=True) is None
    assert arguments.result(replace(record, result=f"{SEALED}gAAA"), values=True) == arguments.Arguments(
        nothing="It is encrypted."
    )


# -- attempts on a line of time ----------------------------------------------------------------------


def test_attempts_are_drawn_in_their_order_and_have_their_own_logs():
    attempts = [
        AttemptRecord(1, NOW + 2 * SECOND, NOW + 4 * SECOND, TaskStatus.FAILED, "a", None, "me"),
        AttemptRecord(2, NOW + 6 * SECOND, NOW + 10 * SECOND, TaskStatus.SUCCESS, None, None, "me"),
    ]
    logs = [LogLine(1, NOW + 3 * SECOND, "info", "one"), LogLine(1, NOW + 7 * SECOND, "info", "two")]
    record = replace(ended(0), created_at=NOW, end_time=NOW + 10 * SECOND, history=attempts, logs=logs)
    first, second = draw(record, NOW + 60 * SECOND)

    assert (first.waited, first.ran, second.waited, second.ran) == (2.0, 2.0, 2.0, 4.0)
    assert (first.x, first.width, second.x, second.width) == (200.0, 200.0, 600.0, 400.0)
    assert [line.message for line in first.logs] == ["one"]
    assert [line.message for line in second.logs] == ["two"]


def test_a_short_attempt_is_still_seen():
    attempts = [AttemptRecord(1, NOW, NOW + SECOND / 1000, TaskStatus.SUCCESS, None, None, None)]
    (lane,) = draw(replace(ended(0), created_at=NOW - 3600 * SECOND, end_time=NOW, history=attempts), NOW)
    assert lane.width == 4.0
    assert lane.x + lane.width <= 1000.0


# -- schedules ---------------------------------------------------------------------------------------


def test_changes_of_clocks_are_told():
    berlin = ZoneInfo("Europe/Berlin")
    october, november, march, april = (
        datetime(2026, month, day, 9, tzinfo=berlin) for month, day in ((10, 24), (10, 26), (3, 28), (3, 30))
    )
    assert change_of_clocks(october, november) == "clocks go back before it"
    assert change_of_clocks(march, april) == "clocks go forward before it"
    assert change_of_clocks(april, october) == ""


@pytest.mark.parametrize(
    ("change", "alive", "runs_here", "told"),
    [
        ({}, {"me"}, True, None),
        ({"paused": True, "pending": 0}, {"me"}, True, None),
        ({"paused": True}, {"me"}, True, "2 tasks wait, and none starts until it is resumed."),
        ({"paused": True, "pending": 1}, set(), True, "1 task waits, and no instance gives a sign of life."),
        ({}, {"me"}, False, "no instance runs this queue"),
        ({}, {"me", "other"}, False, None),
        ({"pending": 0}, {"me"}, False, None),
    ],
)
def test_why_nothing_of_a_queue_starts(change, alive, runs_here, told):
    warning = waiting.queue_warning(replace(QUEUE, **change), waiting.Queueing("me", alive, (), runs_here))
    assert warning is None if told is None else told in str(warning)


@pytest.mark.parametrize(("spent", "rest"), [(0.2, 2000), (8, 2000), (20, 3000), (90, 10_000)])
def test_a_page_may_be_asked_for_again_when_that_costs_little_and_soon_enough_to_be_live(spent, rest):
    assert again(spent) == rest


def test_a_queue_in_which_tasks_wait_says_that_every_instance_is_draining():
    warning = waiting.queue_warning(QUEUE, waiting.Queueing("me", {"me", "other"}, {"me", "other", "dead"}, True))
    assert warning == "2 tasks wait, and every instance was asked to take no new work."
