"""Gives committed tasks a slot: now, when one is free, or when their time has come."""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from outlive.core.events import LeaseLost
from outlive.core.moves import Start
from outlive.core.settle import Cancelled, Interrupted
from outlive.definitions.task import Task
from outlive.ports import Executor
from outlive.runtime.lane import Lane
from outlive.runtime.process import Process
from outlive.runtime.runner import Runner
from outlive.runtime.timers import Timers

SHUTDOWN = "the process shut down before it could run"


class Dispatcher:
    """Owns the lanes; every run of this process begins in `_start` or `begin`."""

    def __init__(self, process: Process, executors: Mapping[str, Executor]) -> None:
        self._instance = process.instance.id
        self._store = process.store
        self._clock = process.clock
        self._emit = process.emit
        self.lanes = {name: Lane(executor) for name, executor in executors.items()}
        self.timers = Timers(process.clock, self._queue)
        self.runner = Runner(process, self._body_over, self.offer)
        #: At shutdown only what would end with the process may still start,
        self.is_draining = False
        #: and when the time of a `shutdown_group` is over, none of it.
        self.closed_to: set[str] = set()

    def offer(self, task: Task[Any]) -> None:
        """Take a committed pending task that this instance owns; it starts when it is due and a slot is free."""
        if task.run_at <= task.facts.created_at or task.run_at <= self._clock.now():
            self._queue(task)
        else:
            self.timers.add(task)

    def may_begin(self, task: Task[Any]) -> bool:
        """Whether a task may start with the very write that accepts it, overtaking nobody."""
        lane = self.lanes[task.facts.executor]
        return task.run_at <= task.facts.created_at and lane.is_idle and self._may_start(task)

    def reserve(self, task: Task[Any]) -> None:
        """Take the slot of a task that starts with the write that accepts it."""
        self.lanes[task.facts.executor].take_slot()

    def begin(self, task: Task[Any], *, accepted: bool) -> None:
        """Run a task whose slot was reserved, or give the slot back if it was not accepted."""
        lane = self.lanes[task.facts.executor]
        lane.starting -= 1
        if accepted:
            self._run(lane, task)
        else:
            lane.give_slot()
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

    # -- starting --------------------------------------------------------------------------------

    def _queue(self, task: Task[Any]) -> None:
        lane = self.lanes[task.facts.executor]
        if lane.is_idle and task.is_pending and self._may_start(task):
            self._start(lane, task)
        else:
            lane.push(task)
            self._fill(lane)

    def _fill(self, lane: Lane) -> None:
        while lane.waiting and lane.has_slot:
            task = lane.pop()
            if task is not None and self._may_start(task):
                self._start(lane, task)

    def _may_start(self, task: Task[Any]) -> bool:
        return not self.is_draining or (task.ends_with_process and task.shutdown_group not in self.closed_to)

    def _start(self, lane: Lane, task: Task[Any]) -> None:
        lane.take_slot()
        move = Start(task.id, task.fence, self._instance, self._clock.now())
        task.journal.write([move], partial(self._started, lane, task))

    def _started(self, lane: Lane, task: Task[Any], answers: Sequence[bool], error: BaseException | None) -> None:
        lane.starting -= 1
        if error is None and answers[0]:
            self._run(lane, task)
        else:
            lane.give_slot()
            self._lose(task)
        self._fill(lane)

    def _run(self, lane: Lane, task: Task[Any]) -> None:
        if self._may_start(task):
            self.runner.start(lane, task)
        else:
            lane.give_slot()
            self.runner.return_unstarted(task, SHUTDOWN)

    def _lose(self, task: Task[Any]) -> None:
        if task.is_pending:
            self._emit(LeaseLost(task.id, task.facts.func_name))
        self.drop(task)

    # -- after a body ----------------------------------------------------------------------------

    def _body_over(self, lane: Lane, task: Task[Any]) -> None:
        lane.give_slot()
        self._offer_follower(task)
        self._fill(lane)

    def _offer_follower(self, task: Task[Any]) -> None:
        follower, task.follower = task.follower, None
        if follower is not None:
            self.offer(follower)
