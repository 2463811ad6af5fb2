"""The queues of one process: what they allow, what stands in a task's way, and whether there is room for another."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from threading import Lock
from typing import Any
from weakref import WeakSet

from outlive.core.queues import Limit, QueueConfig, QueueDepth, QueueState
from outlive.core.states import TaskStatus
from outlive.definitions.definition import Definition
from outlive.definitions.task import Task
from outlive.errors import QueueFullError, UnknownQueueError
from outlive.ports import Clock
from outlive.runtime.gates import Gate
from outlive.runtime.lane import Lane

#: Names of limits that nobody asks for any more and that may lie about.
_LITTER = 1000

_NO_CONFIG = QueueConfig()


@dataclass(slots=True)
class _Queue:
    """One queue as this process sees it."""

    declared: QueueConfig | None
    state: QueueState
    #: For its bodies in this process, and for what the backend permits of all.
    gate: Gate = field(default_factory=Gate)
    everywhere: Gate | None = None
    #: What was accepted here and may wait; looked through when the queue may be full.
    accepted: "WeakSet[Task[Any]]" = field(default_factory=WeakSet[Task[Any]])
    #: By how many more than those accepted here waited in all processes, when that was last looked up.
    elsewhere: int = 0
    ended: int = 0
    rejected: int = 0

    @property
    def config(self) -> QueueConfig:
        """What holds: what was set at run time, else what code says."""
        return self.state.config or self.declared or _NO_CONFIG

    def follow_config(self) -> None:
        """Let the gates be what config and state say."""
        self.gate.most, self.gate.is_shut = self.config.concurrency, self.state.paused
        most = self.config.global_concurrency
        if most is None:
            self.everywhere = None
        elif self.everywhere is None:
            self.everywhere = Gate(most, Limit(f"queue:{self.state.name}", most))
        else:
            self.everywhere.most, self.everywhere.limit = most, Limit(f"queue:{self.state.name}", most)

    def waiting_here(self) -> int:
        """How many of those accepted here wait."""
        self.accepted = WeakSet(task for task in self.accepted if task.is_pending)
        return len(self.accepted)


class Queues:
    """Says what stands in a task's way.

    `declared` None lets every name be a queue without limits. `fill` is told of lanes to which tasks came back, and
    `on_room` that a queue which the last claim had to leave alone takes tasks again.
    """

    def __init__(
        self,
        declared: Mapping[str, QueueConfig] | None,
        clock: Clock,
        poll_interval: float,
        fill: Callable[[Lane], None],
        on_room: Callable[[], None],
    ) -> None:
        self.is_named = declared is not None
        self._clock = clock
        self._poll_interval = poll_interval
        self._fill = fill
        self._on_room = on_room
        self._queues: dict[str, _Queue] = {}
        self._limits: dict[Limit, Gate] = {}
        self._left_alone: set[str] = set()
        self._lock = Lock()  # endpoints accept from threads, too
        for name, config in (declared or {}).items():
            self._add(name, config)

    def _add(self, name: str, declared: QueueConfig | None) -> _Queue:
        queue = self._queues[name] = _Queue(declared, QueueState(name))
        queue.follow_config()
        return queue

    # -- what stands in the way ------------------------------------------------------------------

    def gates(self, task: Task[Any]) -> Sequence[Gate]:
        """What a task has to pass to start."""
        queue = self._queues.get(task.facts.queue)
        if queue is None and not task.limits:
            return ()
        gates = [self._gate_of(limit) for limit in task.limits]
        if queue is not None:
            gates.append(queue.gate)
            if queue.everywhere is not None:
                gates.append(queue.everywhere)
        return gates

    def _gate_of(self, limit: Limit) -> Gate:
        gate = self._limits.get(limit)
        if gate is None:
            if len(self._limits) >= _LITTER:
                self._limits = {one: gate for one, gate in self._limits.items() if not gate.is_idle}
            # Of a rate, one start at a time is on its way: the next asks when the one before was permitted.
            gate = self._limits[limit] = Gate(limit.most if limit.per is None else 1, limit)
        return gate

    def give(self, gates: Sequence[Gate]) -> None:
        """Something that went through these gates is over; others may go through."""
        if not gates:
            return
        for gate in gates:
            gate.busy -= 1
            self._let_through(gate)
        self._tell_of_room()

    def refused(self, gates: Iterable[Gate]) -> None:
        """The backend permits no more under the limits of these gates for now."""
        for gate in gates:
            assert gate.limit is not None
            gate.is_shut = True
            self._clock.call_at(
                self._clock.now() + (gate.limit.pace or self._poll_interval), partial(self._reopen, gate)
            )

    def _reopen(self, gate: Gate) -> None:
        gate.is_shut = False
        self._let_through(gate)

    def unpark(self) -> None:
        """Send everybody who was kept back to their lanes."""
        gates = [gate for queue in self._queues.values() for gate in (queue.gate, queue.everywhere) if gate is not None]
        for gate in (*gates, *self._limits.values()):
            gate.unpark_all()

    def _let_through(self, gate: Gate) -> None:
        for lane in gate.unpark():
            self._fill(lane)

    # -- claims ----------------------------------------------------------------------------------

    def closed(self) -> set[str]:
        """Queues from which this process need not claim; it tells when one of them has room."""
        self._left_alone = {name for name, queue in self._queues.items() if not queue.gate.admits}
        return self._left_alone

    def _tell_of_room(self) -> None:
        if any(self._queues[name].gate.admits for name in self._left_alone):
            self._left_alone = set()
            self._on_room()

    # -- accepting -------------------------------------------------------------------------------

    def check_name(self, name: str) -> None:
        """Raise `UnknownQueueError` for a queue that does not exist."""
        if self.is_named and (name not in self._queues or self._queues[name].declared is None):
            raise UnknownQueueError(
                f"there is no queue {name!r}; TaskManager(queues=...) declares {', '.join(self._declared())}"
            )

    def check(self, definitions: Iterable[Definition]) -> None:
        """Raise `UnknownQueueError` where a definition names a queue that does not exist."""
        for definition in definitions:
            try:
                self.check_name(definition.effective.queue)
            except UnknownQueueError as error:
                raise UnknownQueueError(f"{definition.display_name}: {error}") from None

    def admit(self, task: Task[Any]) -> None:
        """Count a task that is about to be accepted; raise `QueueFullError` where its queue is full."""
        queue = self._queues.get(task.facts.queue)
        if queue is None or queue.config.max_size is None:
            return
        with self._lock:
            if self._is_full(queue, queue.config.max_size):
                queue.rejected += 1
                raise QueueFullError(
                    f"queue {task.facts.queue!r} is full: max_size={queue.config.max_size} tasks wait in it; this run "
                    f"of {task.facts.func_name} was rejected. Try again later, or raise max_size"
                )
            queue.accepted.add(task)

    def _is_full(self, queue: _Queue, most: int) -> bool:
        if len(queue.accepted) + queue.elsewhere < most:
            return False
        return queue.waiting_here() + queue.elsewhere >= most

    @property
    def has_bounds(self) -> bool:
        """Whether any queue can be full."""
        return any(queue.config.max_size is not None for queue in self._queues.values())

    def count_elsewhere(self, depths: Mapping[str, QueueDepth]) -> None:
        """Take over how much waits in all processes together."""
        for name, queue in self._queues.items():
            if queue.config.max_size is not None:
                durable = sum(task.is_durable for task in queue.accepted if task.is_pending)
                queue.elsewhere = depths.get(name, QueueDepth()).pending - durable

    def ended(self, task: Task[Any]) -> None:
        """Count a task that has ended here."""
        queue = self._queues.get(task.facts.queue)
        if queue is not None:
            queue.ended += 1

    # -- changes ---------------------------------------------------------------------------------

    def follow(self, states: Iterable[QueueState]) -> None:
        """Take over what was set at run time, here or in another process."""
        found = {state.name: state for state in states}
        for name in found.keys() - self._queues.keys():
            self._add(name, None)
        for name, queue in self._queues.items():
            state = found.get(name, QueueState(name))
            if state != queue.state:
                self._change(queue, state)
        self._tell_of_room()

    def _change(self, queue: _Queue, state: QueueState) -> None:
        queue.state = state
        queue.follow_config()
        self._let_through(queue.gate)
        if queue.everywhere is not None:
            self._let_through(queue.everywhere)

    # -- looking ---------------------------------------------------------------------------------

    def _declared(self) -> list[str]:
        return sorted(name for name, queue in self._queues.items() if queue.declared is not None)

    def names(self) -> set[str]:
        """The queues that were declared or set."""
        return set(self._queues)

    def config(self, name: str) -> tuple[QueueConfig, QueueState]:
        """What holds for a queue, and what was set for it."""
        queue = self._queues.get(name)
        return (_NO_CONFIG, QueueState(name)) if queue is None else (queue.config, queue.state)

    def stats(self, live: Iterable[Task[Any]]) -> list[dict[str, Any]]:
        """What each declared queue has done in this process, by name."""
        counts: dict[str, dict[TaskStatus, int]] = defaultdict(lambda: defaultdict(int))
        for task in live:
            counts[task.facts.queue][task.status] += 1
        return [_stats(name, self._queues[name], counts[name]) for name in self._declared()]


def _stats(name: str, queue: _Queue, live: Mapping[TaskStatus, int]) -> dict[str, Any]:
    return {
        "name": name,
        "concurrency": queue.config.concurrency,
        "max_size": queue.config.max_size,
        "global_concurrency": queue.config.global_concurrency,
        "paused": queue.state.paused,
        "pending": live[TaskStatus.PENDING],
        "running": live[TaskStatus.RUNNING],
        "finished": queue.ended,
        "rejected": queue.rejected,
    }
