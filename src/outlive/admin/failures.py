"""Failures that are the same failure: one fingerprint for each, and what is told of them together."""

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from outlive.admin.parts import in_parts
from outlive.core.record import TaskRecord

_FRAME_BEGINS = '  File "'
_FRAME = re.compile(r'^ {2}File "(?P<file>.+)", line \d+, in (?P<name>.+)$', re.MULTILINE)
#: What differs from one failure to the next: numbers, ids, addresses, quoted values.
_VARIABLE = re.compile(r"0x[0-9a-f]+|[0-9a-f]{8}-[0-9a-f-]{27}|'[^']*'|\"[^\"]*\"|\d+", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Failure:
    """All failures with one fingerprint, among those that were looked at."""

    fingerprint: str
    #: Class of the exception, as the traceback ends with.
    kind: str
    #: What the newest said.
    error: str
    functions: Sequence[str]
    records: Sequence[TaskRecord]
    first: datetime
    last: datetime

    @property
    def count(self) -> int:
        """How many there are."""
        return len(self.records)

    @property
    def newest(self) -> TaskRecord:
        """The newest of them."""
        return self.records[0]


def fingerprint(record: TaskRecord) -> str | None:
    """What the same failure has in common: function, exception, place, and the message without what varies.

    None for a record without an error.
    """
    if record.error is None:
        return None
    message = _VARIABLE.sub("#", record.error)[:200]
    text = "\x00".join((record.func, kind_of(record), _place(record.stacktrace), message))
    return hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()[:12]


def kind_of(record: TaskRecord) -> str:
    """The class of the exception, from the last line of the traceback that begins with one."""
    for line in reversed((record.stacktrace or "").splitlines()):
        name = line.partition(":")[0]
        if name and not line[0].isspace() and re.fullmatch(r"[\w.]+", name):
            return name.rpartition(".")[2]
    return "Error"


async def grouped(records: Sequence[TaskRecord]) -> list[Failure]:
    """Failures with the most recent first; records come newest first."""
    groups: dict[str, list[TaskRecord]] = {}
    for record, found in zip(records, await in_parts(map(fingerprint, records)), strict=True):
        if found is not None:
            groups.setdefault(found, []).append(record)
    failures = [_failure(name, members) for name, members in groups.items()]
    return sorted(failures, key=lambda failure: failure.last, reverse=True)


def _failure(name: str, records: list[TaskRecord]) -> Failure:
    times = [record.end_time or record.created_at for record in records]
    newest = records[0]
    functions = sorted({record.func_name for record in records})
    return Failure(name, kind_of(newest), newest.error or "", functions, records, min(times), max(times))


def _place(stacktrace: str | None) -> str:
    # Without line numbers: a deploy that moves lines must not make it another failure.
    text = stacktrace or ""  # looked through from its end: to find all frames takes longer than all else here
    end = text.rfind(_FRAME_BEGINS)
    while end >= 0:
        frame = _FRAME.match(text, end)
        if frame is not None:
            return ":".join(frame.groups())
        end = text.rfind(_FRAME_BEGINS, 0, end)
    return ""
