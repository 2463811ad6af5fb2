"""What the newest finished records tell: rates, percentiles, a course of time. Pure."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby

from outlive.core.record import TaskRecord
from outlive.core.states import TaskStatus

#: How many steps a course of time has, and how many seconds one may be.
STEPS = 60
_LENGTHS = (1.0, 2.0, 5.0, 10.0, 15.0, 30.0, 60.0)


@dataclass(frozen=True, slots=True)
class Spread:
    """How a number of seconds is spread; None where there is nothing to tell."""

    count: int
    p50: float | None = None
    p95: float | None = None
    p99: float | None = None
    least: float | None = None
    most: float | None = None
    mean: float | None = None


@dataclass(frozen=True, slots=True)
class Step:
    """One step of a course of time."""

    at: datetime
    success: int
    failed: int
    #: 95th percentile of the seconds that runs took, None where none ended.
    p95: float | None


@dataclass(frozen=True, slots=True)
class FunctionStats:
    """How the newest runs of one function went."""

    func: str
    func_name: str
    success: int
    failed: int
    other: int
    run: Spread
    wait: Spread
    newest: TaskRecord

    @property
    def runs(self) -> int:
        """How many runs this is about."""
        return self.success + self.failed + self.other

    @property
    def failure_rate(self) -> float | None:
        """Share of failures among those that succeeded or failed."""
        decided = self.success + self.failed
        return self.failed / decided if decided else None


def spread(values: Iterable[float]) -> Spread:
    """Percentiles by nearest rank."""
    ordered = sorted(values)
    if not ordered:
        return Spread(0)
    last = len(ordered) - 1

    def rank(share: float) -> float:
        return ordered[round(share * last)]

    mean = sum(ordered) / len(ordered)
    return Spread(len(ordered), rank(0.5), rank(0.95), rank(0.99), ordered[0], ordered[-1], mean)


def wait_of(record: TaskRecord) -> float | None:
    """Seconds from the moment at which the last attempt was due to its start."""
    if record.start_time is None:
        return None
    due = record.run_at if record.run_at <= record.start_time else record.created_at
    return max(0.0, (record.start_time - due).total_seconds())


def waits(records: Iterable[TaskRecord]) -> Spread:
    """How long tasks waited for a slot."""
    return spread(wait for record in records if (wait := wait_of(record)) is not None)


def runs(records: Iterable[TaskRecord]) -> Spread:
    """How long tasks ran."""
    return spread(record.duration for record in records if record.duration is not None)


def by_function(records: Iterable[TaskRecord]) -> list[FunctionStats]:
    """Statistics for each function, by name; records come newest first."""
    ordered = sorted(records, key=lambda record: record.func)  # a stable sort: newest first within a function
    return [_function(func, list(group)) for func, group in groupby(ordered, key=lambda record: record.func)]


def course(records: Sequence[TaskRecord], now: datetime) -> Iterator[Step]:
    """The last while in equal steps; its length is what the records cover, an hour at most."""
    ended = [record for record in records if record.end_time is not None and record.end_time <= now]
    if not ended:
        return
    oldest = min(record.end_time for record in ended if record.end_time is not None)
    wanted = (now - oldest).total_seconds() / STEPS
    yield from course_in_steps(ended, now, next((one for one in _LENGTHS if one >= wanted), _LENGTHS[-1]))


def course_in_steps(records: Iterable[TaskRecord], now: datetime, seconds: float) -> Iterator[Step]:
    """The last `STEPS` steps of so many seconds, each at a multiple of its length."""
    last = int(now.timestamp() // seconds)
    bins: dict[int, list[TaskRecord]] = {at: [] for at in range(last - STEPS + 1, last + 1)}
    for record in records:
        assert record.end_time is not None
        bins.get(int(record.end_time.timestamp() // seconds), []).append(record)
    for at, found in bins.items():
        yield _step(datetime.fromtimestamp(at * seconds, now.tzinfo), found)


def _step(at: datetime, records: Sequence[TaskRecord]) -> Step:
    counts = Counter(record.status for record in records)
    return Step(at, counts[TaskStatus.SUCCESS], counts[TaskStatus.FAILED], runs(records).p95)


def _function(func: str, records: Sequence[TaskRecord]) -> FunctionStats:
    counts = Counter(record.status for record in records)
    success, failed = counts[TaskStatus.SUCCESS], counts[TaskStatus.FAILED]
    other = len(records) - success - failed
    newest = records[0]
    return FunctionStats(func, newest.func_name, success, failed, other, runs(records), waits(records), newest)
