"""Files that cannot be written, opened or believed: a clear error, nothing changed, and work goes on afterwards."""

import os
import shutil
import sqlite3
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.faults.sqlite_processes import child

from outlive.backends.sqlite import SqliteBackend
from outlive.backends.sqlite.statements import migrations
from outlive.core.filter import EVERYTHING, Page
from outlive.core.moves import Enqueue
from outlive.errors import BackendCorruptError, BackendError, BackendUnavailableError


@pytest.fixture
def path(tmp_path):
    return tmp_path / "tasks.db"


def many(count: int, size: int = 10) -> list[Enqueue]:
    return [Enqueue(f"t{number:05}", "f", "f", 0.0, 0.0, arguments="x" * size) for number in range(count)]


async def filled(path: Path, count: int = 200) -> None:
    backend = SqliteBackend(path)
    await backend.open()
    await backend.apply(many(count))
    await backend.close()


async def test_a_missing_folder(tmp_path):
    backend = SqliteBackend(tmp_path / "absent" / "tasks.db")

    with pytest.raises(BackendUnavailableError, match="absent of the database does not exist; create it"):
        await backend.open()

    (tmp_path / "absent").mkdir()
    await backend.open()
    await backend.close()


async def test_a_folder_in_place_of_the_file(path):
    path.mkdir()

    with pytest.raises(BackendUnavailableError, match=r"unable to open"):
        await SqliteBackend(path).open()


async def test_a_full_database(path):
    backend = SqliteBackend(path)
    await backend.open()
    writers = backend._writers
    assert writers is not None

    def leave_no_room(connection: sqlite3.Connection) -> None:
        pages = connection.execute("pragma page_count").fetchone()[0]
        connection.execute(f"pragma max_page_count = {pages + 4}")

    await writers.call(lambda writer: writer.read(leave_no_room))
    with pytest.raises(BackendUnavailableError, match="full; make room on the disk"):
        await backend.apply(many(500, 1000))

    assert list(await backend.find(EVERYTHING, Page())) == []
    assert all(await backend.apply(many(500, 1000)))  # on a new connection, which knows no limit
    await backend.close()


def test_a_disk_without_room(path):
    with child("run_out_of_room", path) as process:
        accepted, error, *_ = process.hear().split()
        assert process.hear() == "done"

    assert int(accepted) > 0
    assert error == "BackendUnavailableError"
    connection = sqlite3.connect(path)
    [(count,)] = connection.execute("select count(*) from outlive_record").fetchall()
    assert connection.execute("pragma integrity_check").fetchall() == [("ok",)]
    connection.close()
    assert count == 10 + int(accepted) * 50 + 10


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """Not tmp_path: whoever has no rights must be able to get there."""
    folder = Path(tempfile.mkdtemp())
    folder.chmod(0o755)
    yield folder
    folder.chmod(0o755)
    shutil.rmtree(folder)


def answer_without_rights(path: Path) -> str:
    for protected in (path, path.parent):
        if protected.exists():
            protected.chmod(0o555)
    with child("open_without_rights", path) as process:
        return process.hear()


@pytest.mark.parametrize("exists", [True, False])
async def test_a_file_that_may_not_be_written(open_folder, exists):
    if exists:
        await filled(open_folder / "tasks.db")

    answer = answer_without_rights(open_folder / "tasks.db")

    assert answer.startswith("BackendUnavailableError")
    assert "let this process" in answer


@pytest.mark.parametrize("content", [b"this is text, not a database " * 100, os.urandom(8192)], ids=["text", "noise"])
async def test_a_file_that_is_no_database(path, content):
    path.write_bytes(content)

    with pytest.raises(BackendCorruptError, match="not a database; restore it from a backup"):
        await SqliteBackend(path).open()

    assert path.read_bytes() == content


async def test_a_damaged_header(path):
    await filled(path)
    with path.open("r+b") as file:
        file.write(b"\0" * 100)

    with pytest.raises(BackendCorruptError, match="restore it from a backup"):
        await SqliteBackend(path).open()


async def test_damaged_pages(path):
    await filled(path)
    with path.open("r+b") as file:
        file.seek(4096 * 2)
        file.write(os.urandom(path.stat().st_size - 4096 * 2))

    backend = SqliteBackend(path)
    with pytest.raises(BackendCorruptError, match="damaged"):
        await read_all(backend)
    await backend.close()


async def read_all(backend: SqliteBackend) -> None:
    await backend.open()
    await backend.find(EVERYTHING, Page())
    await backend.apply(many(10))


async def test_a_table_that_was_taken_away(path):
    backend = SqliteBackend(path)
    await backend.open()
    connection = sqlite3.connect(path)
    connection.execute("drop table outlive_log")
    connection.close()

    with pytest.raises(BackendCorruptError, match="no such table: outlive_log"):
        await backend.get("t")
    await backend.close()


async def test_a_schema_of_a_later_release(path):
    await filled(path)
    connection = sqlite3.connect(path)
    known = migrations()[-1][0]
    connection.execute("insert into outlive_schema values (?, 1)", (known + 1,))
    connection.commit()
    await filled(path)

    connection.execute("insert into outlive_schema values (?, ?)", (known + 2, known + 2))
    connection.commit()
    connection.close()
    with pytest.raises(BackendError, match=rf"schema {known + 2}.*upgrade outlive"):
        await SqliteBackend(path).open()
