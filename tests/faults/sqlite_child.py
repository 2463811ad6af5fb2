"""What the tests of SQLite's faults run in processes of their own: python sqlite_child.py COMMAND PATH [ARGUMENT...].

A command says on stdout how far it is, and goes on when it gets a line on stdin.
"""

import asyncio
import os
import resource
import signal
import sqlite3
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Literal, cast

from outlive import TaskManager
from outlive.backends.file_locks import FileLock
from outlive.backends.sqlite import SqliteBackend
from outlive.core.moves import Enqueue
from outlive.errors import BackendError
from outlive.sync import LeaderElection, Lock, LockLostError


def say(*words: object) -> None:
    sys.stdout.write(" ".join(map(str, words)) + "\n")
    sys.stdout.flush()


def wait_for_word() -> None:
    sys.stdin.readline()


def batch(prefix: str, number: int, size: int) -> list[Enqueue]:
    names = [f"{prefix}-{number:05}-{place:02}" for place in range(size)]
    return [Enqueue(name, "f", "f", 0.0, 0.0, arguments="x" * 100) for name in names]


async def write_for_ever(path: str, synchronous: str) -> None:
    backend = SqliteBackend(path, synchronous=cast("Literal['FULL', 'NORMAL']", synchronous))
    await backend.open()
    number = 0
    while True:
        assert all(await backend.apply(batch("t", number, 20)))
        say(number)
        number += 1


async def write_some(path: str, prefix: str, count: str) -> None:
    backend = SqliteBackend(path, synchronous="NORMAL", busy_timeout=20)
    await backend.open()
    say("ready")
    wait_for_word()
    longest = 0.0
    for number in range(int(count)):
        started = time.monotonic()
        assert all(await backend.apply(batch(prefix, number, 10)))
        longest = max(longest, time.monotonic() - started)
    await backend.close()
    say(longest)


async def open_once(path: str) -> None:
    backend = SqliteBackend(path)
    say("ready")
    wait_for_word()
    await backend.open()
    say("opened")
    await backend.close()


async def hold_transaction(path: str) -> None:
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("begin immediate")
    say("ready")
    wait_for_word()
    connection.commit()
    connection.close()
    say("done")


async def hold_turn(path: str) -> None:
    lock = FileLock(Path(f"{path}-outlive-writer"))
    assert lock.take_now()
    say("ready")
    wait_for_word()
    lock.close()
    say("done")


async def stop_in_transaction(path: str) -> None:
    """Hold the turn and the write lock, as a process does that is stopped while it writes."""
    lock = FileLock(Path(f"{path}-outlive-writer"))
    assert lock.take_now()
    await hold_transaction(path)


def size_of_log(path: str) -> int:
    return Path(f"{path}-wal").stat().st_size


async def run_out_of_room(path: str) -> None:
    """Reach the limit of the file size, fail, and go on once there is room."""
    backend = SqliteBackend(path)
    await backend.open()
    assert all(await backend.apply(batch("before", 0, 10)))
    resource.setrlimit(resource.RLIMIT_FSIZE, (size_of_log(path) + 128 * 1024, resource.RLIM_INFINITY))
    accepted = 0
    try:
        while True:
            assert all(await backend.apply(batch("during", accepted, 50)))
            accepted += 1
    except BackendError as error:
        say(accepted, type(error).__name__, error)
    resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    assert all(await backend.apply(batch("after", 0, 10)))
    await backend.close()
    say("done")


async def open_without_rights(path: str) -> None:
    if os.geteuid() == 0:
        os.setgid(65534)
        os.setuid(65534)
    backend = SqliteBackend(path)
    try:
        await backend.open()
        await backend.apply(batch("t", 0, 1))
    except BackendError as error:
        say(type(error).__name__, error)


def offer(store: sqlite3.Connection, token: int, at: str) -> bool:
    """Write as a store does that is guarded by tokens: it refuses smaller ones than it has seen."""
    statement = (
        "insert into offered (pid, token, at) select ?, ?, ? where ? >= (select coalesce(max(token), 0) from offered)"
    )
    return store.execute(statement, (os.getpid(), token, at, token)).rowcount == 1


async def lock_and_write(path: str, count: str, lease: str) -> None:
    """Acquire a lock again and again and write under its token."""
    backend = SqliteBackend(path, synchronous="NORMAL", busy_timeout=20)
    await backend.open()
    store = sqlite3.connect(f"{path}-store", isolation_level=None, timeout=20)
    say("ready")
    wait_for_word()
    lock = Lock("shared", backend=backend, lease_duration=float(lease))
    for _ in range(int(count)):
        async with lock:
            assert offer(store, lock.fencing_token, "in")
            await asyncio.sleep(0)  # noqa: TID251 - gives way, no time passes
            assert offer(store, lock.fencing_token, "out")
    await backend.close()
    say("done")


async def write_under_attack(path: str, lease: str) -> None:
    """Acquire and write for ever, whatever happens to this process."""
    backend = SqliteBackend(path, synchronous="NORMAL", busy_timeout=20)
    await backend.open()
    store = sqlite3.connect(f"{path}-store", isolation_level=None, timeout=20)
    say("ready")
    lock = Lock("shared", backend=backend, lease_duration=float(lease))
    while True:
        with suppress(LockLostError):
            async with lock:
                token = lock.fencing_token
                is_in = offer(store, token, "in")
                time.sleep(0.01)  # noqa: ASYNC251, TID251 - long work that cannot be interrupted
                if not (is_in and offer(store, token, "out")):
                    store.execute("insert into refused (pid, token) values (?, ?)", (os.getpid(), token))


async def stop_inside(path: str, lease: str) -> None:
    """Stop while the lock is held; when it goes on, write with the token from before."""
    backend = SqliteBackend(path, synchronous="NORMAL", busy_timeout=20)
    await backend.open()
    store = sqlite3.connect(f"{path}-store", isolation_level=None, timeout=20)
    try:
        async with Lock("shared", backend=backend, lease_duration=float(lease)) as lock:
            token = lock.fencing_token
            assert offer(store, token, "in")
            os.kill(os.getpid(), signal.SIGSTOP)
            say("accepted" if offer(store, token, "late") else "refused")
            await asyncio.Event().wait()
    except LockLostError as error:
        say(type(error).__name__)
    await backend.close()


async def hold_lock(path: str, lease: str) -> None:
    """Hold a lock, and say whether it was lost."""
    backend = SqliteBackend(path, synchronous="NORMAL")
    await backend.open()
    try:
        async with Lock("shared", backend=backend, lease_duration=float(lease)) as lock:
            say(lock.fencing_token)
            await asyncio.Event().wait()
    except LockLostError as error:
        say(type(error).__name__)
    await backend.close()


async def wait_for_lock(path: str, count: str, seconds: str) -> None:
    """Hold a lock for a moment, several tasks in a row."""
    backend = SqliteBackend(path, synchronous="NORMAL")
    await backend.open()
    lock = Lock("shared", backend=backend)

    async def hold() -> None:
        async with lock:
            await asyncio.sleep(float(seconds))  # noqa: TID251 - long work

    say("ready")
    wait_for_word()
    await asyncio.gather(*(hold() for _ in range(int(count))))
    say("done")
    await backend.close()


async def stand_for_election(path: str) -> None:
    """Lead as soon as it is possible, until a word comes."""
    manager = TaskManager(SqliteBackend(path, synchronous="NORMAL"))
    leader = LeaderElection("shared", lease_duration=1, renew_deadline=0.8, retry_interval=0.2, backend_timeout=0.5)
    manager.add_task(leader)
    async with manager:
        say("ready")
        await leader.wait_for_leader()
        say(time.time(), leader.fencing_token)
        await asyncio.to_thread(wait_for_word)
        say(time.time())


def main() -> None:
    command, *arguments = sys.argv[1:]
    asyncio.run(globals()[command](*arguments))


if __name__ == "__main__":
    main()
