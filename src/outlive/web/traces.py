"""The newest requests of this process that started tasks, and what the client waited for each of them."""

import threading
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from secrets import token_hex

#: How many requests a process remembers, and how many tasks of each.
REQUESTS, STEPS = 200, 50


@dataclass(slots=True)
class Step:
    """One task of a request, and the seconds that the response waited for it beyond those before it."""

    task_id: str
    func_name: str
    timing: str
    #: Until it was durable.
    stored: float = 0.0
    #: Until its first attempt was over.
    ran: float = 0.0

    @property
    def added(self) -> float:
        """What the client waited because of it."""
        return self.stored + self.ran


@dataclass(slots=True)
class Trace:
    """One request; it is written while the request goes on."""

    method: str
    #: Without the query.
    path: str
    #: On the clock of `time.perf_counter`.
    began: float
    id: str = field(default_factory=lambda: token_hex(8))
    at: datetime = field(default_factory=lambda: datetime.now(UTC))
    #: None until the response starts, and where the application raised.
    status: int | None = None
    #: Seconds until the last byte was handed to the server, None until then.
    took: float | None = None
    #: By the ids of the tasks, in the order of the calls.
    steps: dict[str, Step] = field(default_factory=dict[str, Step])
    #: Tasks beyond those.
    more: int = 0

    @property
    def added(self) -> float:
        """What the client waited because of tasks, in seconds."""
        return sum(step.added for step in list(self.steps.values()))

    def add(self, task_id: str, func_name: str, timing: str) -> None:
        """A task was scheduled; one that stands for several calls counts once."""
        if task_id in self.steps:
            return
        if len(self.steps) < STEPS:
            self.steps[task_id] = Step(task_id, func_name, timing)
        else:
            self.more += 1

    def stored(self, task_id: str, since: float) -> None:
        """The response has waited until the task was durable."""
        step = self.steps.get(task_id)
        if step is not None:
            step.stored += time.perf_counter() - since

    def ran(self, task_id: str, since: float) -> None:
        """The response has waited for the first attempt."""
        step = self.steps.get(task_id)
        if step is not None:
            step.ran += time.perf_counter() - since

    def end(self) -> None:
        """The response is complete."""
        if self.took is None:
            self.took = time.perf_counter() - self.began


class Traces:
    """Keeps the newest, in memory."""

    def __init__(self, most: int = REQUESTS) -> None:
        self._newest: deque[Trace] = deque(maxlen=most)
        self._lock = threading.Lock()  # endpoints that are plain functions schedule in threads

    def keep(self, trace: Trace) -> None:
        """Remember a request, and forget the oldest."""
        with self._lock:
            self._newest.append(trace)

    def newest(self) -> Sequence[Trace]:
        """All of them, the newest first."""
        with self._lock:
            return list(reversed(self._newest))

    def find(self, trace_id: str) -> Trace | None:
        """The request with this id."""
        return next((one for one in self.newest() if one.id == trace_id), None)

    def of_task(self, task_id: str) -> Trace | None:
        """The newest request that scheduled the task."""
        return next((one for one in self.newest() if task_id in one.steps), None)
