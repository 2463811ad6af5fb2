"""Who is asked to cancel learns of it until the record has ended."""

import pytest
from tests.conformance.conformance_kit import (
    applied,
    cancel,
    confirm_cancel,
    enqueue,
    given,
    requeue,
    retry,
    start,
    succeed,
)

from outlive.core.moves import AskCancel
from outlive.ports import Wanted


async def test_an_owner_learns_what_was_asked_of_it_and_why(backend):
    for task_id, owner in (("t", "me"), ("u", "me"), ("v", "other"), ("w", "me")):
        await applied(backend, enqueue(task_id, owner=owner), start(task_id, owner=owner))
    await applied(backend, AskCancel("t", "enough"), AskCancel("u"), AskCancel("v"))

    assert dict(await backend.asked_to_cancel("me")) == {"t": "enough", "u": None}
    assert dict(await backend.asked_to_cancel("other")) == {"v": None}
    assert dict(await backend.asked_to_cancel("nobody")) == {}
    assert (await given(backend, "t")).reason == "enough"


async def test_what_was_asked_holds_while_a_retry_waits(backend):
    await applied(backend, enqueue("t", owner="me"), start("t"), AskCancel("t", "enough"), retry("t"))
    assert list(await backend.asked_to_cancel("me")) == ["t"]

    await applied(backend, start("t", 1))
    assert list(await backend.asked_to_cancel("me")) == ["t"]


async def test_what_was_asked_holds_after_its_owner_has_died(backend):
    await applied(backend, enqueue("t", owner="me", requeue_on_interrupt=True), start("t"), AskCancel("t"))
    await backend.rescue("me", 1_700_000_009.0, "died")

    claim = await backend.claim(Wanted("other", [(await given(backend, "t")).func], 10, 1_700_000_010.0))
    assert [record.cancel_requested for record in claim.records] == [True]
    assert list(await backend.asked_to_cancel("other")) == ["t"]


@pytest.mark.parametrize("end", [succeed("t"), confirm_cancel("t")], ids=["success", "cancelled"])
async def test_what_has_ended_is_asked_of_nobody(backend, end):
    await applied(backend, enqueue("t", owner="me"), start("t"), AskCancel("t"), end)
    assert dict(await backend.asked_to_cancel("me")) == {}


async def test_another_run_is_a_fresh_one(backend):
    await applied(backend, enqueue("t", owner="me"), start("t"), AskCancel("t"), retry("t"), cancel("t"), requeue("t"))
    assert not (await given(backend, "t")).cancel_requested
