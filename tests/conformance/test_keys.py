"""An idempotency key is held while its record waits, runs or has succeeded."""

import pytest
from tests.conformance.conformance_kit import (
    ENDINGS,
    abandon,
    applied,
    cancel,
    enqueue,
    fail,
    given,
    requeue,
    retry,
    start,
    succeed,
)

from outlive.core.filter import EVERYTHING, Page
from outlive.core.states import TaskStatus


@pytest.mark.parametrize(
    "moves",
    [
        pytest.param((), id="pending"),
        pytest.param((start("t"),), id="running"),
        pytest.param((start("t"), retry("t")), id="waits-for-retry"),
        pytest.param((start("t"), succeed("t")), id="success"),
        pytest.param((start("t"), fail("t"), requeue("t")), id="requeued"),
    ],
)
async def test_held(backend, moves):
    await applied(backend, enqueue("t", owner="me", idempotency_key="k"), *moves)

    assert list(await backend.apply([enqueue("u", idempotency_key="k")])) == [False]
    assert list(await backend.apply([enqueue("v", idempotency_key="other")])) == [True]
    assert await given(backend, "u") == await given(backend, "t")


@pytest.mark.parametrize(
    "moves",
    [
        pytest.param(ENDINGS[TaskStatus.FAILED], id="failed"),
        pytest.param(ENDINGS[TaskStatus.INTERRUPTED], id="interrupted"),
        pytest.param((cancel("t"),), id="cancelled"),
        pytest.param((abandon("t"),), id="abandoned"),
    ],
)
async def test_free_again(backend, moves):
    await applied(backend, enqueue("t", owner="me", idempotency_key="k"), *moves)

    await applied(backend, enqueue("u", owner="me", idempotency_key="k"))
    assert list(await backend.apply([requeue("t")])) == [False]
    before = await given(backend, "t")

    await applied(backend, cancel("u"), requeue("t"))
    assert (await given(backend, "t")).history == before.history
    assert list(await backend.apply([requeue("u")])) == [False]


async def test_one_key_in_one_batch(backend):
    moves = [enqueue(name, idempotency_key=key) for name, key in zip("abcde", "kkllm", strict=True)]

    assert list(await backend.apply(moves)) == [True, False, True, False, True]


async def test_a_key_freed_and_taken_in_one_batch(backend):
    await applied(backend, enqueue("t", owner="me", idempotency_key="k"))

    assert list(await backend.apply([cancel("t"), enqueue("u", idempotency_key="k"), requeue("t")])) == [
        True,
        True,
        False,
    ]


async def test_a_key_taken_back_before_another_asks(backend):
    await applied(backend, enqueue("t", idempotency_key="k"), cancel("t"))

    assert list(await backend.apply([requeue("t"), enqueue("u", idempotency_key="k")])) == [True, False]


async def test_two_that_ask_for_their_key_back(backend):
    await applied(backend, enqueue("t", idempotency_key="k"), cancel("t"))
    await applied(backend, enqueue("u", owner="me", idempotency_key="k"), start("u"), fail("u"))

    assert list(await backend.apply([requeue("u"), requeue("t")])) == [True, False]
    assert len((await given(backend, "u")).history) == 1


async def test_a_pruned_record_holds_nothing(backend):
    await applied(backend, enqueue("t", owner="me", idempotency_key="k"), start("t"), succeed("t"))
    assert await backend.prune([TaskStatus.SUCCESS], 1e12, 10) == 1

    await applied(backend, enqueue("u", idempotency_key="k"))


async def test_an_id_that_came_too_late_stands_for_the_record_whatever_becomes_of_it(backend):
    await applied(backend, enqueue("t", owner="me", idempotency_key="k"))
    assert (
        list(await backend.apply([enqueue("u", idempotency_key="k"), enqueue("v", idempotency_key="k")])) == [False] * 2
    )

    await applied(backend, start("t"), fail("t"))
    await applied(backend, enqueue("w", idempotency_key="k"))

    assert {(await given(backend, one)).id for one in "tuv"} == {"t"}
    assert (await given(backend, "w")).id == "w"
    assert [record.id for record in await backend.find(EVERYTHING, Page())] == ["w", "t"]


async def test_an_id_that_exists_already_stands_for_nothing_else(backend):
    await applied(backend, enqueue("t", idempotency_key="k"), enqueue("u", idempotency_key="l"))

    assert list(await backend.apply([enqueue("u", idempotency_key="k")])) == [False]
    assert (await given(backend, "u")).id == "u"


async def test_an_id_that_stands_for_a_record_goes_with_it(backend):
    await applied(backend, enqueue("t", idempotency_key="k"))
    assert list(await backend.apply([enqueue("u", idempotency_key="k")])) == [False]
    await applied(backend, cancel("t"))
    assert await backend.prune([TaskStatus.CANCELLED], 1e12, 10) == 1

    assert await backend.get("u") is None
