"""What is special to the file: it lasts, it is opened and closed, and it takes what it can hold."""

import asyncio
import sqlite3

import pytest

from outlive.backends.sqlite import SqliteBackend
from outlive.backends.sqlite.writer import Writer
from outlive.core.filter import EVERYTHING, Page
from outlive.core.moves import Enqueue, Settle
from outlive.core.states import Event, TaskStatus
from outlive.errors import BackendError, ConfigError


@pytest.fixture
def path(tmp_path):
    return tmp_path / "tasks.db"


@pytest.fixture
async def backend(path):
    backend = SqliteBackend(path)
    await backend.open()
    yield backend
    await backend.close()


def enqueue(task_id, **facts):
    return Enqueue(task_id, "f", "f", 0.0, 0.0, **facts)


def test_one_backend_serves_one_loop_after_another(path):
    backend = SqliteBackend(path)

    async def use(name):
        await backend.open()
        assert list(await backend.apply([enqueue(name)])) == [True]
        found = await backend.find(EVERYTHING, Page())
        await backend.close()
        return [record.id for record in found]

    assert asyncio.run(use("a")) == ["a"]
    assert asyncio.run(use("b")) == ["b", "a"]


async def test_it_lasts(path, backend):
    await backend.apply([enqueue("t", owner="me", started_at=1.0)])
    other = SqliteBackend(path)
    await other.open()

    await other.apply([Settle("t", 1, Event.SUCCEED, TaskStatus.SUCCESS, 2.0)])
    await other.close()

    record = await backend.get("t")
    assert record is not None
    assert record.status is TaskStatus.SUCCESS


async def test_to_open_twice_is_harmless(backend):
    await backend.open()
    assert list(await backend.apply([enqueue("t")])) == [True]


async def test_a_closed_backend_says_what_is_missing(path):
    backend = SqliteBackend(path)

    with pytest.raises(BackendError, match=r"not open; await its open\(\) first"):
        await backend.apply([enqueue("t")])
    with pytest.raises(BackendError, match=r"not open; await its open\(\) first"):
        await backend.get("t")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        pytest.param({"db_path": ":memory:"}, "use MemoryBackend", id="memory"),
        pytest.param({"db_path": ""}, "use MemoryBackend", id="empty"),
        pytest.param({"synchronous": "OFF"}, '"FULL" or "NORMAL"', id="synchronous"),
        pytest.param({"max_readers": 0}, "use 1 or more", id="readers"),
    ],
)
def test_options_that_cannot_work(options, message):
    with pytest.raises(ConfigError, match=message):
        SqliteBackend(**options)


async def test_a_library_that_is_too_old(path, monkeypatch):
    monkeypatch.setattr(sqlite3, "sqlite_version_info", (3, 31, 1))
    monkeypatch.setattr(sqlite3, "sqlite_version", "3.31.1")

    with pytest.raises(BackendError, match=r"3\.35 or newer, this Python has 3\.31\.1"):
        await SqliteBackend(path).open()


@pytest.mark.parametrize(
    "bad",
    [
        pytest.param(enqueue("bad", priority=2**70), id="number"),
        pytest.param(enqueue("bad", label="\ud800"), id="surrogate"),
        pytest.param(enqueue("bad", queue=None), id="null"),
    ],
)
async def test_a_move_that_cannot_be_stored_leaves_nothing_of_its_batch(backend, bad):
    with pytest.raises((OverflowError, UnicodeEncodeError, sqlite3.IntegrityError)):
        await backend.apply([enqueue("good"), bad])

    assert await backend.get("good") is None
    assert list(await backend.apply([enqueue("good")])) == [True]


async def test_a_caller_that_goes_away_harms_nobody(backend):
    calls = [asyncio.ensure_future(backend.apply([enqueue(f"t{number}")])) for number in range(20)]
    await asyncio.wait(calls[:1])
    for call in calls[10:]:
        call.cancel()
    await asyncio.wait(calls)

    assert list(await backend.apply([enqueue("last")])) == [True]
    names = {record.id for record in await backend.find(EVERYTHING, Page())}
    assert names >= {f"t{number}" for number in range(10)} | {"last"}


async def test_callers_that_write_at_once(backend):
    calls = [backend.apply([enqueue(f"t{number:03}-{place}") for place in range(3)]) for number in range(100)]

    answers = await asyncio.gather(*calls)

    assert all(all(answer) for answer in answers)
    assert dict(await backend.counts()) == {TaskStatus.PENDING: 300}


@pytest.mark.parametrize(("synchronous", "expected"), [("FULL", 2), ("NORMAL", 1)])
async def test_synchronous(path, synchronous, expected):
    backend = SqliteBackend(path, synchronous=synchronous)
    await backend.open()
    assert backend._writers is not None

    def look(connection):
        pragmas = ("synchronous", "journal_mode", "foreign_keys")
        return [connection.execute(f"pragma {name}").fetchone()[0] for name in pragmas]

    found = await backend._writers.call(lambda writer: writer.read(look))
    await backend.close()
    assert found == [expected, "wal", 1]


async def test_readers_cannot_write(backend):
    assert backend._readers is not None
    with pytest.raises(BackendError, match="readonly"):
        await backend._readers.call(
            lambda reader: reader.use(lambda connection: connection.execute("delete from outlive_record"))
        )


async def test_the_journal_of_the_file_is_gone_after_close(path):
    backend = SqliteBackend(path)
    await backend.open()
    await backend.apply([enqueue("t")])
    await backend.close()

    assert not path.with_name("tasks.db-wal").exists()


def test_what_is_written_ahead_does_not_wait_for_the_disk_and_what_follows_does(path):
    writer = Writer(path, "FULL", 1.0)
    writer.prepare()
    seen = []

    def see(connection):
        seen.append(connection.execute("pragma synchronous").fetchone()[0])

    def fail(connection):
        see(connection)
        raise ValueError("no")

    writer.write(see)
    writer.write_unsynced(see)
    with pytest.raises(ValueError, match="no"):
        writer.write_unsynced(fail)
    writer.write(see)
    writer.close()
    normal, full = 1, 2
    assert seen == [full, normal, normal, full]


def test_a_write_that_could_not_be_rolled_back_is_not_committed_by_the_next_step(path):
    writer = Writer(path, "FULL", 1.0)
    writer.prepare()

    def refuse_to_roll_back(action, what, *_):
        is_rollback = (action, what) == (sqlite3.SQLITE_TRANSACTION, "ROLLBACK")
        return sqlite3.SQLITE_DENY if is_rollback else sqlite3.SQLITE_OK

    def fail(connection):
        connection.execute("create table undone (number integer)")
        connection.set_authorizer(refuse_to_roll_back)
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        writer.write_unsynced(fail)

    found = writer.read(lambda connection: connection.execute("select name from sqlite_schema").fetchall())
    writer.close()
    assert ("undone",) not in found
