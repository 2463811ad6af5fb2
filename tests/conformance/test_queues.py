"""What is set for queues, how deep they are, and limits on what runs at once."""

import asyncio

import pytest
from tests.conformance.conformance_kit import (
    FUNC,
    NOW,
    applied,
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

from outlive.core.moves import Permit, Start
from outlive.core.queues import Limit, QueueConfig, QueueDepth, QueueState
from outlive.core.states import TaskStatus
from outlive.ports import Instance, Wanted

ONE = Limit("account-7", 1)


def limited(task_id, *limits, fence=0, owner="me", at=NOW + 1):
    return [Permit(task_id, fence, owner, at, limits), Start(task_id, fence, owner, at, limited=True)]


async def begins(backend, task_id, *limits, **more):
    permitted, started = await backend.apply(limited(task_id, *limits, **more))
    assert permitted == started
    return started


# -- settings ------------------------------------------------------------------------------------


async def test_what_was_set_for_a_queue_is_kept_by_name_until_it_is_forgotten(backend):
    slow = QueueState("slow", QueueConfig(2, 30, 4))
    mail = QueueState("mail", paused=True)
    for state in (QueueState("slow", paused=True), slow, mail):
        await backend.set_queue(state)

    assert list(await backend.queues()) == [mail, slow]

    await backend.set_queue(QueueState("mail"))
    await backend.set_queue(QueueState("never set"))
    assert list(await backend.queues()) == [slow]


async def test_a_queue_without_limits_is_not_a_queue_nobody_set(backend):
    unlimited = QueueState("slow", QueueConfig())
    await backend.set_queue(unlimited)

    assert list(await backend.queues()) == [unlimited]


# -- depths --------------------------------------------------------------------------------------


async def test_depths_count_what_is_live(backend):
    assert dict(await backend.depths()) == {}
    for task_id, at in (("a", 2), ("b", 1), ("c", 3)):
        await applied(backend, enqueue(task_id, queue="mail", owner="me", created_at=NOW + at))
    await applied(backend, start("b"), enqueue("d", owner="me"), start("d"), enqueue("e", owner="me"))
    await applied(backend, start("e"), succeed("e"))

    assert dict(await backend.depths()) == {"mail": QueueDepth(2, 1, NOW + 2), "default": QueueDepth(0, 1)}


# -- claims --------------------------------------------------------------------------------------


async def test_a_claim_is_for_the_queues_that_it_names(backend):
    await applied(backend, enqueue("a", queue="mail"), enqueue("b"), enqueue("c", queue="slow"))
    await applied(backend, enqueue("d", queue="slow", run_at=NOW + 9))

    async def claimed(**which):
        found = await backend.claim(Wanted("me", [FUNC], 1, NOW, **which))
        return [record.id for record in found.records], found.next_at

    assert await claimed(queues=["none"]) == ([], None)
    assert await claimed(queues=["slow"], without_queues=["slow"]) == ([], None)
    assert await claimed(queues=["mail", "other"]) == (["a"], None)
    assert await claimed(without_queues=["slow"]) == (["b"], None)
    assert await claimed(queues=["slow"]) == (["c"], NOW + 9)


# -- rejected ------------------------------------------------------------------------------------


async def test_a_rejected_record_has_ended_and_says_why(backend):
    await applied(backend, enqueue("t", rejected="the queue is full", idempotency_key="k"))

    record = await given(backend, "t")
    assert (record.status, record.reason, record.owner) == (TaskStatus.REJECTED, "the queue is full", None)
    assert record.end_time == record.created_at
    assert (await backend.counts())[TaskStatus.REJECTED] == 1
    assert list(await backend.apply([start("t")])) == [False]
    await applied(backend, enqueue("u", idempotency_key="k"))


async def test_a_rejected_record_can_be_requeued(backend):
    await applied(backend, enqueue("t", rejected="the queue is full"), requeue("t"))

    record = await given(backend, "t")
    assert (record.status, record.reason, record.attempts) == (TaskStatus.PENDING, None, 0)


# -- limits --------------------------------------------------------------------------------------


async def test_no_more_than_the_limit_run_under_one_key(backend):
    two = Limit("k", 2)
    await applied(backend, *(enqueue(task_id, owner="me") for task_id in "abcd"))

    assert [await begins(backend, task_id, two) for task_id in "abc"] == [True, True, False]
    assert (await given(backend, "c")).status is TaskStatus.PENDING
    assert await begins(backend, "d", Limit("another", 1))

    await applied(backend, succeed("a"))
    assert await begins(backend, "c", two)


async def test_a_batch_counts_what_it_permits_itself(backend):
    await applied(backend, *(enqueue(task_id, owner="me") for task_id in "abc"))

    answers = await backend.apply([*limited("a", ONE), *limited("b", ONE), succeed("a"), *limited("c", ONE)])

    assert list(answers) == [True, True, False, False, True, True, True]


@pytest.mark.parametrize(
    "end",
    [
        pytest.param(succeed("t"), id="success"),
        pytest.param(fail("t"), id="failure"),
        pytest.param(retry("t"), id="retry"),
        pytest.param(give_up("t"), id="deploy"),
        pytest.param(interrupt("t"), id="interrupt"),
        pytest.param(confirm_cancel("t"), id="cancel"),
    ],
)
async def test_however_an_attempt_ends_its_place_is_free(backend, end):
    await applied(backend, enqueue("t", owner="me"), enqueue("u", owner="me"))
    assert await begins(backend, "t", ONE)
    assert not await begins(backend, "u", ONE)

    await applied(backend, end)

    assert await begins(backend, "u", ONE)


async def test_the_places_of_a_dead_instance_are_free(backend):
    await backend.join(Instance("dead", "host", 1, NOW), NOW)
    await applied(backend, enqueue("t", owner="dead"), enqueue("u", owner="me"))
    assert await begins(backend, "t", ONE, owner="dead")

    await backend.rescue("dead", NOW + 60, "died")

    assert await begins(backend, "u", ONE)


async def test_another_attempt_of_the_same_record_takes_a_place_of_its_own(backend):
    await applied(backend, enqueue("t", owner="me"), enqueue("u", owner="me"))
    assert await begins(backend, "t", ONE)
    await applied(backend, retry("t"))
    assert await begins(backend, "u", ONE)

    assert not await begins(backend, "t", ONE, fence=1)
    await applied(backend, succeed("u"))
    assert await begins(backend, "t", ONE, fence=1)


async def test_a_permit_takes_all_of_its_places_or_none(backend):
    await applied(backend, *(enqueue(task_id, owner="me") for task_id in "abc"))
    assert await begins(backend, "a", ONE)

    assert not await begins(backend, "b", Limit("free", 1), ONE)

    assert await begins(backend, "c", Limit("free", 1))


async def test_a_permit_is_for_who_may_start(backend):
    await applied(backend, enqueue("t", owner="me"), enqueue("u", owner="me"))

    assert not await begins(backend, "t", ONE, owner="other")
    assert not await begins(backend, "t", ONE, fence=1)
    assert not await begins(backend, "none", ONE)

    assert await begins(backend, "u", ONE)


async def test_one_may_ask_without_taking(backend):
    await applied(backend, enqueue("t", owner="me"), enqueue("u", owner="me"))
    rate = Limit("calls", 1, 1.0)

    async def asked(*limits, task_id="u", owner="me"):
        (answer,) = await backend.apply([Permit(task_id, 0, owner, NOW + 1, limits, asks=True)])
        return answer

    assert [await asked(ONE, rate) for _ in range(2)] == [True, True]
    assert list(await backend.apply([Start("u", 0, "me", NOW, limited=True)])) == [False]
    assert await begins(backend, "t", ONE)
    assert [await asked(ONE, rate), await asked(rate), await asked()] == [False, True, True]
    assert [await asked(owner="other"), await asked(task_id="t")] == [False, False]


async def test_no_permit_no_start(backend):
    await applied(backend, enqueue("t", owner="me"))

    assert list(await backend.apply([Start("t", 0, "me", NOW, limited=True)])) == [False]


async def test_a_rate_lets_as_many_start_in_its_time(backend):
    rate = Limit("calls", 4, 2.0)
    names = "abcdefg"
    await applied(backend, *(enqueue(task_id, owner="me") for task_id in names))

    at_once = [await begins(backend, task_id, rate, at=NOW) for task_id in "abcde"]
    assert at_once == [True, True, True, True, False]

    assert not await begins(backend, "e", rate, at=NOW + 0.25)
    assert await begins(backend, "e", rate, at=NOW + 0.5)
    assert not await begins(backend, "f", rate, at=NOW + 0.75)
    assert [await begins(backend, task_id, rate, at=NOW + 2) for task_id in "fg"] == [True, True]


async def test_a_rate_that_refused_is_not_used_up_by_it(backend):
    rate = Limit("calls", 1, 1.0)
    await applied(backend, *(enqueue(task_id, owner="me") for task_id in "abc"))
    assert await begins(backend, "a", ONE, at=NOW)

    assert not await begins(backend, "b", rate, ONE, at=NOW)

    assert await begins(backend, "c", rate, at=NOW)


async def test_many_who_ask_at_once_share_the_places(backend):
    names = [f"t{number}" for number in range(20)]
    await applied(backend, *(enqueue(name, owner="me") for name in names))

    started = await asyncio.gather(*(begins(backend, name, Limit("k", 3)) for name in names))

    assert sum(started) == 3
