"""How long ended records are kept."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from outlive.core.states import TaskStatus
from outlive.errors import ConfigError

#: What may be forgotten. An interrupted record waits for a person and stays.
PRUNED = frozenset({TaskStatus.SUCCESS, TaskStatus.FAILED, TaskStatus.CANCELLED, TaskStatus.REJECTED})

DAY = 86_400.0


@dataclass(frozen=True, slots=True)
class Cut:
    """What is deleted together: records that ended more than `days` ago."""

    days: float
    statuses: Collection[TaskStatus]
    #: None for all functions.
    functions: Collection[str] | None = None
    #: Functions that keep theirs for another time.
    without: Collection[str] = ()


def checked(retention: Mapping[str, float] | None) -> Mapping[TaskStatus, float]:
    """The days of each status; `ConfigError` for a status that is never deleted, and for what is no length of time."""
    known = ", ".join(sorted(PRUNED))
    for status, days in (retention or {}).items():
        if status not in PRUNED:
            raise ConfigError(f"retention has {str(status)!r}, whose records are not deleted; it may have {known}")
        if not days > 0:
            raise ConfigError(f"retention of {str(status)!r} is {days!r} days; it must be more than 0")
    return {TaskStatus(status): days for status, days in (retention or {}).items()}


def cuts(
    days: float | None, of_statuses: Mapping[TaskStatus, float], of_functions: Mapping[str, float]
) -> Sequence[Cut]:
    """What to delete: a function's own days win over those of a status, and these over those of all."""
    own = [
        Cut(one, PRUNED, [func for func, its in of_functions.items() if its == one])
        for one in sorted(set(of_functions.values()))
    ]
    rest = dict(of_statuses) if days is None else {**dict.fromkeys(PRUNED, days), **of_statuses}
    general = [
        Cut(one, [status for status, its in rest.items() if its == one], None, list(of_functions))
        for one in sorted(set(rest.values()))
    ]
    return [*own, *general]
