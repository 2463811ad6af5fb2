"""How a batch is cut: as few statements as possible, and never against the order of its moves."""

import pytest

from outlive.backends.order import KINDS as ORDER
from outlive.backends.order import runs
from outlive.backends.sqlite.batches import chunks, size_for
from outlive.backends.sqlite.kinds import KINDS
from outlive.core.moves import Cancel, Enqueue, Log, Move, Requeue, Settle, Start
from outlive.core.states import Event, TaskStatus


def enqueue(task_id: str, key: str | None = None) -> Move:
    return Enqueue(task_id, "f", "f", 0.0, 0.0, idempotency_key=key)


def start(task_id: str) -> Move:
    return Start(task_id, 0, "me", 0.0)


def settle(task_id: str, event: Event = Event.SUCCEED, status: TaskStatus = TaskStatus.SUCCESS) -> Move:
    return Settle(task_id, 1, event, status, 0.0)


def fail(task_id: str) -> Move:
    return settle(task_id, Event.FAIL, TaskStatus.FAILED)


def cut(*moves: Move) -> list[list[int]]:
    return [[place for rank in sorted(run) for place in run[rank]] for run in runs(moves)]


def test_kinds_are_put_together():
    moves = [enqueue("a"), start("a"), enqueue("b"), settle("x"), start("b"), Log("x", 1, 0.0, "info", "m")]

    assert cut(*moves) == [[0, 2, 1, 4, 3, 5]]


@pytest.mark.parametrize(
    "moves",
    [
        pytest.param([start("a"), enqueue("a")], id="start-before-enqueue"),
        pytest.param([settle("a"), start("a")], id="settle-before-start"),
        pytest.param([Log("a", 1, 0.0, "info", "m"), enqueue("a")], id="log-before-enqueue"),
        pytest.param([Cancel("a", 0.0, "r"), enqueue("b", "k")], id="key-freed-by-cancel"),
        pytest.param([fail("a"), enqueue("b", "k")], id="key-freed-by-failure"),
        pytest.param([Requeue("a", 0.0), enqueue("b", "k")], id="key-taken-back"),
        pytest.param([Requeue("a", 0.0), fail("b")], id="key-freed-too-late"),
    ],
)
def test_order_that_matters_is_kept(moves):
    assert cut(*moves) == [[0], [1]]


@pytest.mark.parametrize(
    "moves",
    [
        pytest.param([settle("a"), enqueue("b", "k")], id="success-keeps-its-key"),
        pytest.param([fail("a"), enqueue("b")], id="no-key"),
        pytest.param([start("a"), enqueue("b", "k")], id="start"),
    ],
)
def test_order_that_does_not_matter_costs_nothing(moves):
    assert cut(*moves) == [[1, 0]]


@pytest.mark.parametrize("count", [0, 1, 255, 256, 257, 1000])
def test_chunks(count):
    places = list(range(count))

    cut = list(chunks(places))

    assert [place for chunk in cut for place in chunk] == places
    assert all(0 < len(chunk) <= 256 for chunk in cut)


@pytest.mark.parametrize(
    ("count", "size"), [(1, 1), (2, 2), (3, 3), (4, 4), (5, 6), (96, 96), (97, 128), (128, 128), (129, 192), (256, 256)]
)
def test_sizes(count, size):
    assert size_for(count) == size


def test_the_kinds_stand_in_the_order_in_which_they_are_applied():
    assert tuple(kind.queries[-1] for kind in KINDS) == ORDER
