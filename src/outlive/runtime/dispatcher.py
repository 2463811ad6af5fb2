"""Gives committed tasks a slot: now, when one is free, or when their time has come."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from itertools import count
from typing import Any

from outlive.core.events import LeaseLost
from outlive.core.moves import Move, Permit, Release, Start
from outlive.core.queues import Limit
from outlive.core.settle import Cancelled, Interrupted
from outlive.definitions.task import Task
from outlive.ports import Executor
from outlive.runtime.gates import Gate
from outlive.runtime.lane import Lane, Waiting
from outlive.runtime.process import Process
from outlive.runtime.queues import Queues
from outlive.runtime.runner import Runner
from outlive.runtime.timers import Timers

SHUTDOWN = "the process shut down before it could run"


class Dispatcher:
    """Owns the lanes; every run of this process begins in `_start` or `begin`.

    `on_room` is told that a queue takes tasks again which the last claim had to leave alone.
    """

    def __init__(self, process: Process, executors: Mapping[str, Executor], on_room: Callable[[], None]) -> None:
        self._instance = process.instance.id
        self._store = process.store
        self._clock = process.clock
        self._emit = process.emit
        self._duty = process.duty
        arrivals = count()
        self.lanes = {name: Lane(executor, arrivals) for name, executor in executors.items()}
        self.queues = Queues(process.queues, process.clock, process.limits.poll_interval, self._fill, on_room)
        self.timers = Timers(process.clock, self._queue)
        self.runner = Runner(process, self._body_over, self.offer, self.queues)
        #: At shutdown only what would end with the process may still start,
        self.is_draining = False
        #: and when the time of a `shutdown_group` is over, none of it.
        self.closed_to: set[str] = set()
        #: Whether nothing starts until it is let go, because a test wants to see what was accepted.
        self.is_held = process.rehearsal is not None and process.rehearsal.holds

    def offer(self, task: Task[Any]) -> None:
        """Take a committed pending task that this instance owns; it starts when it is due and a slot is free."""
        if task.run_at <= task.facts.created_at or task.run_at <= self._clock.now():
            self._queue(task)
        else:
            self.timers.add(task)

    def reserve(self, task: Task[Any]) -> bool:
        """Take a slot for a task that may start with the very write that accepts it, overtaking nobody."""
        lane = self.lanes[task.facts.executor]
        if self.is_held or task.run_at > task.facts.created_at or not lane.is_idle:
            return False
        if self.is_draining and not self._may_start(task):
            return False
        gates = self.queues.gates(task)
        if gates and not all(gate.admits and gate.limit is None for gate in gates):
            return False
        self._take(lane, task, gates)
        return True

    def begin(self, task: Task[Any], *, accepted: bool) -> None:
        """Run a task whose slot was reserved, or give the slot back if it was not accepted."""
        lane = self.lanes[task.facts.executor]
        lane.starting -= 1
        if accepted:
            self._run(lane, task)
        else:
            self._give(lane, task)
        if lane.waiting:
            self._fill(lane)

    def drop(self, task: Task[Any]) -> None:
        """A pending task will not start here now; let go of it and of what waits behind it."""
        if not task.is_alias:
            self._store.send_away(task)
        self._offer_follower(task)

    def stop(self, task: Task[Any], stop_as: Cancelled | Interrupted) -> None:
        """Ask a running body to end."""
        executor = self.lanes[task.facts.executor].executor
        self.runner.stop(task, stop_as, interrupt=executor.can_interrupt)

    def hold(self, *, back: bool) -> None:
        """Keep everything from starting, or let it go."""
        self.is_held = back
        for lane in self.lanes.values():
            self._fill(lane)

    def give_back(self) -> None:
        """Leave what waits here to the other instances, as far as they could run it."""
        self.queues.unpark()
        for lane in self.lanes.values():
            for one in lane.empty():
                if not self._leave_to_others(one.task):
                    lane.push_back(one)
            self._fill(lane)

    def _leave_to_others(self, task: Task[Any]) -> bool:
        if not _is_movable(task):
            return False
        task.journal.write([Release(task.id, self._instance)])
        self.drop(task)
        return True

    # -- starting --------------------------------------------------------------------------------

    def _queue(self, task: Task[Any]) -> None:
        lane = self.lanes[task.facts.executor]
        lane.push(task)
        self._fill(lane)

    def _fill(self, lane: Lane) -> None:
        if not lane.waiting or lane.is_filling or self.is_held:
            return
        lane.is_filling = True
        try:
            while lane.waiting and lane.has_slot:
                waiting = lane.pop()
                if waiting is None or not self._may_start(waiting.task):
                    continue
                if not (self._duty.is_off and self._leave_to_others(waiting.task)):
                    self._start_or_park(lane, waiting)
        finally:
            lane.is_filling = False

    def _start_or_park(self, lane: Lane, waiting: Waiting) -> None:
        gates = self.queues.gates(waiting.task)
        closed = next((gate for gate in gates if not gate.has_room), None) if gates else None
        if closed is None:
            self._start(lane, waiting, gates)
        else:
            closed.park(lane, waiting)

    def _may_start(self, task: Task[Any]) -> bool:
        return not self.is_draining or (task.ends_with_process and task.shutdown_group not in self.closed_to)

    def _start(self, lane: Lane, waiting: Waiting, gates: Sequence[Gate]) -> None:
        task = waiting.task
        self._take(lane, task, gates)
        move = Start(task.id, task.fence, self._instance, self._clock.now())
        limits = [gate.limit for gate in gates if gate.limit is not None] if gates else None
        if limits:
            move.limited = True
            task.journal.write(_asking(move, limits), partial(self._permitted, lane, waiting))
        else:
            task.journal.write([move], partial(self._started, lane, task))

    def _permitted(self, lane: Lane, waiting: Waiting, answers: Sequence[bool], error: BaseException | None) -> None:
        if error is None and answers[0] and not answers[-1]:
            lane.starting -= 1
            self._hold_back(lane, waiting, answers[1:-2])
        else:
            self._started(lane, waiting.task, answers[-1:], error)

    def _hold_back(self, lane: Lane, waiting: Waiting, have_room: Sequence[bool]) -> None:
        """The backend does not permit the start under the limits that have no room."""
        limited = [gate for gate in waiting.task.gates if gate.limit is not None]
        self.queues.refused(gate for gate, has_room in zip(limited, have_room, strict=True) if not has_room)
        self._give(lane, waiting.task)
        lane.push_back(waiting)
        self._fill(lane)

    def _started(self, lane: Lane, task: Task[Any], answers: Sequence[bool], error: BaseException | None) -> None:
        lane.starting -= 1
        if error is None and answers[0]:
            self._run(lane, task)
        else:
            self._give(lane, task)
            if error is not None:  # it cannot be told here that it starts; claimed again, it may be
                task.journal.write([Release(task.id, self._instance)])
            self._lose(task)
        self._fill(lane)

    def _run(self, lane: Lane, task: Task[Any]) -> None:
        if not self.is_draining or self._may_start(task):
            self.runner.start(lane, task)
            if task.gates:
                self._let_next_start(task)
        else:
            self._give(lane, task)
            self.runner.return_unstarted(task, SHUTDOWN)

    # -- slots and gates -------------------------------------------------------------------------

    def _take(self, lane: Lane, task: Task[Any], gates: Sequence[Gate]) -> None:
        lane.take_slot()
        task.gates = gates
        for gate in gates:
            gate.busy += 1

    def _give(self, lane: Lane, task: Task[Any]) -> None:
        lane.give_slot()
        if task.gates:
            gates, task.gates = task.gates, ()
            self.queues.give(gates)

    def _let_next_start(self, task: Task[Any]) -> None:
        rates = [gate for gate in task.gates if gate.is_rate]
        if rates:
            task.gates = [gate for gate in task.gates if not gate.is_rate]
            self.queues.give(rates)

    def _lose(self, task: Task[Any]) -> None:
        if task.is_pending:
            self._emit(LeaseLost(task.id, task.facts.func_name))
        self.drop(task)

    # -- after a body ----------------------------------------------------------------------------

    def _body_over(self, lane: Lane, task: Task[Any]) -> Sequence[Gate]:
        lane.give_slot()
        gates, task.gates = task.gates, ()
        if task.follower is not None:
            self._offer_follower(task)
        if lane.waiting:
            self._fill(lane)
        return gates

    def _offer_follower(self, task: Task[Any]) -> None:
        follower, task.follower = task.follower, None
        if follower is not None:
            self.offer(follower)


def _is_movable(task: Task[Any]) -> bool:
    """Whether another instance could run it, no response waits for it, and it has no place in an order."""
    is_kept = task.facts.recoverable and task.journal.keeps_pending
    return is_kept and task.follower is None and task.facts.timing != "after_route"


def _asking(start: Start, limits: Sequence[Limit]) -> list[Move]:
    """A start with its permit, before it what tells why there was none: is it still ours, which limit has room."""
    about = start.id, start.fence, start.owner, start.at
    asks = [Permit(*about, (), asks=True), *(Permit(*about, (limit,), asks=True) for limit in limits)]
    return [*asks, Permit(*about, limits), start]
