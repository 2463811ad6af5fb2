"""A fleet of processes on one backend, and what must be true of it whatever happens to them."""

import json
import os
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from support.waiting import until

from outlive import TaskManager, TaskStatus
from outlive.core.filter import EVERYTHING, Page

CHILD = Path(__file__).with_name("fleet_child.py")
LEASE = 3.0


class Member:
    """One process of the fleet."""

    def __init__(self, url: str, folder: Path) -> None:
        command = [sys.executable, str(CHILD), url, str(folder)]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        assert self.process.stdout is not None
        assert self.process.stdout.readline() == "ready\n"

    def tell(self, *words: object) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(" ".join(map(str, words)) + "\n")
        self.process.stdin.flush()

    def answer(self) -> Any:
        assert self.process.stdout is not None
        return json.loads(self.process.stdout.readline())

    def ask(self, *words: object) -> Any:
        self.tell(*words)
        return self.answer()

    def signal(self, number: signal.Signals) -> None:
        os.kill(self.process.pid, number)

    def kill(self) -> None:
        self.process.kill()
        self.process.communicate()


class Fleet:
    """Members that come and go, and the files that they write."""

    def __init__(self, url: str, folder: Path) -> None:
        self.url = url
        self.folder = folder
        self.members: list[Member] = []

    def add(self, count: int = 1) -> list[Member]:
        added = [Member(self.url, self.folder) for _ in range(count)]
        self.members += added
        return added

    def replace(self, member: Member) -> Member:
        member.kill()
        self.members.remove(member)
        return self.add()[0]

    def lines(self, name: str) -> list[list[str]]:
        path = self.folder / name
        return [line.split() for line in path.read_text().splitlines()] if path.exists() else []

    def begun(self, task_id: str) -> int:
        return sum(words[0] == task_id for words in self.lines("begun"))

    async def check(self) -> Counter[TaskStatus]:
        """Every accepted task has ended; one ran at most once, or at least once, as it was declared."""
        accepted = dict(self.lines("accepted"))
        begun, ended = (Counter(words[0] for words in self.lines(name)) for name in ("begun", "ended"))
        found = await self._records()
        counts: Counter[TaskStatus] = Counter()
        for task_id, name in accepted.items():
            record = found[task_id]
            counts[record.status] += 1
            if name == "once":
                assert begun[task_id] <= 1, record
                assert record.status in (TaskStatus.SUCCESS, TaskStatus.INTERRUPTED), record
            else:
                assert record.status is TaskStatus.SUCCESS, record
                assert begun[task_id] >= 1, record
            if record.status is TaskStatus.SUCCESS:
                assert ended[task_id] >= 1, record
        return counts

    async def _records(self) -> dict[str, Any]:
        manager = TaskManager(self.url)
        await manager.backend.open()
        try:
            found: dict[str, Any] = {}
            page = Page(1000)
            while records := await manager.backend.find(EVERYTHING, page):
                found |= {record.id: record for record in records}
                page = Page(1000, records[-1].id)
            return found
        finally:
            await manager.backend.close()

    async def is_quiet_within(self, seconds: float) -> bool:
        """Whether so soon nothing is live any more."""
        try:
            await self.settle(seconds)
        except AssertionError:
            return False
        return True

    async def settle(self, seconds: float = 40.0) -> None:
        """Wait until nothing is live any more."""
        manager = TaskManager(self.url)
        await manager.backend.open()
        try:
            await until(lambda: _is_quiet(manager), seconds)
        finally:
            await manager.backend.close()


async def _is_quiet(manager: TaskManager) -> bool:
    counts = await manager.backend.counts()
    return not any(counts.get(status) for status in (TaskStatus.PENDING, TaskStatus.RUNNING))


@contextmanager
def fleet_on(url: str, folder: Path) -> Iterator[Fleet]:
    fleet = Fleet(url, folder)
    try:
        yield fleet
    finally:
        for member in fleet.members:
            member.kill()
