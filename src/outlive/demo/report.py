"""Lines for the terminal, counted from the records: what an earlier run left, and what this one did."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

from outlive import Backend, Page, TaskFilter, TaskRecord, TaskStatus

LIVE = frozenset({TaskStatus.PENDING, TaskStatus.RUNNING})
PAGE = 1000


async def read_records(backend: Backend) -> list[TaskRecord]:
    """All records, newest first, of a backend that nobody has opened."""
    await backend.open()
    try:
        records = list(await backend.find(TaskFilter(), Page(PAGE)))
        while records and len(records) % PAGE == 0:
            more = await backend.find(TaskFilter(), Page(PAGE, before=records[-1].id))
            if not more:
                break
            records += more
        return records
    finally:
        await backend.close()


class Leftovers:
    """What an earlier run left undone: `before` is what is found, `compare` tells what became of it."""

    def __init__(self, records: Iterable[TaskRecord]) -> None:
        self.before = [record for record in records if record.status in LIVE]
        self.waiting: list[TaskRecord] = []
        self.again: list[TaskRecord] = []
        self.interrupted: list[TaskRecord] = []

    def compare(self, after: Mapping[str, TaskRecord | None]) -> None:
        """Sort by what the start has made of them; what another live process holds is none of ours."""
        for record in self.before:
            now = after[record.id]
            if now is None or _is_with_its_owner(record, now):
                continue
            if now.status is TaskStatus.INTERRUPTED:
                self.interrupted.append(now)
            elif record.status is TaskStatus.PENDING:
                self.waiting.append(now)
            else:
                self.again.append(now)

    @property
    def recovered(self) -> frozenset[str]:
        """The ids of those that run in this process."""
        return frozenset(record.id for record in (*self.waiting, *self.again))

    def lines(self) -> list[str]:
        found = (
            (self.waiting, "waiting: to run now"),
            (self.again, "cut off, safe to repeat: to run again"),
            (self.interrupted, "cut off, not safe to repeat: interrupted until you decide"),
        )
        told = [f"  {len(records):>3} {what} ({_by_function(records)})" for records, what in found if records]
        return ["Left by the last run:", *told, ""] if told else []


def summary(records: Sequence[TaskRecord], leftovers: Leftovers, since: datetime) -> list[str]:
    """What was done since a moment."""
    ran = [record for record in records if record.start_time is not None and record.start_time >= since]
    ended = Counter(record.status.value for record in ran if record.is_final)
    retried = sum(record.retries_used > 0 for record in ran)
    recovered = sum(record.id in leftovers.recovered for record in ran)
    waiting = sum(record.status in LIVE for record in records)
    return [
        "This run:",
        f"  {len(ran):>3} ran ({', '.join(f'{count} {status}' for status, count in ended.items()) or 'none ended'})",
        f"  {retried:>3} retried after a failed attempt",
        f"  {recovered:>3} recovered from the last run",
        f"  {waiting:>3} left for the next run",
    ]


def _is_with_its_owner(before: TaskRecord, now: TaskRecord) -> bool:
    return before.owner is not None and before.owner == now.owner and now.status in LIVE


def _by_function(records: Iterable[TaskRecord]) -> str:
    return ", ".join(f"{count} {name}" for name, count in Counter(record.func_name for record in records).items())
