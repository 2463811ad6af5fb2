"""The turn of writers."""

import threading
from pathlib import Path

from support.waiting import until_sync

from outlive.backends.file_locks import FileLock
from outlive.backends.sqlite.turn import Turn


def is_held(path: Path) -> bool:
    lock = FileLock(path)
    try:
        return not lock.take_now()
    finally:
        lock.close()


def test_who_waits_writes_before_who_has_just_written(tmp_path):
    path = tmp_path / "turn"
    ours, theirs = Turn(path), Turn(path)
    wrote = []

    def write() -> None:
        assert theirs.take(10)
        wrote.append("theirs")
        theirs.give()

    for _ in range(20):
        assert ours.take(10)
        waiting = threading.Thread(target=write)
        waiting.start()
        until_sync(lambda: is_held(tmp_path / "turn-next"))
        ours.give()
        assert ours.take(10)
        wrote.append("ours")
        ours.give()
        waiting.join()

    assert wrote == ["theirs", "ours"] * 20
    ours.close()
    theirs.close()
