"""Several processes on one file."""

import asyncio
import sqlite3
from contextlib import ExitStack

from tests.faults.sqlite_processes import child

from outlive.backends.sqlite import SqliteBackend
from outlive.backends.sqlite.statements import migrations
from outlive.core.filter import EVERYTHING, Page


async def test_three_processes_write_at_once(tmp_path):
    path = tmp_path / "tasks.db"
    with ExitStack() as stack:
        writers = [stack.enter_context(child("write_some", path, name, 100)) for name in "abc"]
        assert [writer.hear() for writer in writers] == ["ready"] * 3
        for writer in writers:
            writer.go_on()
        longest = [float(writer.hear()) for writer in writers]

    backend = SqliteBackend(path)
    await backend.open()
    assert len(await backend.find(EVERYTHING, Page(10**6))) == 3 * 100 * 10
    await backend.close()
    assert max(longest) < 5, "somebody was kept out"


def test_eight_processes_open_a_new_file_at_once(tmp_path):
    path = tmp_path / "tasks.db"
    with ExitStack() as stack:
        openers = [stack.enter_context(child("open_once", path)) for _ in range(8)]
        assert [opener.hear() for opener in openers] == ["ready"] * 8
        for opener in openers:
            opener.go_on()
        assert [opener.hear() for opener in openers] == ["opened"] * 8

    connection = sqlite3.connect(path)
    versions = connection.execute("select version from outlive_schema").fetchall()
    connection.close()
    assert versions == [(number,) for number, _ in migrations()]


async def test_eight_backends_of_one_process_open_a_new_file_at_once(tmp_path):
    backends = [SqliteBackend(tmp_path / "tasks.db") for _ in range(8)]

    await asyncio.gather(*(backend.open() for backend in backends))
    await asyncio.gather(*(backend.close() for backend in backends))
