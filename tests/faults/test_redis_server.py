"""What a server may do: forget scripts, restart, refuse, be a replica, be full, be wrong about the time."""

import asyncio
import logging
import os
import signal
from uuid import uuid4

import pytest
from redis.asyncio import Redis
from support.recording import captured_log
from support.valkey import own_server, server_url, unused_port
from support.waiting import ended, until
from tests.conformance.conformance_kit import FUNC, NOW, applied, enqueue, given, start, succeed

from outlive import BackendUnavailableError, TaskManager, TaskStatus
from outlive.backends.redis import RedisBackend, clock, schema
from outlive.backends.redis.scripts import migrations
from outlive.core.filter import EVERYTHING, Page
from outlive.errors import BackendError
from outlive.ports import Instance, Wanted
from outlive.runtime.journal import commit


@pytest.fixture
def prefix():
    return uuid4().hex


@pytest.fixture
async def backend(prefix):
    backend = RedisBackend(server_url(), prefix)
    await backend.open()
    yield backend
    await backend.close()


@pytest.fixture
async def client():
    async with Redis.from_url(server_url()) as client:
        yield client


async def open_on(url, prefix="p", **options):
    backend = RedisBackend(url, prefix, **options)
    await backend.open()
    return backend


async def test_scripts_that_the_server_forgets_are_taught_again(backend, client):
    for number in range(3):
        await client.script_flush()
        await applied(backend, enqueue(f"t{number}", owner="me"), start(f"t{number}"), succeed(f"t{number}"))
    await client.script_flush()

    assert await backend.counts() == {TaskStatus.SUCCESS: 3}


async def test_a_server_that_restarts_has_everything_and_is_found_again(tmp_path):
    keeps = {"appendonly": "yes", "appendfsync": "always", "data_dir": tmp_path, "persist": True}
    with own_server(port=unused_port(), **keeps) as server:
        manager = TaskManager(RedisBackend(server.connection_url), poll_interval=0.1)
        started, gate = asyncio.Event(), asyncio.Event()

        @manager.task(name="work")
        async def work() -> None:
            started.set()
            await gate.wait()

        async with manager:
            before = await manager.enqueue(work)
            await started.wait()
            server.terminate()  # kill -9
            with pytest.raises(BackendUnavailableError):
                await manager.enqueue(work)
            gate.set()
            server.start()
            assert (await ended(manager, before.id)).status is TaskStatus.SUCCESS
            after = await manager.enqueue(work)
            assert (await ended(manager, after.id)).status is TaskStatus.SUCCESS


async def test_a_server_that_forgets_everything_is_gone_on_with():
    with own_server(port=unused_port(), save="") as server:
        manager = TaskManager(server.connection_url, poll_interval=0.1, lease=0.6)
        started, gate = asyncio.Event(), asyncio.Event()

        @manager.task(name="work")
        async def work() -> None:
            started.set()
            await gate.wait()

        async with manager:
            before = await manager.enqueue(work)
            await started.wait()
            server.terminate()
            server.start()
            gate.set()

            after = await until(lambda: _accepted(manager, work))
            assert (await ended(manager, after.id)).status is TaskStatus.SUCCESS
            assert await manager.get(before.id) is None
            await until(lambda: _is_announced(manager))


async def _accepted(manager, task):
    try:
        return await manager.enqueue(task)
    except BackendUnavailableError:
        return None


async def _is_announced(manager):
    return [state.instance.id for state in await manager.backend.instances()] == [manager.runtime.process.instance.id]


async def test_a_server_that_stands_still_is_waited_for_no_longer_than_was_said():
    with own_server(save="") as server:
        backend = await open_on(server.connection_url, socket_timeout=0.3)
        assert backend._link is not None
        pid = int((await backend._link.command("INFO", "server")).partition(b"process_id:")[2].split()[0])
        os.kill(pid, signal.SIGSTOP)
        try:
            with pytest.raises(BackendUnavailableError, match="not known whether"):
                await backend._link.run("counts", {})
        finally:
            os.kill(pid, signal.SIGCONT)

        assert await backend.counts() == {}
        await backend.close()


async def test_a_replica_is_refused_with_the_remedy():
    with own_server() as server:
        backend = await open_on(server.connection_url)
        async with Redis.from_url(server.connection_url) as client:
            await client.replicaof("127.0.0.1", 1)
            with pytest.raises(BackendUnavailableError, match="replica; name the primary"):
                await backend.apply([enqueue("t")])
            await client.replicaof("NO", "ONE")
        assert list(await backend.apply([enqueue("t")])) == [True]
        await backend.close()


async def test_a_wrong_password_is_said_at_the_start_and_not_repeated():
    with own_server() as server:
        async with Redis.from_url(server.connection_url) as client:
            await client.config_set("requirepass", "right")
        for login in ("", ":wrong-one@", "nobody:wrong-one@"):
            with pytest.raises(BackendUnavailableError, match="the name or the password") as told:
                await open_on(f"redis://{login}127.0.0.1:{server.port}")
            assert "wrong-one" not in str(told.value)
        backend = await open_on(f"redis://:right@127.0.0.1:{server.port}")
        await backend.close()


async def test_no_server_is_said_at_the_start():
    with pytest.raises(BackendUnavailableError, match=r"Redis at 127\.0\.0\.1:1 cannot be reached"):
        await open_on("redis://127.0.0.1:1")


async def test_a_server_whose_memory_is_full_refuses_and_changes_nothing():
    with own_server() as server:
        backend = await open_on(server.connection_url)
        await applied(backend, enqueue("t", owner="me", idempotency_key="k"))
        async with Redis.from_url(server.connection_url) as client:
            await client.config_set("maxmemory", 1)
            with pytest.raises(BackendUnavailableError, match="maxmemory"):
                await backend.apply([enqueue("u"), start("t")])
            await client.config_set("maxmemory", 0)
        assert await backend.get("u") is None
        assert (await given(backend, "t")).status is TaskStatus.PENDING
        await backend.close()


@pytest.mark.parametrize(("policy", "warns"), [("allkeys-lru", True), ("volatile-ttl", True), ("noeviction", False)])
async def test_a_server_that_may_throw_tasks_away_is_warned_of(policy, warns):
    with own_server(**{"maxmemory-policy": policy}) as server, captured_log("outlive.redis") as lines:
        await (await open_on(server.connection_url)).close()
    assert [line.levelno for line in lines] == [logging.WARNING] * warns


async def test_a_record_that_was_thrown_away_harms_no_other(backend, client, prefix):
    names = [f"t{number}" for number in range(6)]
    await applied(backend, *(enqueue(name) for name in names), enqueue("mine", owner="me"), enqueue("too", owner="me"))
    for gone in ("r:t0", "f:t1", "r:mine"):
        await client.delete(f"{{{prefix}}}:{gone}")

    assert await backend.get("t0") is None
    assert [record.id for record in await backend.find(EVERYTHING, Page(3))] == ["too", "t5", "t4"]
    assert list(await backend.apply([start("t0"), start("mine"), start("too")])) == [False, False, True]
    assert await backend.explain([], "nobody knows it") == 6
    claim = await backend.claim(Wanted("you", [FUNC], 9, NOW))
    assert [record.id for record in claim.records] == names[2:]
    rescue = await backend.rescue("me", NOW, "died")
    assert list(rescue.interrupted) == ["too"]
    assert await client.exists(f"{{{prefix}}}:r:t0") == 0


async def test_instances_whose_clocks_disagree_agree_on_leases_and_on_what_is_due(prefix, backend, monkeypatch):
    monkeypatch.setattr(clock.time, "time", lambda: NOW)
    wrong = {name: await open_on(server_url(), prefix) for name in ("a", "b")}
    assert abs(wrong["a"]._clock.ahead) > 3600, "the server's clock is far from NOW"
    monkeypatch.undo()
    real = (await _server_seconds(backend)) + 0.0

    await wrong["a"].join(Instance("fast", "host", 1, NOW, 15), NOW)
    monkeypatch.setattr(clock.time, "time", lambda: NOW)
    await wrong["a"].join(Instance("fast", "host", 1, NOW, 15), NOW)
    monkeypatch.undo()
    await backend.join(Instance("right", "host", 1, real, 15), real)

    assert list(await backend.lost(real + 5, 15, "right")) == []
    assert list(await wrong["b"].lost(NOW + 5, 15, "fast")) == []
    taken = await wrong["a"].leases.take("k", "fast", 10, NOW)
    assert taken.expires_at == pytest.approx(NOW + 10)
    assert (await backend.leases.take("k", "right", 10, real + 5)).holder == "fast"
    assert (await wrong["b"].leases.take("k", "other", 10, NOW + 5)).expires_at == pytest.approx(NOW + 10, abs=1)
    assert (await backend.leases.take("k", "right", 10, real + 12)).holder == "right"

    here = NOW + 1
    await applied(
        wrong["a"], enqueue("t", created_at=here, run_at=here), enqueue("u", created_at=here, run_at=here + 5)
    )
    claim = await backend.claim(Wanted("right", [FUNC], 10, real + 2))
    assert [record.id for record in claim.records] == ["t"]
    assert claim.next_at == pytest.approx(real + 6, abs=1)
    assert (await given(wrong["a"], "t")).run_at.timestamp() == pytest.approx(here, abs=0.001)
    for one in wrong.values():
        await one.close()


async def _server_seconds(backend):
    seconds, micros = await backend._link.command("TIME")
    return int(seconds) + int(micros) / 1e6


async def test_a_later_layout_is_refused_unless_it_says_that_this_release_can_work_on_it(prefix, client):
    await (await open_on(server_url(), prefix)).close()
    await client.hset(f"{{{prefix}}}:schema", mapping={"version": 99, "compatible_from": 1})
    await (await open_on(server_url(), prefix)).close()

    await client.hset(f"{{{prefix}}}:schema", mapping={"compatible_from": 98})
    with pytest.raises(BackendError, match=r"layout 99, which needs a release that knows layout 98.*upgrade outlive"):
        await open_on(server_url(), prefix)


async def test_migrations_are_applied_once_however_many_start_together(prefix, client, monkeypatch):
    more = [
        *migrations(),
        (2, "-- compatible from: 1\ncall('incr', P .. 'second')"),
        (3, "-- compatible from: 1\ncall('incr', P .. 'third')"),
    ]
    monkeypatch.setattr(schema, "migrations", lambda: more)
    backends = await asyncio.gather(*(open_on(server_url(), prefix) for _ in range(8)))

    assert [await client.get(f"{{{prefix}}}:{name}") for name in ("second", "third")] == [b"1", b"1"]
    assert await client.hget(f"{{{prefix}}}:schema", "version") == b"3"
    for backend in backends:
        await backend.close()


async def test_unix_sockets(tmp_path):
    with own_server(port=0, unix_socket_path=tmp_path / "v.sock"):
        async with asyncio.timeout(9), TaskManager(f"unix://{tmp_path}/v.sock?db=1&prefix=mine") as manager:
            assert await manager.counts() == dict.fromkeys(TaskStatus, 0)
            assert manager.backend._link.where == str(tmp_path / "v.sock")


async def test_nothing_is_left_of_leases_and_answers(backend, client, prefix):
    for number in range(300):
        await backend.leases.take(f"k{number}", f"h{number}", 0.5, NOW + number)
        await backend.leases.take(f"k{number}", f"w{number}", 0.5, NOW + number, wait=0.5)
        await backend.apply([enqueue("t")])
    keys = [key async for key in client.scan_iter(f"{{{prefix}}}:*", 1000)]
    assert len(keys) < 60, sorted(keys)


async def test_a_process_hears_of_its_turn_while_its_event_loop_is_idle(prefix):
    ours, theirs = await open_on(server_url(), prefix), await open_on(server_url(), prefix)
    calls = []
    ours.leases.watch("b", lambda: calls.append("b"))
    await theirs.leases.take("k", "a", 10, NOW)
    await ours.leases.take("k", "b", 10, NOW, wait=60)
    await theirs.leases.force("k", "for a test", NOW)
    await until(lambda: calls)
    for one in (ours, theirs):
        await one.close()


async def test_a_manager_ends_although_its_server_is_away():
    with own_server() as server:
        manager = TaskManager(server.connection_url)
        await manager.startup()
        server.terminate()
        await asyncio.wait_for(manager.shutdown(), 9)
        assert not manager.is_started
        server.start()


@pytest.mark.parametrize("number", range(5))
async def test_a_manager_that_ends_at_once_does_not_hang(number):
    async with asyncio.timeout(9), TaskManager(f"{server_url()}?prefix={uuid4().hex}"):
        pass


async def test_text_that_cannot_be_sent_fails_alone(prefix):
    async with TaskManager(f"{server_url()}?prefix={prefix}") as manager:
        journal = manager.runtime.journal
        writes = [commit(journal, [enqueue(task_id)]) for task_id in ("t", "\ud800", "u")]
        answers = await asyncio.gather(*writes, return_exceptions=True)

        assert [list(answers[0]), list(answers[2])] == [[True], [True]]
        assert isinstance(answers[1], TypeError)
