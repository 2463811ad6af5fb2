"""A run key is held by one record until it starts; whoever comes next takes its place."""

import asyncio

import pytest
from tests.conformance.conformance_kit import FUNC, NOW, abandon, applied, cancel, enqueue, given, requeue, retry, start

from outlive.core.moves import Withdraw
from outlive.core.states import TaskStatus
from outlive.ports import Wanted


def planned(task_id, run_key="k", **facts):
    return enqueue(task_id, run_key=run_key, run_at=facts.pop("run_at", NOW + 60), **facts)


def withdraw(run_key="k", asking="x"):
    return Withdraw(asking, run_key, NOW + 2, "replaced")


async def ids(backend, before=NOW + 1e6, limit=100):
    return [record.id for record in await backend.planned(before, limit)]


async def test_a_key_is_held_once(backend):
    assert list(await backend.apply([planned("t"), planned("u"), planned("v", "other"), enqueue("w")])) == [
        True,
        False,
        True,
        True,
    ]
    assert (await given(backend, "t")).run_key == "k"
    assert await backend.get("u") is None


async def test_of_a_batch_the_first_holds_a_key_whatever_other_keys_there_are(backend):
    assert list(await backend.apply([planned("t"), planned("u", idempotency_key="a")])) == [True, False]
    assert await backend.get("u") is None


async def test_what_replaces_a_record_takes_its_place_at_once(backend):
    await backend.apply([planned("t", owner="me")])

    assert list(await backend.apply([withdraw(asking="u"), planned("u", run_at=NOW + 5)])) == [True, True]

    old = await given(backend, "t")
    assert (old.status, old.reason, old.run_key) == (TaskStatus.CANCELLED, "replaced", "k")
    assert await ids(backend) == ["u"]
    assert list(await backend.apply([start("t")])) == [False]


async def test_what_replaces_nothing_is_accepted_too(backend):
    assert list(await backend.apply([withdraw(), planned("t")])) == [False, True]


async def test_each_of_a_batch_replaces_the_one_before_it(backend):
    moves = [withdraw(), planned("t"), withdraw("l"), planned("v", "l"), withdraw(), planned("u"), withdraw("l")]

    assert list(await backend.apply(moves)) == [False, True, False, True, True, True, True]
    assert await ids(backend) == ["u"]


async def test_a_start_before_it_in_a_batch_comes_before_it(backend):
    await backend.apply([planned("t", owner="me")])

    assert list(await backend.apply([start("t"), withdraw(), planned("u")])) == [True, False, True]
    assert (await given(backend, "t")).status is TaskStatus.RUNNING


async def test_of_many_that_replace_one_is_left(backend):
    pairs = [[withdraw(asking=f"t{n}"), planned(f"t{n}")] for n in range(12)]

    answers = await asyncio.gather(*(backend.apply(pair) for pair in pairs))

    (left,) = await ids(backend)
    statuses = [(await given(backend, f"t{n}")).status for n in range(12)]
    assert [answer[1] for answer in answers] == [True] * 12
    assert sorted(statuses) == [TaskStatus.CANCELLED] * 11 + [TaskStatus.PENDING]
    assert (await given(backend, left)).status is TaskStatus.PENDING


@pytest.mark.parametrize(
    "moves",
    [
        pytest.param([start("t")], id="runs"),
        pytest.param([start("t"), retry("t")], id="waits-for-its-retry"),
        pytest.param([cancel("t")], id="cancelled"),
        pytest.param([abandon("t")], id="interrupted"),
    ],
)
async def test_one_that_has_started_or_ended_lets_go_of_its_key(backend, moves):
    await backend.apply([planned("t", owner="me")])
    await applied(backend, *moves)

    assert await ids(backend) == []
    assert list(await backend.apply([withdraw(), planned("u")])) == [False, True]


async def test_one_that_is_started_when_it_is_accepted_holds_no_key(backend):
    assert list(await backend.apply([planned("t"), planned("u", owner="me", started_at=NOW)])) == [True, True]
    assert await ids(backend) == ["t"]


async def test_one_that_is_requeued_has_no_key(backend):
    await backend.apply([planned("t"), withdraw(), planned("u"), requeue("t")])

    assert await ids(backend) == ["u"]
    assert (await given(backend, "t")).run_key is None
    assert (await given(backend, "t")).status is TaskStatus.PENDING


async def test_one_that_is_requeued_is_no_longer_planned(backend):
    await backend.apply([planned("t"), withdraw(), requeue("t")])

    assert await ids(backend) == []


async def test_the_list_is_in_the_order_of_times(backend):
    await backend.apply([planned(f"t{at}", f"k{at}", run_at=NOW + at) for at in (3, 1, 2.5, 9)])
    await backend.apply([enqueue("other", run_at=NOW + 2)])

    assert await ids(backend, NOW + 9) == ["t1", "t2.5", "t3"]
    assert await ids(backend) == ["t1", "t2.5", "t3", "t9"]
    assert await ids(backend, limit=2) == ["t1", "t2.5"]


async def test_one_that_is_claimed_can_still_be_replaced(backend):
    await backend.apply([planned("t", run_at=NOW)])
    claim = await backend.claim(Wanted("me", [FUNC], 5, NOW))
    assert [record.run_key for record in claim.records] == ["k"]

    assert list(await backend.apply([withdraw(), planned("u")])) == [True, True]
    assert list(await backend.apply([start("t")])) == [False]


async def test_a_key_freed_by_a_withdrawal_can_be_taken_by_its_successor(backend):
    await backend.apply([planned("t", idempotency_key="same")])

    assert list(await backend.apply([withdraw(), planned("u", idempotency_key="same")])) == [True, True]
