"""What each move does, and when it has no effect."""

import pytest
from tests.conformance.conformance_kit import (
    ENDINGS,
    FUNC,
    NOW,
    abandon,
    applied,
    cancel,
    confirm_cancel,
    enqueue,
    fail,
    give_up,
    given,
    interrupt,
    requeue,
    retry,
    start,
    succeed,
)

from outlive.core.moves import AskCancel, Log, Release, Settle
from outlive.core.record import moment
from outlive.core.states import Event, TaskStatus
from outlive.errors import IllegalTransitionError

FACTS = {
    "source": "scheduled",
    "timing": "after_route",
    "queue": "mails",
    "priority": -3,
    "executor": "thread",
    "label": "welcome",
    "tags": {"tenant": "ä", "n": "1"},
    "idempotency_key": "welcome:1",
    "arguments": '{"address": "a@b.c"}',
    "summary": "address: str",
    "options": '{"retries": 1}',
}


async def test_nothing_is_applied_to_nothing(backend):
    assert list(await backend.apply([])) == []
    assert await backend.get("t") is None


async def test_an_enqueued_record_has_every_fact(backend):
    await applied(backend, enqueue("t", owner="me", run_at=NOW + 60.25, requeue_on_interrupt=True, **FACTS))

    record = await given(backend, "t")

    assert {name: getattr(record, name) for name in FACTS} == FACTS
    assert (record.func, record.func_name, record.status) == (FUNC, "send", TaskStatus.PENDING)
    assert (record.created_at, record.run_at) == (moment(NOW), moment(NOW + 60.25))
    assert (record.owner, record.fence, record.attempts) == ("me", 0, 0)
    assert (record.recoverable, record.requeue_on_interrupt, record.cancel_requested) == (True, True, False)
    assert (record.start_time, record.end_time, record.error, record.reason) == (None, None, None, None)
    assert (record.logs, record.history) == ((), ())


async def test_facts_that_are_left_out_have_their_defaults(backend):
    await applied(backend, enqueue("t", recoverable=False))

    record = await given(backend, "t")

    assert (record.owner, record.priority, record.queue, record.source) == (None, None, "default", "manual")
    assert (record.tags, record.arguments, record.idempotency_key) == ({}, None, None)
    assert not record.recoverable


async def test_microseconds_are_kept(backend):
    at = NOW + 0.123456
    await applied(backend, enqueue("t", owner="me", created_at=at, run_at=at + 0.1), start("t", at=at + 0.2))

    record = await given(backend, "t")

    assert (record.created_at, record.run_at) == (moment(at), moment(at + 0.1))
    assert record.start_time == moment(at + 0.2)


async def test_text_is_kept_as_given(backend):
    text = "Zürich \U0001f600 'quoted' \"double\" \\ {\n\t} \x01 -- ; %s ?"
    await applied(backend, enqueue("t", arguments=text, label=text, tags={text: text}), Log("t", 1, NOW, "info", text))

    record = await given(backend, "t")

    assert (record.arguments, record.label, record.tags) == (text, text, {text: text})
    assert record.logs[0].message == text


async def test_an_id_is_accepted_once(backend):
    await applied(backend, enqueue("t", label="first"))

    assert list(await backend.apply([enqueue("t", label="second")])) == [False]
    assert list(await backend.apply([enqueue("u"), enqueue("u"), enqueue("v")])) == [True, False, True]
    assert (await given(backend, "t")).label == "first"


async def test_enqueue_and_start_in_one_move(backend):
    await applied(backend, enqueue("t", owner="me", started_at=NOW + 1))

    record = await given(backend, "t")

    assert (record.status, record.fence, record.attempts) == (TaskStatus.RUNNING, 1, 1)
    assert record.start_time == moment(NOW + 1)
    assert [attempt.number for attempt in record.history] == [1]


async def test_start(backend):
    await applied(backend, enqueue("t", owner="me"), start("t"))

    record = await given(backend, "t")

    assert (record.status, record.fence, record.attempts, record.owner) == (TaskStatus.RUNNING, 1, 1, "me")
    attempt = record.history[0]
    assert (attempt.number, attempt.started_at, attempt.ended_at) == (1, moment(NOW + 1), None)
    assert (attempt.outcome, attempt.owner) == (None, "me")


@pytest.mark.parametrize(
    "move",
    [
        pytest.param(start("absent"), id="unknown"),
        pytest.param(start("t", owner="other"), id="not-the-owner"),
        pytest.param(start("free"), id="owned-by-nobody"),
        pytest.param(start("t", fence=1), id="stale-fence"),
        pytest.param(start("running"), id="running"),
        pytest.param(start("running", fence=1), id="running-with-its-fence"),
        pytest.param(start("cancelled"), id="cancelled-first"),
    ],
)
async def test_start_without_effect(backend, move):
    await applied(
        backend,
        enqueue("t", owner="me"),
        enqueue("free"),
        enqueue("running", owner="me", started_at=NOW),
        enqueue("cancelled", owner="me"),
        cancel("cancelled"),
    )
    before = [await given(backend, name) for name in ("t", "free", "running", "cancelled")]

    assert list(await backend.apply([move])) == [False]
    assert [await given(backend, name) for name in ("t", "free", "running", "cancelled")] == before


@pytest.mark.parametrize(
    ("move", "status"),
    [
        pytest.param(succeed("t"), TaskStatus.SUCCESS, id="success"),
        pytest.param(fail("t"), TaskStatus.FAILED, id="failed"),
        pytest.param(interrupt("t"), TaskStatus.INTERRUPTED, id="interrupted"),
        pytest.param(confirm_cancel("t"), TaskStatus.CANCELLED, id="cancelled"),
    ],
)
async def test_settle(backend, move, status):
    await applied(backend, enqueue("t", owner="me"), start("t"), move)

    record = await given(backend, "t")

    assert (record.status, record.end_time, record.owner) == (status, moment(NOW + 2), "me")
    assert (record.error, record.stacktrace, record.reason) == (move.error, move.stacktrace, move.reason)
    assert record.duration == 1.0
    [attempt] = record.history
    assert (attempt.outcome, attempt.ended_at, attempt.error) == (status, moment(NOW + 2), move.error)


@pytest.mark.parametrize("make", [succeed, fail, retry, give_up, interrupt, confirm_cancel])
@pytest.mark.parametrize("fence", [0, 2])
async def test_settle_under_another_fence_has_no_effect(backend, make, fence):
    await applied(backend, enqueue("t", owner="me"), start("t"))
    before = await given(backend, "t")

    assert list(await backend.apply([make("t", fence=fence)])) == [False]
    assert await given(backend, "t") == before


@pytest.mark.parametrize("make", [succeed, retry, give_up])
async def test_settle_needs_a_running_record(backend, make):
    await applied(backend, enqueue("pending", owner="me"), enqueue("done", owner="me", started_at=NOW), fail("done"))

    moves = [make("pending", fence=0), make("done", fence=1), make("absent")]

    assert list(await backend.apply(moves)) == [False, False, False]
    assert (await given(backend, "done")).status is TaskStatus.FAILED


async def test_settle_refuses_what_the_state_table_does_not_have(backend):
    await applied(backend, enqueue("t", owner="me"), start("t"))

    with pytest.raises(IllegalTransitionError):
        await backend.apply([Settle("t", 1, Event.SUCCEED, TaskStatus.FAILED, NOW)])


async def test_retry_waits_with_its_owner_and_counts(backend):
    await applied(backend, enqueue("t", owner="me"), start("t"), AskCancel("t", "enough"), retry("t"))

    record = await given(backend, "t")

    assert (record.status, record.owner, record.attempts, record.fence) == (TaskStatus.PENDING, "me", 1, 1)
    assert (record.run_at, record.start_time, record.end_time) == (moment(NOW + 5), None, None)
    assert (record.error, record.stacktrace) == ("boom", "trace of boom")
    assert record.cancel_requested
    [attempt] = record.history
    assert (attempt.number, attempt.outcome, attempt.error) == (1, TaskStatus.FAILED, "boom")
    assert (attempt.started_at, attempt.ended_at, attempt.owner) == (moment(NOW + 1), moment(NOW + 2), "me")


async def test_retry_without_a_time_is_due_at_once(backend):
    await applied(backend, enqueue("t", owner="me"), start("t"), retry("t", run_at=None))

    assert (await given(backend, "t")).run_at == moment(NOW + 2)


async def test_an_attempt_given_up_is_free_and_does_not_count(backend):
    await applied(backend, enqueue("t", owner="me"), start("t"), give_up("t"))

    record = await given(backend, "t")

    assert (record.status, record.owner, record.attempts, record.fence) == (TaskStatus.PENDING, None, 0, 1)
    assert record.reason == "deploy"
    [attempt] = record.history
    assert (attempt.outcome, attempt.owner) == (TaskStatus.INTERRUPTED, "me")


async def test_history_of_several_attempts(backend):
    await applied(backend, enqueue("t", owner="me"), start("t"), retry("t"), start("t", fence=1, at=NOW + 6))

    record = await given(backend, "t")
    assert (record.error, record.stacktrace, record.attempts) == (None, None, 2)

    await applied(backend, retry("t", fence=2, at=NOW + 7), start("t", fence=2, at=NOW + 8), succeed("t", 3, NOW + 9))

    history = (await given(backend, "t")).history
    assert [attempt.number for attempt in history] == [1, 2, 3]
    assert [attempt.outcome for attempt in history] == [TaskStatus.FAILED, TaskStatus.FAILED, TaskStatus.SUCCESS]
    assert [attempt.started_at for attempt in history] == [moment(NOW + 1), moment(NOW + 6), moment(NOW + 8)]


async def test_release(backend):
    await applied(backend, enqueue("t", owner="me"), Release("t", "me", "no such function here"))

    record = await given(backend, "t")

    assert (record.status, record.owner, record.reason) == (TaskStatus.PENDING, None, "no such function here")


async def test_release_and_abandon_need_the_owner_and_pending(backend):
    await applied(backend, enqueue("t", owner="me"), enqueue("free"), enqueue("running", owner="me", started_at=NOW))

    for move in (Release("t", "other"), Release("free", "me"), Release("running", "me"), Release("absent", "me")):
        assert list(await backend.apply([move])) == [False]
    for other in (abandon("t", "other"), abandon("free"), abandon("running"), abandon("absent")):
        assert list(await backend.apply([other])) == [False]


async def test_abandon(backend):
    await applied(backend, enqueue("t", owner="me"), abandon("t"))

    record = await given(backend, "t")

    assert (record.status, record.end_time) == (TaskStatus.INTERRUPTED, moment(NOW + 2))
    assert (record.reason, record.start_time, record.history) == ("cannot be rebuilt", None, ())


@pytest.mark.parametrize("owner", [None, "me"])
async def test_cancel(backend, owner):
    await applied(backend, enqueue("t", owner=owner), cancel("t"))

    record = await given(backend, "t")

    assert (record.status, record.end_time, record.reason) == (TaskStatus.CANCELLED, moment(NOW + 2), "asked")


async def test_cancel_and_ask_cancel_split_pending_from_running(backend):
    await applied(backend, enqueue("pending", owner="me"), enqueue("running", owner="me", started_at=NOW))

    moves = [AskCancel("pending"), cancel("running"), AskCancel("absent"), cancel("absent")]
    assert list(await backend.apply(moves)) == [False, False, False, False]

    await applied(backend, AskCancel("running"), AskCancel("running"))
    record = await given(backend, "running")
    assert record.cancel_requested
    assert record.status is TaskStatus.RUNNING


@pytest.mark.parametrize("status", ENDINGS)
async def test_requeue(backend, status):
    await applied(backend, enqueue("t", owner="me"), *ENDINGS[status])
    ended = await given(backend, "t")

    await applied(backend, requeue("t"))

    record = await given(backend, "t")
    assert (record.status, record.owner, record.attempts) == (TaskStatus.PENDING, None, 0)
    assert (record.run_at, record.start_time, record.end_time) == (moment(NOW + 9), None, None)
    assert (record.error, record.stacktrace, record.reason) == (None, None, None)
    assert record.fence == ended.fence
    assert record.history == ended.history


async def test_requeue_needs_an_ended_record_that_can_be_rebuilt(backend):
    await applied(
        backend,
        enqueue("pending"),
        enqueue("running", owner="me", started_at=NOW),
        enqueue("lost", owner="me", recoverable=False),
        cancel("lost"),
    )

    moves = [requeue("pending"), requeue("running"), requeue("lost"), requeue("absent")]

    assert list(await backend.apply(moves)) == [False, False, False, False]


async def test_a_cancelled_attempt_asked_again_is_not_asked_to_cancel(backend):
    await applied(backend, enqueue("t", owner="me"), start("t"), AskCancel("t"), confirm_cancel("t"), requeue("t"))

    assert not (await given(backend, "t")).cancel_requested


async def test_logs_are_kept_in_order(backend):
    await applied(backend, enqueue("t", owner="me"))

    lines = [Log("t", 1 + place // 2, NOW + place, "info", f"line {place}") for place in range(4)]
    assert list(await backend.apply([*lines, Log("absent", 1, NOW, "info", "x")])) == [True] * 4 + [False]

    logs = (await given(backend, "t")).logs
    assert [(line.attempt, line.at, line.message) for line in logs] == [
        (1 + place // 2, moment(NOW + place), f"line {place}") for place in range(4)
    ]


async def test_a_log_survives_the_end(backend):
    await applied(backend, enqueue("t", owner="me"), Log("t", 1, NOW, "info", "early"), start("t"), succeed("t"))
    await applied(backend, Log("t", 1, NOW + 3, "warning", "late"))

    logs = (await given(backend, "t")).logs
    assert [(line.level, line.message) for line in logs] == [("info", "early"), ("warning", "late")]
