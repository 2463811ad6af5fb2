"""The connection breaks before or after the server has done it: nothing is lost, nothing is done twice."""

import asyncio
from uuid import uuid4

import pytest
from redis.asyncio import Redis
from support.proxy import Proxy, never, on
from support.recording import Trail
from support.valkey import server_url
from support.waiting import ended, turns, until
from tests.conformance.conformance_kit import FUNC, NOW, applied, enqueue, fail, given, retry, start

from outlive import BackendUnavailableError, TaskManager, TaskStatus
from outlive.backends.redis import RedisBackend
from outlive.core.moves import Log
from outlive.errors import BackendInDoubtError
from outlive.ports import LEASE, Instance, Wanted


@pytest.fixture
def prefix():
    return uuid4().hex


@pytest.fixture
async def proxy():
    async with Proxy(server_url()) as proxy:
        yield proxy


@pytest.fixture
async def backend(proxy, prefix):
    backend = RedisBackend(proxy.url, prefix)
    await backend.open()
    yield backend
    proxy.is_open = True
    await backend.close()


def break_scripts(proxy, where, count=1):
    setattr(proxy, f"breaks_{where}", on(b"EVAL", count))


@pytest.mark.parametrize("where", ["before", "after"])
async def test_every_move_is_done_once_and_has_its_answer(backend, proxy, where):
    moves = [
        [enqueue("t", owner="me"), enqueue("t"), enqueue("u", owner="me", idempotency_key="k")],
        [start("t"), start("t")],
        [Log("t", 1, NOW, "info", "here"), retry("t")],
        [start("t", 1), fail("t", 2), enqueue("v", idempotency_key="k")],
    ]
    answers = []
    for batch in moves:
        break_scripts(proxy, where)
        answers.append(list(await backend.apply(batch)))

    assert proxy.broken == len(moves)
    assert answers == [[True, False, True], [True, False], [True, True], [True, True, False]]
    record = await given(backend, "t")
    assert (record.status, record.attempts, len(record.history), len(record.logs)) == (TaskStatus.FAILED, 2, 2, 1)


@pytest.mark.parametrize("where", ["before", "after"])
async def test_a_batch_stays_in_doubt_until_the_server_is_back(backend, proxy, where):
    proxy.is_open = True
    break_scripts(proxy, where)
    applying = asyncio.create_task(_apply_and_close(backend, proxy))
    with pytest.raises(BackendInDoubtError) as told:
        await applying
    with pytest.raises(BackendInDoubtError):
        await told.value.ask_again()

    proxy.is_open = True
    assert list(await told.value.ask_again()) == [True]
    assert list(await backend.apply([start("t")])) == [True]


async def _apply_and_close(backend, proxy):
    breaks = {name: getattr(proxy, name) for name in ("breaks_before", "breaks_after")}

    def closing(name):
        def look(data):
            if breaks[name](data):
                proxy.is_open = False
                return True
            return False

        return look

    for name in breaks:
        setattr(proxy, name, closing(name))
    return await backend.apply([enqueue("t", owner="me")])


async def test_a_server_that_is_away_refuses_and_keeps_nothing(backend, proxy):
    proxy.is_open = False
    proxy.cut()
    await until(lambda: proxy.talks == 0)
    with pytest.raises(BackendUnavailableError) as told:
        await backend.apply([enqueue("t")])
    assert not isinstance(told.value, BackendInDoubtError)

    proxy.is_open = True
    assert await backend.get("t") is None


async def test_what_was_handed_over_unheard_is_handed_over_again(backend, proxy):
    await applied(backend, *(enqueue(name) for name in "abc"))
    break_scripts(proxy, "after", 10)
    with pytest.raises(BackendUnavailableError):
        await backend.claim(Wanted("me", [FUNC], 2, NOW))

    proxy.breaks_after = never
    first = await backend.claim(Wanted("me", [FUNC], 2, NOW))
    second = await backend.claim(Wanted("me", [FUNC], 2, NOW))

    assert [record.id for record in [*first.records, *second.records]] == ["a", "b", "c"]


@pytest.mark.parametrize("where", ["before", "after"])
async def test_everything_else_is_asked_again(backend, proxy, where):
    await backend.apply([enqueue("t", owner="gone"), enqueue("u", owner="gone", recoverable=False)])
    verbs = [
        lambda: backend.join(Instance("me", "host", 1, NOW), NOW),
        lambda: backend.beat("me", NOW),
        lambda: backend.lost(NOW + 100, 15, "me"),
        lambda: backend.get("t"),
        backend.counts,
        lambda: backend.leases.take("k", "me", 10, NOW),
        lambda: backend.leases.renew("k", "me", 10, NOW),
    ]
    answers = []
    for verb in verbs:
        break_scripts(proxy, where)
        answers.append(await verb())

    assert proxy.broken == len(verbs)
    assert answers[1:3] == [True, ["gone"]]
    assert answers[3].id == "t"
    assert answers[5].holder == "me"
    assert answers[6] is True


async def test_hints_come_again_after_the_connection_broke(backend, proxy, prefix):
    heard = []
    backend.notifier.listen(LEASE, heard.append)
    await until(lambda: heard == [None])
    proxy.cut()
    await until(lambda: heard == [None, None])

    other = RedisBackend(server_url(), prefix)
    await other.open()
    other.notifier.signal(LEASE, "somebody")
    await until(lambda: "somebody" in heard)
    await other.close()


async def test_nothing_is_asked_any_more_when_the_backend_is_closed(proxy, prefix, monkeypatch):
    backend = RedisBackend(proxy.url, prefix)
    await backend.open()
    answer = asyncio.Event()

    async def slow(*_):
        await answer.wait()
        return []

    monkeypatch.setattr(backend._link, "ask", slow)
    backend.leases.watch("me", lambda: None)
    backend.notifier.missed()
    await turns(2)
    asyncio.get_running_loop().call_later(0.2, answer.set)
    await backend.close()
    assert "outlive lease turns" not in {task.get_name() for task in asyncio.all_tasks()}


async def test_a_pool_that_is_exhausted_says_so_and_recovers(proxy, prefix):
    backend = RedisBackend(proxy.url, prefix, max_connections=2, timeout=0.05)  # one of them listens
    heard = []
    backend.notifier.listen(LEASE, heard.append)
    await backend.open()
    await until(lambda: heard)
    connections = backend._link._connections
    connection = await connections.take()
    with pytest.raises(BackendUnavailableError, match="connection"):
        await backend.apply([enqueue("t")])

    await connections.give(connection)
    assert list(await backend.apply([enqueue("t")])) == [True]
    await backend.close()


async def test_a_pool_that_is_too_small_lets_everybody_wait_for_it(proxy, prefix):
    backend = RedisBackend(proxy.url, prefix, max_connections=2, timeout=20)  # one of them listens
    heard = []
    backend.notifier.listen(LEASE, heard.append)
    await backend.open()
    await until(lambda: heard)
    landed = await asyncio.gather(*(backend.apply([enqueue(f"t{number}")]) for number in range(20)))
    assert [list(answers) for answers in landed] == [[True]] * 20
    await backend.close()


async def test_an_answer_that_nobody_waits_for_is_not_taken_for_another(backend):
    await applied(backend, enqueue("t"))
    for number in range(50):
        asking = asyncio.ensure_future(backend.get("t"))
        await turns(number % 5)
        asking.cancel()

        assert await backend.counts() == {TaskStatus.PENDING: 1}


async def test_a_connection_that_broke_while_nothing_was_said_is_not_used_again(backend, proxy):
    heard = []
    backend.notifier.listen(LEASE, heard.append)
    await until(lambda: heard == [None])
    proxy.cut()
    await until(lambda: heard == [None, None])  # it is known by now
    assert await backend._link.run("counts", {}, repeats=0) is not None


@pytest.mark.parametrize("options", [{"socket_timeout": 7}, {"decode_responses": True}, {"protocol": 3}], ids=str)
async def test_a_client_of_the_application(prefix, options):
    client = Redis.from_url(server_url(), **options)
    backend = RedisBackend(client=client, prefix=prefix)
    await backend.open()
    heard = []
    backend.notifier.listen(LEASE, heard.append)
    await applied(backend, enqueue("t", arguments='{"é": 1}'), enqueue("u"))
    assert (await given(backend, "t")).arguments == '{"é": 1}'
    assert [record.id for record in (await backend.claim(Wanted("me", [FUNC], 5, NOW))).records] == ["t", "u"]
    await until(lambda: heard)
    await backend.close()

    assert await client.ping(), "it is the application's to close"
    connection = await client.connection_pool.get_connection()
    assert connection.socket_timeout == client.connection_pool.make_connection().socket_timeout
    await client.connection_pool.release(connection)
    await client.aclose()


async def test_tasks_of_a_manager_survive_a_connection_that_breaks_all_the_time(proxy, prefix):
    runs = Trail()
    manager = TaskManager(RedisBackend(proxy.url, prefix), poll_interval=0.1)

    @manager.task(name="work")
    async def work(number: int) -> None:
        runs.mark(str(number))

    accepted = []
    async with manager:
        for number in range(200):
            if number % 5 == 0:
                break_scripts(proxy, "after" if number % 10 else "before")
            accepted.append(await manager.enqueue(work, number))
        records = [await ended(manager, task.id) for task in accepted]

    assert proxy.broken >= 40
    assert {record.status for record in records} == {TaskStatus.SUCCESS}
    assert sorted(map(int, runs)) == list(range(200))
