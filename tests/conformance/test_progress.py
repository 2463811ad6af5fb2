"""How far a run has come, what it returned, and writing both anew."""

from dataclasses import replace

import pytest
from tests.conformance.conformance_kit import NOW, applied, cancel, enqueue, fail, given, requeue, retry, start, succeed

from outlive.core.filter import EVERYTHING, Page
from outlive.core.moves import Advance, Rewrite
from outlive.core.progress import Progress

HALF = Progress(2, 4, "half of it", NOW + 1.5)


def advance(task_id: str, fence: int = 1, progress: Progress = HALF) -> Advance:
    return Advance(task_id, fence, progress.to_text())


async def test_a_running_record_says_how_far_it_is(backend):
    await applied(backend, enqueue("t", owner="me"), start("t"), advance("t", progress=Progress(1, 4, None, NOW)))
    await applied(backend, advance("t"))

    assert (await given(backend, "t")).progress == HALF
    [listed] = await backend.find(EVERYTHING, Page())
    assert listed.progress == HALF


async def test_a_start_a_progress_and_an_end_in_one_batch(backend):
    moves = [enqueue("t", owner="me"), start("t"), advance("t"), replace(succeed("t"), result="[1]")]

    assert list(await backend.apply(moves)) == [True] * 4

    record = await given(backend, "t")
    assert (record.progress, record.result) == (HALF, "[1]")


@pytest.mark.parametrize(
    "move",
    [
        pytest.param(advance("absent"), id="unknown"),
        pytest.param(advance("pending", fence=0), id="pending"),
        pytest.param(advance("running", fence=2), id="another-attempt"),
        pytest.param(advance("ended"), id="ended"),
    ],
)
async def test_only_the_attempt_under_way_has_progress(backend, move):
    await applied(backend, enqueue("pending", owner="me"), enqueue("running", owner="me", started_at=NOW))
    await applied(backend, enqueue("ended", owner="me", started_at=NOW), succeed("ended"))

    assert list(await backend.apply([move])) == [False]
    assert [record.progress for record in await backend.find(EVERYTHING, Page())] == [None, None, None]


async def test_the_next_attempt_begins_from_nothing(backend):
    await applied(backend, enqueue("t", owner="me"), start("t"), advance("t"), retry("t"))
    assert (await given(backend, "t")).progress == HALF

    await applied(backend, start("t", fence=1))

    assert (await given(backend, "t")).progress is None


async def test_what_a_function_returned_is_kept(backend):
    await applied(backend, enqueue("t", owner="me"), start("t"), replace(succeed("t"), result='{"ä": [1, 2]}'))

    assert (await given(backend, "t")).result == '{"ä": [1, 2]}'
    [listed] = await backend.find(EVERYTHING, Page())
    assert listed.result is None


async def test_a_requeued_record_has_neither_result_nor_progress(backend):
    await applied(backend, enqueue("t", owner="me"), start("t"), advance("t"), replace(succeed("t"), result="1"))
    await applied(backend, requeue("t"))

    record = await given(backend, "t")

    assert (record.progress, record.result) == (None, None)


async def test_a_failure_has_no_result(backend):
    await applied(backend, enqueue("t", owner="me"), start("t"), fail("t"))

    assert (await given(backend, "t")).result is None


async def test_arguments_and_result_are_written_anew(backend):
    await applied(backend, enqueue("t", owner="me", arguments="old"), start("t"), replace(succeed("t"), result="was"))

    await applied(backend, Rewrite("t", "old", "new", "was", "is"))

    record = await given(backend, "t")
    assert (record.arguments, record.result) == ("new", "is")


async def test_what_is_not_there_stays_so(backend):
    await applied(backend, enqueue("t", arguments=None), enqueue("u", arguments="old"))

    await applied(backend, Rewrite("t", None, None, None, None), Rewrite("u", "old", "new", None, None))

    assert [(await given(backend, name)).arguments for name in "tu"] == [None, "new"]


@pytest.mark.parametrize(
    "move",
    [
        pytest.param(Rewrite("absent", "old", "new", None, None), id="unknown"),
        pytest.param(Rewrite("t", "older", "new", None, None), id="other-arguments"),
        pytest.param(Rewrite("t", None, "new", None, None), id="no-arguments"),
        pytest.param(Rewrite("t", "old", "new", "was", "is"), id="other-result"),
    ],
)
async def test_what_has_changed_meanwhile_is_left_alone(backend, move):
    await applied(backend, enqueue("t", arguments="old"))

    assert list(await backend.apply([move])) == [False]
    assert (await given(backend, "t")).arguments == "old"


async def test_prune_goes_by_function(backend):
    for name, func in [("a", "app:one"), ("b", "app:two"), ("c", "app:three")]:
        await applied(backend, enqueue(name, func=func, owner="me"), cancel(name))
    ended = {record.status for record in await backend.find(EVERYTHING, Page())}

    assert await backend.prune(ended, NOW + 99, 9, ["app:one", "app:two"], ["app:two"]) == 1
    assert [record.id for record in await backend.find(EVERYTHING, Page())] == ["c", "b"]
    assert await backend.prune(ended, NOW + 99, 9, without=["app:two"]) == 1
    assert await backend.prune(ended, NOW + 99, 9, []) == 0
    assert [record.id for record in await backend.find(EVERYTHING, Page())] == ["b"]
