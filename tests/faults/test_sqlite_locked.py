"""Transactions of others are waited for, not for ever, and what kept us out is named."""

import asyncio
import signal
import sqlite3
import time
from collections.abc import AsyncIterator, Iterator

import pytest
from tests.faults.sqlite_processes import child

from outlive.backends.sqlite import SqliteBackend
from outlive.core.filter import EVERYTHING, Page
from outlive.core.moves import Enqueue
from outlive.errors import BackendLockedError


@pytest.fixture
def path(tmp_path):
    return tmp_path / "tasks.db"


async def opened(path, **options) -> SqliteBackend:
    backend = SqliteBackend(path, **options)
    await backend.open()
    return backend


@pytest.fixture
async def patient(path) -> AsyncIterator[SqliteBackend]:
    """Waits 30 s, so that an early answer is one that did not wait."""
    backend = await opened(path, busy_timeout=30)
    yield backend
    await backend.close()


@pytest.fixture
async def hasty(path) -> AsyncIterator[SqliteBackend]:
    backend = await opened(path, busy_timeout=0.3)
    yield backend
    await backend.close()


@pytest.fixture
def session(path, patient) -> Iterator[sqlite3.Connection]:
    """The application's own transaction on the same file."""
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("create table mine (value integer)")
    connection.execute("begin immediate")
    connection.execute("insert into mine values (1)")
    yield connection
    connection.close()


def one(name: str) -> list[Enqueue]:
    return [Enqueue(name, "f", "f", 0.0, 0.0)]


async def test_own_transaction_fails_soon_and_names_the_remedy(patient, session):
    started = time.monotonic()
    with pytest.raises(BackendLockedError, match=r'another connection of this process.*scope="function"'):
        await patient.apply(one("t"))
    assert time.monotonic() - started < 2

    session.commit()
    assert list(await patient.apply(one("t"))) == [True]


async def test_own_transaction_that_ends_soon_is_waited_for(patient, session):
    asyncio.get_running_loop().call_later(0.05, session.commit)

    assert list(await patient.apply(one("t"))) == [True]


async def test_reads_do_not_wait(patient, session):
    assert list(await patient.find(EVERYTHING, Page())) == []
    assert await patient.get("t") is None
    assert dict(await patient.counts()) == {}


async def test_another_process_is_waited_for_as_long_as_was_said(path, hasty):
    with child("hold_transaction", path) as other:
        assert other.hear() == "ready"
        started = time.monotonic()
        with pytest.raises(BackendLockedError, match=r"another process .* 0\.3 s"):
            await hasty.apply(one("t"))
        assert 0.25 < time.monotonic() - started < 5

        other.go_on()
        assert other.hear() == "done"
    assert list(await hasty.apply(one("t"))) == [True]


async def test_another_process_that_ends_in_time(path, patient):
    with child("hold_transaction", path) as other:
        assert other.hear() == "ready"
        asyncio.get_running_loop().call_later(0.3, other.go_on)

        assert list(await patient.apply(one("t"))) == [True]


async def test_a_stopped_process_that_holds_the_turn_keeps_nobody_out(path, hasty):
    with child("hold_turn", path) as other:
        assert other.hear() == "ready"
        other.process.send_signal(signal.SIGSTOP)

        for number in range(20):
            assert list(await hasty.apply(one(f"t{number}"))) == [True]

        other.process.send_signal(signal.SIGCONT)
        other.go_on()
        assert other.hear() == "done"
    assert list(await hasty.apply(one("after"))) == [True]


async def test_a_stopped_process_in_a_transaction_keeps_others_out_for_a_bounded_time(path, hasty):
    with child("stop_in_transaction", path) as other:
        assert other.hear() == "ready"
        other.process.send_signal(signal.SIGSTOP)

        started = time.monotonic()
        for _ in range(2):
            with pytest.raises(BackendLockedError, match="another process"):
                await hasty.apply(one("t"))
        assert time.monotonic() - started < 10

        other.process.send_signal(signal.SIGCONT)
        other.go_on()
        assert other.hear() == "done"
    assert list(await hasty.apply(one("t"))) == [True]


async def test_to_close_does_not_wait_for_a_stopped_process(path):
    backend = await opened(path, busy_timeout=0.2)
    with child("hold_turn", path) as other:
        assert other.hear() == "ready"
        assert list(await backend.apply(one("t"))) == [True]

        await backend.close()

        again = await opened(path, busy_timeout=0.2)
        assert await again.get("t") is not None
        await again.close()
