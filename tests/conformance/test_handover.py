"""Claims, rescues and explanations."""

import pytest
from tests.conformance.conformance_kit import FUNC, NOW, applied, cancel, enqueue, given, requeue, retry, start

from outlive.core.moves import AskCancel
from outlive.core.record import moment
from outlive.core.settle import not_repeated
from outlive.core.states import TaskStatus
from outlive.ports import Instance, Wanted


def ids(records):
    return [record.id for record in records]


async def test_claim_takes_what_is_free_and_due(backend):
    await applied(
        backend,
        enqueue("due"),
        enqueue("owned", owner="other"),
        enqueue("later", run_at=NOW + 60.5),
        enqueue("strange", func="app:other"),
        enqueue("over"),
        cancel("over"),
    )
    await backend.explain([], "waits")

    claim = await backend.claim(Wanted("me", [FUNC], 10, NOW))

    assert ids(claim.records) == ["due"]
    assert claim.next_at == NOW + 60.5
    [record] = claim.records
    assert (record.owner, record.status, record.reason) == ("me", TaskStatus.PENDING, None)
    assert (await given(backend, "due")).owner == "me"
    await applied(backend, start("due"))


async def test_claim_goes_by_priority_then_time_then_id(backend):
    await applied(
        backend,
        enqueue("d", run_at=NOW - 1),
        enqueue("c", run_at=NOW - 2, priority=0),
        enqueue("b", run_at=NOW - 1),
        enqueue("low", priority=-1, run_at=NOW - 9),
        enqueue("high", priority=7),
        enqueue("higher", priority=7, run_at=NOW - 1),
        enqueue("highest-but-later", priority=9, run_at=NOW + 1),
    )

    order = ["higher", "high", "c", "b", "d", "low"]
    first = await backend.claim(Wanted("me", [FUNC], 4, NOW))
    second = await backend.claim(Wanted("me", [FUNC], 4, NOW))

    assert ids(first.records) + ids(second.records) == order
    assert first.next_at == second.next_at == NOW + 1


async def test_nothing_is_claimed_twice(backend):
    await applied(backend, enqueue("t"))

    assert ids((await backend.claim(Wanted("a", [FUNC], 1, NOW))).records) == ["t"]
    assert ids((await backend.claim(Wanted("b", [FUNC], 1, NOW))).records) == []


@pytest.mark.parametrize(
    ("functions", "limit"),
    [pytest.param([], 5, id="no-functions"), pytest.param([FUNC], 0, id="no-room")],
)
async def test_claim_of_nothing(backend, functions, limit):
    await applied(backend, enqueue("t"))

    assert ids((await backend.claim(Wanted("me", functions, limit, NOW))).records) == []
    assert (await given(backend, "t")).owner is None


async def test_claim_leaves_the_refused(backend):
    await applied(backend, enqueue("a"), enqueue("b"), enqueue("c", run_at=NOW + 5))

    claim = await backend.claim(Wanted("me", {FUNC}, 5, NOW, {"a", "c"}))

    assert ids(claim.records) == ["b"]
    assert claim.next_at == NOW + 5
    assert (await given(backend, "a")).owner is None


async def test_next_at_is_the_earliest_of_all_priorities(backend):
    await applied(
        backend,
        enqueue("a", run_at=NOW + 30, priority=5),
        enqueue("b", run_at=NOW + 20),
        enqueue("c", run_at=NOW + 10, func="app:other"),
        enqueue("d", run_at=NOW + 5, owner="other"),
    )

    assert (await backend.claim(Wanted("me", [FUNC], 5, NOW))).next_at == NOW + 20
    assert (await backend.claim(Wanted("me", ["app:none"], 5, NOW))).next_at is None


async def test_a_claimed_record_has_its_facts_and_no_logs(backend):
    await applied(backend, enqueue("t", owner="me", tags={"a": "b"}, arguments="{}"), start("t"), retry("t"))
    await backend.rescue("me", NOW, "died")

    [record] = (await backend.claim(Wanted("other", [FUNC], 5, NOW + 60))).records

    assert (record.fence, record.attempts, dict(record.tags), record.arguments) == (1, 1, {"a": "b"}, "{}")
    assert (list(record.logs), list(record.history)) == ([], [])


async def test_explain(backend):
    await applied(
        backend,
        enqueue("known"),
        enqueue("strange", func="app:gone"),
        enqueue("later", func="app:gone", run_at=NOW + 99),
        enqueue("owned", func="app:gone", owner="me"),
    )

    assert await backend.explain([FUNC], "no app:gone here") == 2
    assert await backend.explain([FUNC], "no app:gone here") == 2

    reasons = {name: (await given(backend, name)).reason for name in ("known", "strange", "later", "owned")}
    expected = "no app:gone here"
    assert reasons == {"known": None, "strange": expected, "later": expected, "owned": None}
    assert await backend.explain([FUNC, "app:gone"], "x") == 0


@pytest.mark.parametrize("recoverable", [True, False])
async def test_rescue_of_pending(backend, recoverable):
    await applied(backend, enqueue("t", owner="dead", run_at=NOW + 50, recoverable=recoverable))

    rescue = await backend.rescue("dead", NOW + 9, "its instance died")

    record = await given(backend, "t")
    assert record.reason == "its instance died"
    if recoverable:
        assert (list(rescue.requeued), list(rescue.interrupted)) == (["t"], [])
        assert (record.status, record.owner, record.run_at) == (TaskStatus.PENDING, None, moment(NOW + 50))
    else:
        assert (list(rescue.requeued), list(rescue.interrupted)) == ([], ["t"])
        assert (record.status, record.end_time) == (TaskStatus.INTERRUPTED, moment(NOW + 9))
        assert record.history == ()


@pytest.mark.parametrize("again", [True, False])
async def test_rescue_of_running(backend, again):
    await applied(backend, enqueue("t", owner="dead", requeue_on_interrupt=again), start("t", owner="dead"))
    await applied(backend, AskCancel("t"))

    rescue = await backend.rescue("dead", NOW + 9, "its instance died")

    record = await given(backend, "t")
    [attempt] = record.history
    assert (attempt.outcome, attempt.ended_at, attempt.owner) == (TaskStatus.INTERRUPTED, moment(NOW + 9), "dead")
    assert record.reason == "its instance died"
    if again:
        assert (list(rescue.requeued), list(rescue.interrupted)) == (["t"], [])
        assert (record.status, record.owner, record.attempts) == (TaskStatus.PENDING, None, 0)
        assert (record.run_at, record.cancel_requested, record.fence) == (moment(NOW), True, 1)
        assert (attempt.error, record.error) == ("its instance died", None)
    else:
        assert (list(rescue.requeued), list(rescue.interrupted)) == ([], ["t"])
        assert (record.status, record.end_time) == (TaskStatus.INTERRUPTED, moment(NOW + 9))


async def test_what_was_running_is_claimed_before_what_came_after_it(backend):
    repeatable = {"owner": "dead", "requeue_on_interrupt": True}
    await applied(backend, enqueue("first", **repeatable), enqueue("second", owner="dead", run_at=NOW + 1))
    await applied(backend, start("first", owner="dead"))

    await backend.rescue("dead", NOW + 9, "died")

    claim = await backend.claim(Wanted("me", [FUNC], 10, NOW + 9))
    assert [record.id for record in claim.records] == ["first", "second"]


async def test_a_late_owner_cannot_settle_what_was_rescued(backend):
    await applied(backend, enqueue("t", owner="dead", requeue_on_interrupt=True), start("t", owner="dead"))
    await backend.rescue("dead", NOW, "died")
    await backend.claim(Wanted("me", [FUNC], 1, NOW))
    await applied(backend, start("t", fence=1))

    assert list(await backend.apply([retry("t", fence=1)])) == [False]
    assert (await given(backend, "t")).owner == "me"


async def test_rescue_touches_nothing_else(backend):
    await applied(
        backend,
        enqueue("mine", owner="me"),
        enqueue("free"),
        enqueue("ended", owner="dead"),
        cancel("ended"),
    )
    before = [await given(backend, name) for name in ("mine", "free", "ended")]

    rescue = await backend.rescue("dead", NOW, "died")

    assert (list(rescue.requeued), list(rescue.interrupted)) == ([], [])
    assert [await given(backend, name) for name in ("mine", "free", "ended")] == before


async def test_rescue_of_many(backend):
    names = [f"t{number:03}" for number in range(150)]
    await backend.apply([enqueue(name, owner="dead", recoverable=place % 3 > 0) for place, name in enumerate(names)])

    rescue = await backend.rescue("dead", NOW, "died")

    assert sorted(rescue.interrupted) == names[::3]
    assert sorted([*rescue.requeued, *rescue.interrupted]) == names


async def test_rescue_forgets_the_instance(backend):
    await backend.join(Instance("dead", "far-away", 1, NOW, 10), NOW)

    await backend.rescue("dead", NOW, "died")

    assert not await backend.beat("dead", NOW)
    assert list(await backend.lost(NOW + 100, 10, "me")) == []


@pytest.mark.parametrize("beats", [True, False])
async def test_rescue_of_a_lost_instance_asks_again_whether_it_is(beats, backend):
    await backend.join(Instance("slow", "far-away", 1, NOW, 10), NOW)
    await applied(backend, enqueue("waits", owner="slow"), enqueue("runs", owner="slow"), start("runs", owner="slow"))
    assert list(await backend.lost(NOW + 11, 10, "me")) == ["slow"]
    if beats:
        assert await backend.beat("slow", NOW + 11)

    rescue = await backend.rescue("slow", NOW + 11, "died", if_lost=True)

    records = [await given(backend, name) for name in ("waits", "runs")]
    if beats:
        assert (rescue.is_alive, list(rescue.requeued), list(rescue.interrupted)) == (True, [], [])
        assert [record.owner for record in records] == ["slow", "slow"]
        assert [record.status for record in records] == [TaskStatus.PENDING, TaskStatus.RUNNING]
        assert await backend.beat("slow", NOW + 12)
    else:
        assert (rescue.is_alive, list(rescue.requeued), list(rescue.interrupted)) == (False, ["waits"], ["runs"])
        assert not await backend.beat("slow", NOW + 12)


async def test_rescue_of_a_lost_owner_that_has_joined_again_meanwhile(backend):
    await applied(backend, enqueue("t", owner="ghost"))
    assert list(await backend.lost(NOW + 11, 10, "me")) == ["ghost"]
    await backend.join(Instance("ghost", "far-away", 1, NOW, 10), NOW + 11)

    assert (await backend.rescue("ghost", NOW + 11, "died", if_lost=True)).is_alive
    assert (await given(backend, "t")).owner == "ghost"


async def test_rescue_of_a_lost_owner_that_never_joined(backend):
    await applied(backend, enqueue("t", owner="ghost"))

    rescue = await backend.rescue("ghost", NOW + 11, "died", if_lost=True)

    assert (rescue.is_alive, list(rescue.requeued)) == (False, ["t"])


async def test_what_is_not_repeated_is_ended_in_one_batch_and_may_be_asked_for_again(backend):
    await applied(backend, enqueue("t", owner="dead", requeue_on_interrupt=True), start("t", owner="dead"))
    await backend.rescue("dead", NOW + 9, "its instance died")
    [record] = (await backend.claim(Wanted("me", [FUNC], 1, NOW + 9))).records

    assert list(await backend.apply(not_repeated(record, "me", 3, NOW + 10))) == [True, True]

    ended = await given(backend, "t")
    assert (ended.status, ended.end_time) == (TaskStatus.INTERRUPTED, moment(NOW + 10))
    assert ended.reason == "not repeated, because 3 instances in a row have died while they ran it"
    await applied(backend, requeue("t"))
    errors = [attempt.error for attempt in (await given(backend, "t")).history]
    assert errors == ["its instance died", ended.reason]
