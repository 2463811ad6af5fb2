"""Queues and the limits on what runs at once. Times are seconds."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from outlive.errors import ConfigError

_UNITS = {"s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_RATE = re.compile(r"\s*(\d+)\s*/\s*(\d*)\s*(s|m|h|d)[a-z]*\s*")

#: The queue of tasks that name none.
DEFAULT_QUEUE = "default"


@dataclass(frozen=True, slots=True)
class QueueConfig:
    """What one queue allows; None means no limit.

    `concurrency`: bodies that run at once in each instance. `global_concurrency`: in all instances together.
    `max_size`: tasks that may wait for their start, in all instances together; one more is rejected.
    """

    concurrency: int | None = None
    max_size: int | None = None
    global_concurrency: int | None = None

    def __post_init__(self) -> None:
        for name in ("concurrency", "max_size", "global_concurrency"):
            value = getattr(self, name)
            if value is not None and (not isinstance(value, int) or isinstance(value, bool) or value < 1):
                raise ConfigError(f"{name}={value!r} must be a whole number from 1, or None for no limit")


@dataclass(frozen=True, slots=True)
class QueueState:
    """What was set for a queue at run time; it holds for all instances, over restarts, and before what code says."""

    name: str
    #: None where the config that code gives holds.
    config: QueueConfig | None = None
    paused: bool = False


@dataclass(frozen=True, slots=True)
class QueueDepth:
    """The live records of a queue, in all instances."""

    pending: int = 0
    running: int = 0
    #: When the oldest pending record was accepted, in seconds since the epoch.
    oldest_at: float | None = None


@dataclass(frozen=True, slots=True)
class Limit:
    """At most `most` under `key`: attempts that run at once, or with `per` starts in so many seconds."""

    key: str
    most: int
    per: float | None = None

    @property
    def pace(self) -> float:
        """Seconds between two starts of a rate that is used up, 0 where it is no rate."""
        return 0.0 if self.per is None else self.per / self.most


def parse_rate(text: str) -> tuple[int, float]:
    """How many in how many seconds: `"10/s"`, `"100/m"`, `"5/30s"`; the units are s, m, h, d."""
    found = _RATE.fullmatch(text)
    if found is None or int(found[1]) < 1 or found[2] == "0":
        raise ConfigError(f'rate_limit={text!r} is no rate; write how many in which time, like "10/s" or "100/5m"')
    return int(found[1]), float(found[2] or 1) * _UNITS[found[3]]


def declared_queues(queues: Mapping[str, QueueConfig] | None, max_size: int | None) -> dict[str, QueueConfig] | None:
    """The queues of a manager, None where any name is one; `max_size` is short for a default queue of that size."""
    if queues is None and max_size is None:
        return None
    declared = dict(queues or {})
    if max_size is not None:
        if DEFAULT_QUEUE in declared:
            raise ConfigError(f"max_size={max_size!r} is short for queues={{'default': ...}}, which is given, too")
        declared[DEFAULT_QUEUE] = QueueConfig(max_size=max_size)
    declared.setdefault(DEFAULT_QUEUE, QueueConfig())
    return declared


def queues_to_run(names: Sequence[str] | None, declared: Mapping[str, QueueConfig] | None) -> frozenset[str] | None:
    """The queues from which a process runs tasks, None for all."""
    if names is None:
        return None
    for name in names:
        if declared is not None and name not in declared:
            raise ConfigError(f"run_queues names {name!r}, which is none of queues={sorted(declared)}")
    return frozenset(names)
