"""Several moves in one transaction mean what they mean one after another."""

import pytest
from tests.conformance.conformance_kit import NOW, applied, cancel, enqueue, fail, given, requeue, retry, start, succeed

from outlive.core.moves import AskCancel, Log
from outlive.core.states import TaskStatus


@pytest.mark.parametrize("count", [2, 16, 64, 100, 300])
async def test_a_batch_of_any_size(backend, count):
    names = [f"t{number:03}" for number in range(count)]

    assert all(await backend.apply([enqueue(name, owner="me") for name in names]))
    assert all(await backend.apply([start(name) for name in names]))
    assert all(await backend.apply([succeed(name) for name in names]))

    assert dict(await backend.counts()) == {TaskStatus.SUCCESS: count}


async def test_a_whole_life_in_one_batch(backend):
    moves = [enqueue("t", owner="me"), start("t"), Log("t", 1, NOW, "info", "here"), succeed("t"), requeue("t")]

    assert list(await backend.apply(moves)) == [True] * 5

    record = await given(backend, "t")
    assert record.status is TaskStatus.PENDING
    assert [attempt.outcome for attempt in record.history] == [TaskStatus.SUCCESS]
    assert [line.message for line in record.logs] == ["here"]


async def test_each_move_has_its_own_answer(backend):
    names = [f"t{number:02}" for number in range(40)]
    await applied(backend, *(enqueue(name, owner="me") for name in names[::2]))

    answers = list(await backend.apply([start(name) for name in names]))

    assert answers == [place % 2 == 0 for place in range(40)]


async def test_a_retry_that_comes_too_late_among_others(backend):
    await applied(backend, *(enqueue(name, owner="me", started_at=NOW) for name in "abc"), fail("b"))

    assert list(await backend.apply([retry("a"), retry("b"), retry("c")])) == [True, False, True]

    assert [len((await given(backend, name)).history) for name in "abc"] == [1, 1, 1]
    assert (await given(backend, "b")).status is TaskStatus.FAILED


async def test_order_within_one_record_counts(backend):
    moves = [start("t"), enqueue("t", owner="me"), start("t"), start("t"), AskCancel("t"), retry("t"), start("t", 1)]

    assert list(await backend.apply(moves)) == [False, True, True, False, True, True, True]
    assert (await given(backend, "t")).fence == 2


async def test_a_log_before_its_record_has_no_effect(backend):
    assert list(await backend.apply([Log("t", 1, NOW, "info", "x"), enqueue("t")])) == [False, True]


async def test_a_start_after_a_cancel_has_no_effect(backend):
    assert list(await backend.apply([enqueue("t", owner="me"), cancel("t"), start("t")])) == [True, True, False]
