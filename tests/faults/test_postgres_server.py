"""What the server and its surroundings may do: other zones and clocks, no connections, restarts, many that start."""

import asyncio
import signal
import subprocess
import sys
from pathlib import Path

import asyncpg
import psycopg
import pytest
from support import postgres
from support.waiting import ended, until
from tests.conformance.conformance_kit import FUNC, NOW, applied, enqueue, given, start

from outlive import BackendUnavailableError, ConfigError, PostgresBackend, TaskManager, TaskStatus
from outlive.backends.postgres import connections, server_time
from outlive.backends.urls import backend_from
from outlive.core.record import moment
from outlive.errors import BackendError
from outlive.ports import Instance, Wanted

HOUR = 3600.0


@pytest.fixture
async def pool(tmp_path):
    schema = postgres.url_for(tmp_path).partition("schema=")[2]
    settings = {"search_path": schema, "timezone": "Asia/Kathmandu"}
    async with asyncpg.create_pool(postgres.url(), min_size=1, max_size=6, server_settings=settings) as pool:
        await pool.execute(f'create schema if not exists "{schema}"')
        yield pool


# -- zones and clocks ----------------------------------------------------------------------------


async def test_the_zone_of_a_session_does_not_matter(pool, tmp_path):
    ours, theirs = PostgresBackend(pool), backend_from(postgres.url_for(tmp_path))
    await ours.open()
    await theirs.open()

    await applied(ours, enqueue("t", owner="me", run_at=NOW + 0.123456), start("t", at=NOW + 1))

    for backend in (ours, theirs):
        record = await given(backend, "t")
        assert (record.run_at, record.start_time) == (moment(NOW + 0.123456), moment(NOW + 1))
        assert record.created_at.utcoffset().total_seconds() == 0
    await ours.close()
    await theirs.close()
    assert await pool.fetchval("select 1") == 1, "the application's own pool stays open"


@pytest.fixture
async def apart(tmp_path, monkeypatch):
    """Two machines on one server; the clock of the first is an hour ahead of the server's, or behind it."""

    async def open_at(ahead):
        backend = backend_from(postgres.url_for(tmp_path))
        with monkeypatch.context() as patch:
            real = server_time.now
            patch.setattr(server_time, "now", lambda: real() + ahead)
            await backend.open()
        return backend

    opened = []

    async def machines(ahead):
        opened.extend([await open_at(ahead), await open_at(0.0)])
        return opened

    yield machines
    for backend in opened:
        await backend.close()


@pytest.mark.parametrize("ahead", [HOUR, -HOUR])
async def test_machines_whose_clocks_differ_agree_on_leases(apart, ahead):
    ours, theirs = await apart(ahead)
    here, there = server_time.now() + ahead, server_time.now()

    lease = await ours.leases.take("k", "a", 10, here)

    assert lease.expires_at == pytest.approx(here + 10, abs=0.01)
    assert (await theirs.leases.take("k", "b", 10, there + 8)).holder == "a"
    assert (await theirs.leases.take("k", "b", 10, there + 11)).holder == "b"


@pytest.mark.parametrize("ahead", [HOUR, -HOUR])
async def test_machines_whose_clocks_differ_see_each_other_alive(apart, ahead):
    ours, theirs = await apart(ahead)
    here, there = server_time.now() + ahead, server_time.now()
    await ours.join(Instance("ours", "here", 1, here, 10), here)
    await theirs.join(Instance("theirs", "there", 2, there, 10), there)

    assert list(await theirs.lost(there + 8, 10, "theirs")) == []
    assert list(await ours.lost(here + 8, 10, "ours")) == []
    assert list(await theirs.lost(there + 11, 10, "theirs")) == ["ours"]


@pytest.mark.parametrize("ahead", [HOUR, -HOUR])
async def test_what_one_machine_leaves_is_due_on_the_other_at_once(apart, ahead):
    ours, theirs = await apart(ahead)
    here, there = server_time.now() + ahead, server_time.now()
    await applied(ours, enqueue("t", created_at=here, run_at=here), enqueue("u", created_at=here, run_at=here + 5))

    claim = await theirs.claim(Wanted("theirs", [FUNC], 10, there + 0.5))

    assert [record.id for record in claim.records] == ["t"]
    assert claim.next_at == pytest.approx(there + 5, abs=0.1)
    assert (await given(ours, "t")).run_at.timestamp() == pytest.approx(here, abs=0.001)


async def test_a_time_that_a_message_takes_is_no_difference():
    time = server_time.ServerTime()
    time.compare(100.0, 100.5, 100.4)
    assert time.ahead == 0.0
    time.compare(100.0, 100.5, 160.0)
    assert time.ahead == 59.75
    time.compare(200.0, 200.5, 260.2)
    assert time.ahead == 59.75
    time.compare(300.0, 300.5, 300.1)
    assert time.ahead == 0.0


# -- connections ---------------------------------------------------------------------------------


async def test_an_exhausted_pool_is_said_to_be(pool, monkeypatch):
    backend = PostgresBackend(pool)
    await backend.open()
    await applied(backend, enqueue("t"))
    monkeypatch.setattr(connections, "PATIENCE", 0.05)
    taken = [await pool.acquire() for _ in range(pool.get_max_size() - pool.get_size() + pool.get_idle_size())]

    with pytest.raises(BackendUnavailableError, match="all 6 connections of the pool are in use"):
        await backend.get("t")
    assert await applied(backend, enqueue("u")) is None, "what is written has a connection of its own"

    await pool.release(taken.pop())
    assert (await given(backend, "t")).id == "t"
    for connection in taken:
        await pool.release(connection)
    await backend.close()


async def test_a_pool_that_is_too_small_is_refused():
    async with asyncpg.create_pool(postgres.url(), min_size=1, max_size=4) as small:
        with pytest.raises(ConfigError, match="max_size=4"):
            await PostgresBackend(small).open()


@pytest.mark.parametrize(
    ("url", "said"),
    [
        pytest.param("postgresql://postgres@127.0.0.1:1/app", "check that the server runs", id="nobody-there"),
        pytest.param("postgresql:///app?host=/nowhere", "check that the server runs", id="no-socket"),
    ],
)
async def test_a_server_that_is_not_there(url, said):
    with pytest.raises(BackendUnavailableError, match=said):
        await backend_from(url).open()


async def test_a_database_that_is_not_there():
    before, _, asked = postgres.url().partition("?")
    url = f"{before.rpartition('/')[0]}/no_such_database?{asked}"
    with pytest.raises(BackendUnavailableError, match="create the database"):
        await backend_from(url).open()


async def test_a_backend_that_is_not_open_says_so():
    backend = backend_from("postgresql://nobody@127.0.0.1/app")
    with pytest.raises(BackendError, match="await its open"):
        await backend.apply([enqueue("t")])


@pytest.mark.parametrize("url", ["postgresql:///app?max_connections=2", "postgresql:///app?max_connections=many"])
def test_options_of_a_url_are_checked(url):
    with pytest.raises(ConfigError, match="max_connections"):
        backend_from(url)


# -- restarts ------------------------------------------------------------------------------------


@pytest.fixture
def own_server():
    server = postgres.Server(16)
    yield server
    server.remove()


@pytest.mark.parametrize("how", [signal.SIGQUIT, signal.SIGINT], ids=["crash", "orderly"])
async def test_a_server_that_is_restarted_loses_and_doubles_nothing(own_server, how):
    ran = []
    manager = TaskManager(own_server.url, shutdown_grace=1.0)

    @manager.task(name="once")
    async def once(number: int) -> None:
        ran.append(number)

    accepted = []

    async def client(numbers):
        for number in numbers:
            while True:
                try:
                    accepted.append((await manager.enqueue(once, number)).id)
                    break
                except BackendUnavailableError:
                    await asyncio.sleep(0.02)  # noqa: TID251 - a client that comes again

    async with manager:
        clients = asyncio.gather(*(client(range(first, 800, 8)) for first in range(8)))
        await until(lambda: len(accepted) > 100)
        await asyncio.to_thread(own_server.restart, how)
        await clients

        statuses = [(await ended(manager, task_id)).status for task_id in accepted]

    assert set(statuses) == {TaskStatus.SUCCESS}
    assert sorted(ran) == list(range(800))


async def test_a_crash_just_after_a_claim_leaves_each_record_to_somebody(own_server):
    """A claim does not wait for the disk, so it may be undone; then its start has no effect."""
    backend = backend_from(own_server.url)
    await backend.open()
    ids = [f"t-{number:02}" for number in range(20)]
    await applied(backend, *map(enqueue, ids))

    claimed = [(await backend.claim(Wanted("me", [FUNC], 1, NOW))).records[0].id for _ in ids]
    await asyncio.to_thread(own_server.restart)
    started = await backend.apply([start(task_id, owner="me") for task_id in claimed])
    again = [record.id for record in (await backend.claim(Wanted("other", [FUNC], 100, NOW))).records]

    assert claimed == ids
    assert sorted([*again, *(one for one, is_mine in zip(claimed, started, strict=True) if is_mine)]) == ids
    await backend.close()


# -- schema --------------------------------------------------------------------------------------


def test_eight_processes_that_start_at_once_make_one_schema(own_server):
    command = [sys.executable, str(Path(__file__).with_name("postgres_opener.py")), f"{own_server.url}&schema=a%22b"]
    children = [
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        for _ in range(8)
    ]
    said = [child.communicate("\n", timeout=40) for child in children]

    assert said == [("0\n", "")] * 8
    with psycopg.connect(own_server.url) as connection:
        rows = connection.execute('select version from "a""b".outlive_schema order by version').fetchall()
    assert rows == [(number + 1,) for number in range(len(rows))]


async def test_a_schema_of_a_later_release_is_refused_with_the_remedy(tmp_path):
    backend = backend_from(postgres.url_for(tmp_path))
    await backend.open()
    await backend.close()
    schema = postgres.url_for(tmp_path).partition("schema=")[2]
    with psycopg.connect(postgres.url(), autocommit=True) as connection:
        connection.execute(f'insert into "{schema}".outlive_schema values (900, 1)')
        await backend.open()
        await backend.close()
        connection.execute(f'insert into "{schema}".outlive_schema values (901, 901)')
        with pytest.raises(BackendError, match="upgrade outlive"):
            await backend.open()
        connection.execute(f'delete from "{schema}".outlive_schema where version >= 900')


async def test_text_that_the_server_cannot_store_fails_alone(tmp_path):
    backend = backend_from(postgres.url_for(tmp_path))
    await backend.open()
    with pytest.raises(Exception, match=r"0x00|invalid byte"):
        await backend.apply([enqueue("t\0")])
    await applied(backend, enqueue("u"))
    await backend.close()
