"""Connections that are cut before and after the server has committed: nothing is lost, and nothing done twice."""

import asyncio
import random
import struct

import pytest
from support import postgres
from support.proxy import Proxy, on
from support.waiting import until
from tests.conformance.conformance_kit import FUNC, NOW, applied, enqueue, fail, given, requeue, retry, start, succeed

from outlive import BackendUnavailableError, TaskManager, TaskStatus
from outlive.backends.urls import backend_from
from outlive.core.filter import EVERYTHING, Page
from outlive.core.moves import AskCancel, Fire, Log
from outlive.core.schedule import ScheduleEntry
from outlive.errors import BackendInDoubtError
from outlive.ports import WORK, Wanted

SLOT = NOW + 60.25


@pytest.fixture
async def proxy(tmp_path):
    async with Proxy(postgres.url_for(tmp_path)) as proxy:
        yield proxy


@pytest.fixture
async def backend(proxy):
    backend = backend_from(proxy.url)
    await backend.open()
    yield backend
    proxy.is_open = True
    await backend.close()


ALIVE = [enqueue("t-1", owner="me", started_at=NOW)]
FIRES = [Fire("t-1", "hourly", SLOT, SLOT + 60, NOW, SLOT), enqueue("t-1", owner="me", schedule="hourly")]
KEYED = [enqueue("t-1", owner="me", idempotency_key="k"), enqueue("u", owner="me")]
LIFE = [enqueue("t-1", owner="me"), start("t-1"), succeed("t-1"), enqueue("u")]


@pytest.mark.parametrize("instant", ["before", "after"])
@pytest.mark.parametrize(
    ("before", "moves", "word"),
    [
        pytest.param([], [enqueue("t-1", owner="me")], b"t-1", id="enqueue"),
        pytest.param([enqueue("t-1", owner="me")], [start("t-1")], b"t-1", id="start"),
        pytest.param(ALIVE, [Log("t-1", 1, NOW, "info", "x")], b"t-1", id="log"),
        pytest.param(ALIVE, [succeed("t-1"), enqueue("u")], b"t-1", id="settle"),
        pytest.param(ALIVE, [retry("t-1")], b"t-1", id="retry"),
        pytest.param(ALIVE, [AskCancel("t-1", "why")], b"t-1", id="ask"),
        pytest.param([*ALIVE, fail("t-1")], [requeue("t-1")], b"t-1", id="requeue"),
        # These take several statements, and are committed by a word of its own.
        pytest.param([], FIRES, b"t-1", id="slot"),
        pytest.param([], FIRES, b"COMMIT", id="slot-commit"),
        pytest.param([], KEYED, b"COMMIT", id="key-commit"),
        pytest.param([], LIFE, b"COMMIT", id="life-commit"),
        pytest.param([*ALIVE, fail("t-1")], [requeue("t-1"), enqueue("u")], b"COMMIT", id="requeue-commit"),
    ],
)
async def test_a_cut_is_not_noticed_by_who_writes(backend, proxy, instant, before, moves, word):
    await backend.register([ScheduleEntry("hourly", FUNC, "r", SLOT)], NOW)
    await applied(backend, *before)
    setattr(proxy, f"breaks_{instant}", on(word))

    assert list(await backend.apply(moves)) == [True] * len(moves)

    assert proxy.broken == 1
    record = await given(backend, "t-1")
    assert len(record.logs) == sum(isinstance(move, Log) for move in moves)
    assert len(record.history) == len({attempt.number for attempt in record.history})
    ids = {move.id for move in (*before, *moves)}
    assert {record.id for record in await backend.find(EVERYTHING, Page())} == ids


async def test_a_server_that_says_good_bye_before_it_hangs_up_is_not_noticed_by_who_writes(backend, proxy):
    await applied(backend, enqueue("t-1", owner="me"))
    fields = b"SFATAL\0VFATAL\0C57P01\0Mterminating connection due to administrator command\0\0"
    proxy.say_to_all(b"E" + struct.pack(">I", len(fields) + 4) + fields)
    await asyncio.to_thread(lambda: None)

    assert list(await backend.apply([start("t-1")])) == [True]

    assert (await given(backend, "t-1")).status is TaskStatus.RUNNING


@pytest.mark.parametrize("instant", ["before", "after"])
async def test_a_move_without_effect_stays_without_effect(backend, proxy, instant):
    await applied(backend, enqueue("t-1", owner="me"))
    setattr(proxy, f"breaks_{instant}", on(b"t-1"))

    assert list(await backend.apply([start("t-1", owner="other"), enqueue("u")])) == [False, True]


@pytest.mark.parametrize("instant", ["before", "after"])
async def test_what_was_claimed_and_not_answered_is_not_lost(backend, proxy, instant):
    await applied(backend, enqueue("a"), enqueue("b", run_at=NOW + 5))
    setattr(proxy, f"breaks_{instant}", on(b"the-claimer"))

    claim = await backend.claim(Wanted("the-claimer", [FUNC], 10, NOW))
    again = await backend.claim(Wanted("the-claimer", [FUNC], 10, NOW))

    assert [record.id for record in claim.records] == ["a"]
    assert claim.next_at is not None
    assert (list(again.records), again.next_at) == ([], NOW + 5)


@pytest.mark.parametrize("instant", ["before", "after"])
@pytest.mark.parametrize("word", [b"first", b"COMMIT"])
async def test_a_batch_stays_in_doubt_until_the_server_is_back(backend, proxy, instant, word):
    """The server is away for longer than anybody waits; the batch may take one statement or several."""
    await backend.register([ScheduleEntry("hourly", FUNC, "r", SLOT)], NOW)
    await applied(backend, enqueue("runs", owner="me", started_at=NOW))
    moves = [enqueue("first", owner="me"), Log("runs", 1, NOW, "info", "x"), succeed("runs")]
    if word == b"COMMIT":
        moves += [Fire("t-1", "hourly", SLOT, SLOT + 60, NOW, SLOT), enqueue("t-1", owner="me", schedule="hourly")]
    setattr(proxy, f"breaks_{instant}", on(word))
    proxy.is_open = False

    with pytest.raises(BackendInDoubtError, match="it is tried again") as told:
        await backend.apply(moves)
    with pytest.raises(BackendInDoubtError):
        await told.value.ask_again()
    proxy.is_open = True

    assert list(await told.value.ask_again()) == [True] * len(moves)
    assert list(await backend.apply([start("first")])) == [True]
    record = await given(backend, "runs")
    assert (record.status, len(record.logs)) == (TaskStatus.SUCCESS, 1)
    [state] = await backend.schedules()
    assert state.last_id == ("t-1" if word == b"COMMIT" else None)


async def test_a_server_that_is_away_refuses_and_keeps_nothing(backend, proxy):
    proxy.is_open = False
    proxy.cut()
    await until(lambda: proxy.talks == 0)
    with pytest.raises(BackendUnavailableError) as told:
        await backend.apply([enqueue("t-1")])
    assert not isinstance(told.value, BackendInDoubtError)

    proxy.is_open = True
    assert await backend.get("t-1") is None


async def test_hints_come_again_after_the_connection_was_lost(backend, proxy, tmp_path):
    other = backend_from(postgres.url_for(tmp_path))
    await other.open()
    heard = []
    backend.notifier.listen(WORK, heard.append)

    proxy.cut()
    await until(lambda: None in heard)
    other.notifier.signal(WORK)
    await until(lambda: "" in heard)

    await other.close()


@pytest.mark.parametrize("seed", [1, 2])
async def test_a_manager_among_cuts_at_random_instants(proxy, seed):
    chance = random.Random(seed)
    ran = []
    manager = TaskManager(proxy.url, shutdown_grace=1.0)

    @manager.task(name="once")
    async def once(number: int) -> None:
        ran.append(number)

    accepted = {}

    async def client(numbers):
        for number in numbers:
            try:
                accepted[number] = (await manager.enqueue(once, number)).id
            except BackendUnavailableError:
                continue  # told so, and tried no more

    async def cutter():
        for _ in range(12):
            await asyncio.sleep(chance.uniform(0.0, 0.06))  # noqa: TID251 - a random instant is the case under test
            proxy.cut()

    async with manager:
        await asyncio.gather(cutter(), *(client(range(first, 400, 8)) for first in range(8)))

        async def all_ended():
            counts = await manager.counts()
            return not (counts.get(TaskStatus.PENDING) or counts.get(TaskStatus.RUNNING))

        await until(lambda: _patiently(all_ended), 20)
        records = {record.id: record for record in await _patiently(lambda: manager.find(page=Page(limit=1000)))}

    assert proxy.broken > 12
    assert len(ran) == len(set(ran)), "some ran twice"
    assert set(accepted.values()) <= records.keys(), "some are lost"
    assert {records[task_id].status for task_id in accepted.values()} == {TaskStatus.SUCCESS}
    taken_back = [record for record in records.values() if record.status is TaskStatus.CANCELLED]
    assert len(records) == len(ran) + len(taken_back)


async def _patiently(look):
    try:
        return await look()
    except BackendUnavailableError:
        return None
