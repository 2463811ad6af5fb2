import itertools

import pytest

from outlive.core.states import FINAL, LIVE, REQUEUABLE, Event, TaskStatus, check, may
from outlive.errors import IllegalTransitionError, OutliveError

MOVES = {
    "enqueue": "nothing -> pending",
    "reject": "nothing -> rejected",
    "start": "pending -> running",
    "succeed": "running -> success",
    "fail": "running -> failed",
    "retry": "running -> pending",
    "interrupt": "running -> interrupted, running -> pending, pending -> interrupted",
    "cancel": "pending -> cancelled, running -> cancelled",
    "requeue": (
        "failed -> pending, interrupted -> pending, cancelled -> pending, rejected -> pending, success -> pending"
    ),
}
LEGAL = {(event, *move.split(" -> ")) for event, moves in MOVES.items() for move in moves.split(", ")}
EVERY = list(itertools.product(Event, [None, *TaskStatus], TaskStatus))


@pytest.mark.parametrize(("event", "status", "to"), EVERY, ids=str)
def test_a_record_moves_only_as_the_table_says(event, status, to):
    is_legal = (event.value, status.value if status else "nothing", to.value) in LEGAL

    assert may(event, status, to) is is_legal
    if is_legal:
        check(event, status, to)
    else:
        with pytest.raises(IllegalTransitionError):
            check(event, status, to)


def test_every_event_has_a_move():
    assert {event for event, _, _ in LEGAL} == set(Event)


def test_only_start_leads_into_running():
    assert {event for event, _, to in LEGAL if to == "running"} == {"start"}


def test_an_illegal_move_is_named_in_its_error():
    with pytest.raises(IllegalTransitionError, match="start: success -> running") as caught:
        check(Event.START, TaskStatus.SUCCESS, TaskStatus.RUNNING)
    assert isinstance(caught.value, OutliveError)

    with pytest.raises(IllegalTransitionError, match="start: nothing -> running"):
        check(Event.START, None, TaskStatus.RUNNING)


def test_a_status_is_live_or_final():
    assert set(TaskStatus) == LIVE | FINAL
    assert not LIVE & FINAL
    assert {"pending", "running"} == LIVE


def test_a_person_may_requeue_everything_that_has_ended():
    assert REQUEUABLE == FINAL


def test_a_status_is_its_word():
    assert f"{TaskStatus.INTERRUPTED}" == "interrupted"
    assert TaskStatus("pending") is TaskStatus.PENDING
