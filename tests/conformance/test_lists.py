"""What is read: lists, counts, and what pruning leaves."""

import pytest
from tests.conformance.conformance_kit import NOW, applied, cancel, enqueue, fail, given, start, succeed

from outlive.core.filter import EVERYTHING, Page, TaskFilter
from outlive.core.moves import Log
from outlive.core.states import TaskStatus

LIVE = frozenset({TaskStatus.PENDING, TaskStatus.RUNNING})


@pytest.fixture
async def filled(backend):
    """Records of several functions, queues, sources and statuses, whose ids say when they came."""
    await applied(
        backend,
        enqueue("1", owner="me"),
        enqueue("2", owner="me", func="app:report", func_name="report", queue="slow"),
        enqueue("3", owner="me", source="scheduled"),
        enqueue("4", owner="me", func="other:send", func_name="send"),
        enqueue("5", owner="me", func="named", func_name="named"),
        enqueue("6", owner="me", queue="slow", source="scheduled"),
        enqueue("7"),
        start("1"),
        succeed("1"),
        start("2"),
        fail("2"),
        start("3"),
        cancel("5"),
        Log("1", 1, NOW, "info", "line"),
    )
    return backend


async def find(backend, **conditions):
    return "".join(record.id for record in await backend.find(TaskFilter(**conditions), Page()))


async def test_newest_first_and_without_logs_and_history(filled):
    records = await filled.find(EVERYTHING, Page())

    assert [record.id for record in records] == list("7654321")
    assert all(list(record.logs) == [] and list(record.history) == [] for record in records)
    whole = await given(filled, "1")
    assert (whole.logs, whole.history) != ((), ())
    assert records[-1].end_time == whole.end_time


@pytest.mark.parametrize(
    ("conditions", "expected"),
    [
        pytest.param({"statuses": frozenset({TaskStatus.PENDING})}, "764", id="pending"),
        pytest.param({"statuses": LIVE}, "7643", id="live"),
        pytest.param({"statuses": frozenset({TaskStatus.SUCCESS, TaskStatus.FAILED})}, "21", id="two-final"),
        pytest.param({"statuses": frozenset({TaskStatus.RUNNING, TaskStatus.CANCELLED})}, "53", id="live-and-final"),
        pytest.param({"statuses": frozenset(TaskStatus)}, "7654321", id="all-statuses"),
        pytest.param({"statuses": frozenset[TaskStatus]()}, "", id="no-status"),
        pytest.param({"func": "app.tasks:send"}, "7631", id="identity"),
        pytest.param({"func": "send"}, "76431", id="display-name"),
        pytest.param({"func": "named"}, "5", id="explicit-name"),
        pytest.param({"func": "absent"}, "", id="unknown-function"),
        pytest.param({"queue": "slow"}, "62", id="queue"),
        pytest.param({"source": "scheduled"}, "63", id="source"),
        pytest.param({"queue": "slow", "source": "scheduled"}, "6", id="queue-and-source"),
        pytest.param({"queue": "slow", "func": "send", "statuses": frozenset(TaskStatus)}, "6", id="all-of-a-queue"),
        pytest.param({"queue": "default"}, "75431", id="default-queue"),
        pytest.param({"func": "send", "statuses": LIVE}, "7643", id="function-and-live"),
        pytest.param({"func": "send", "statuses": frozenset({TaskStatus.SUCCESS})}, "1", id="function-and-success"),
        pytest.param(
            {"func": "send", "statuses": frozenset(TaskStatus), "queue": "default", "source": "manual"},
            "741",
            id="everything-at-once",
        ),
        pytest.param({"func": "report", "statuses": frozenset({TaskStatus.FAILED}), "queue": "slow"}, "2", id="failed"),
        pytest.param({"statuses": LIVE, "queue": "slow", "source": "scheduled"}, "6", id="live-of-a-queue"),
    ],
)
async def test_filters(filled, conditions, expected):
    assert await find(filled, **conditions) == expected


@pytest.mark.parametrize(
    "conditions",
    [
        pytest.param(TaskFilter(), id="all"),
        pytest.param(TaskFilter(func="send"), id="function"),
        pytest.param(TaskFilter(statuses=frozenset(TaskStatus)), id="status"),
    ],
)
@pytest.mark.parametrize("size", [1, 2, 3, 100])
async def test_pages_put_together_are_the_list(filled, conditions, size):
    whole = [record.id for record in await filled.find(conditions, Page())]
    pages: list[str] = []
    before = None
    while page := await filled.find(conditions, Page(size, before)):
        assert len(page) <= size
        pages += [record.id for record in page]
        before = pages[-1]

    assert pages == whole


async def test_a_page_before_an_id_that_is_gone(filled):
    records = await filled.find(EVERYTHING, Page(2, "35"))

    assert [record.id for record in records] == ["3", "2"]


async def test_no_records(backend):
    assert list(await backend.find(EVERYTHING, Page())) == []
    assert list(await backend.find(TaskFilter(func="send"), Page())) == []
    assert not any((await backend.counts()).values())


async def test_counts(filled):
    counts = {status: count for status, count in (await filled.counts()).items() if count}

    assert counts == {
        TaskStatus.PENDING: 3,
        TaskStatus.RUNNING: 1,
        TaskStatus.SUCCESS: 1,
        TaskStatus.FAILED: 1,
        TaskStatus.CANCELLED: 1,
    }


async def test_prune_goes_by_status_and_end(backend):
    for place, name in enumerate("abcd"):
        await applied(backend, enqueue(name, owner="me"), start(name), succeed(name, at=NOW + place))
    await applied(backend, enqueue("e", owner="me"), start("e"), fail("e", at=NOW), enqueue("f"))

    assert await backend.prune([TaskStatus.SUCCESS], NOW + 2, 100) == 2
    assert await backend.prune([TaskStatus.PENDING, TaskStatus.CANCELLED], NOW + 99, 100) == 0
    assert await backend.prune([], NOW + 99, 100) == 0

    assert [record.id for record in await backend.find(EVERYTHING, Page())] == list("fedc")
    assert await backend.get("a") is None


async def test_prune_takes_no_more_than_it_may(backend):
    for name in "abcde":
        await applied(backend, enqueue(name, owner="me"), start(name), succeed(name))

    both = [TaskStatus.SUCCESS, TaskStatus.FAILED]
    assert [await backend.prune(both, NOW + 99, 2) for _ in range(4)] == [2, 2, 1, 0]
    assert await backend.prune(both, NOW + 99, 0) == 0


async def test_nothing_of_a_pruned_record_comes_back_with_its_id(backend):
    await applied(backend, enqueue("t", owner="me"), start("t"), Log("t", 1, NOW, "info", "old"), fail("t"))
    assert await backend.prune([TaskStatus.FAILED], NOW + 99, 9) == 1

    await applied(backend, enqueue("t"))

    record = await given(backend, "t")
    assert (record.logs, record.history, record.status) == ((), (), TaskStatus.PENDING)
    assert {status: count for status, count in (await backend.counts()).items() if count} == {TaskStatus.PENDING: 1}
