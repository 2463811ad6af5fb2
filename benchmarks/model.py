"""What a backend carries, from what one task costs each resource: a model small enough to do on paper.

A task costs the event loop something of its own and something that all tasks share which are written together; the
more arrive, the more share. The loop's time used up bounds the rate; the closer a load comes to that, the longer a task
waits. The server's time is of the same form.
"""

from dataclasses import dataclass

#: A queue that is full has no finite wait; the model ends here.
FULL = 0.98


@dataclass(frozen=True, slots=True)
class Load:
    """One measurement: tasks per second, and what came of them."""

    rate: float
    #: Milliseconds from the call to the first line of the body, the median.
    wait: float
    #: Seconds for each task: of the thread of the event loop, of the whole process, of the server.
    loop: float
    process: float
    server: float


@dataclass(frozen=True, slots=True)
class Demand:
    """Seconds that a task costs: its own, and its part of what `1 + rate * together` tasks share."""

    own: float
    shared: float
    together: float

    def at(self, rate: float) -> float:
        """Seconds for each task at so many a second."""
        return self.own + self.shared / (1 + rate * self.together)


@dataclass(frozen=True, slots=True)
class Model:
    """Demands, and the wait with nothing to do and what is added for each unit of `used / (1 - used)`."""

    loop: Demand
    process: Demand
    server: Demand
    idle: float
    slope: float

    def used(self, rate: float) -> float:
        """The share of the event loop's time."""
        return min(rate * self.loop.at(rate), FULL)

    def wait(self, rate: float) -> float:
        """Milliseconds from the call to the first line of the body, the median."""
        used = self.used(rate)
        return self.idle + self.slope * used / (1 - used)

    def rate_at(self, used: float) -> float:
        """Tasks per second that take this share of the event loop's time."""
        least, most = 0.0, used / self.loop.own
        for _ in range(60):
            middle = (least + most) / 2
            least, most = (middle, most) if middle * self.loop.at(middle) < used else (least, middle)
        return most


def demand(idle: tuple[float, float], busy: tuple[float, float], full: tuple[float, float]) -> Demand:
    """Through three pairs of a rate and the seconds at it: through the outer ones, as near as may be to the third."""
    tried = (_through(idle, full, 10 ** (power / 20)) for power in range(-120, 21))
    return min(tried, key=lambda one: abs(one.at(busy[0]) - busy[1]))


def _through(idle: tuple[float, float], full: tuple[float, float], together: float) -> Demand:
    alone, shared = 1 / (1 + idle[0] * together), 1 / (1 + full[0] * together)
    part = max(idle[1] - full[1], 0.0) / (alone - shared)
    own = full[1] - part * shared
    return Demand(own, part, together) if own > 0 else Demand(full[1] / 2, full[1] / 2 / shared, together)


def fit(full: Load, idle: Load, busy: Load) -> Model:
    """Demands through an idle, a busy and a full system, waits through the idle and the busy one."""
    loads = (idle, busy, full)
    loop = demand(*((one.rate, one.loop) for one in loads))
    process = demand(*((one.rate, one.process) for one in loads))
    server = demand(*((one.rate, one.server) for one in loads))
    share = min(busy.rate * loop.at(busy.rate), FULL)
    return Model(loop, process, server, idle.wait, max(busy.wait - idle.wait, 0.0) * (1 - share) / share)


def capacity(full: Load, processors: int) -> float | None:
    """Tasks per second that a server on so many processors of its own carries, None where there is no server."""
    return processors / full.server if full.server else None


def error(predicted: float, measured: float) -> float:
    """By how much a prediction is off, as a share of what was measured."""
    return predicted / measured - 1 if measured else 0.0
