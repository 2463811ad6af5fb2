"""What a backend carries, from what one task costs each resource: a model small enough to do on paper.

A task needs some seconds of the application's process, some of the server's processors, and its share of a write to
the disk. The resource that is used up first bounds the rate; the closer a load comes to that, the longer a task waits.
"""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Load:
    """One measurement: tasks per second, and what came of them."""

    rate: float
    #: Milliseconds from the call to the first line of the body, the median.
    wait: float
    #: Seconds of the application's processor for each task, and of the server's.
    process: float
    server: float


@dataclass(frozen=True, slots=True)
class Model:
    """Fitted to an idle system, to a busy one, and to the most that it takes."""

    #: Tasks per second that one process can accept and run.
    most: float
    #: Milliseconds of wait with nothing to do, and what is added for each unit of `used / (1 - used)`.
    idle: float
    slope: float
    #: Seconds for each task: of one process and of the server, idle and busy; batches make busy ones cheaper.
    idle_process: float
    busy_process: float
    idle_server: float
    busy_server: float

    def used(self, rate: float) -> float:
        """The share of the most."""
        return min(rate / self.most, 0.99)

    def wait(self, rate: float) -> float:
        """Milliseconds from the call to the first line of the body, the median."""
        used = self.used(rate)
        return self.idle + self.slope * used / (1 - used)

    def process(self, rate: float) -> float:
        """Seconds of the application's processor for each task."""
        return self.idle_process + (self.busy_process - self.idle_process) * self.used(rate)

    def server(self, rate: float) -> float:
        """Seconds of the server's processors for each task."""
        return self.idle_server + (self.busy_server - self.idle_server) * self.used(rate)

    def used_up(self, rate: float) -> float:
        """Seconds of either for each task."""
        return self.process(rate) + self.server(rate)


def fit(most: Load, idle: Load, busy: Load) -> Model:
    """Waits through an idle and a busy load, demands through an idle one and a full one."""
    share = min(busy.rate / most.rate, 0.99)
    slope = max(busy.wait - idle.wait, 0.0) * (1 - share) / share
    return Model(most.rate, idle.wait, slope, idle.process, most.process, idle.server, most.server)


def capacity(model: Model, processors: int) -> Mapping[str, float]:
    """Tasks per second by what bounds them: one process, and a server on so many processors of its own."""
    found = {"one process": model.most}
    if model.busy_server > 0:
        found["one server"] = processors / model.busy_server
    return found


def error(predicted: float, measured: float) -> float:
    """By how much a prediction is off, as a share of what was measured."""
    return predicted / measured - 1 if measured else 0.0
