"""Everything that runs in one process between `startup` and `shutdown`, put together."""

import asyncio
import threading
from collections.abc import Awaitable, Callable, Mapping
from concurrent.futures import wait
from typing import Any

from outlive.core.events import ServiceFailed
from outlive.definitions.schedule import Schedule, Timing
from outlive.definitions.task import Task
from outlive.errors import BackendUnavailableError, NotInitializedError, WouldDeadlockError
from outlive.ports import CANCEL, DRAIN, SCHEDULES, WORK, Backend, Executor
from outlive.runtime.cancellations import Cancellations
from outlive.runtime.claimer import Claimer
from outlive.runtime.control import Control
from outlive.runtime.deferred import DeferredJournal
from outlive.runtime.dispatcher import SHUTDOWN, Dispatcher
from outlive.runtime.drain import Drain
from outlive.runtime.handing_over import HandingOver
from outlive.runtime.herald import Herald
from outlive.runtime.intake import Intake
from outlive.runtime.intervals import Intervals
from outlive.runtime.journal import Journal
from outlive.runtime.off_duty import OffDuty
from outlive.runtime.planner import Planner
from outlive.runtime.presence import Heartbeat, Rescuer
from outlive.runtime.process import Process
from outlive.runtime.pruner import Pruner
from outlive.runtime.queue_control import QueueControl
from outlive.runtime.quiet import Quiet
from outlive.runtime.schedule_control import ScheduleControl
from outlive.runtime.scheduler import Scheduler
from outlive.runtime.service import Service

#: Seconds between looks at whether the event loop still runs.
_LOOK = 1.0

_LOOP_ENDED = (
    "the event loop that the task manager was started on does not run any more; keep it running, or await "
    "manager.startup() on the one that does"
)


class Runtime:
    """One instance: its services, and the order in which they begin and end.

    `memory` keeps the records of `persist=False` tasks where `backend` is a durable one.
    """

    def __init__(self, process: Process, backend: Backend, memory: Backend, executors: Mapping[str, Executor]) -> None:
        self.process = process
        self.backend = backend
        self._memory = memory
        self.store = process.store
        self.loop = asyncio.get_running_loop()
        self.loop_thread = threading.get_ident()
        self._emit = process.emit
        self._executors = executors
        self.journal = Journal(process, backend)
        self.herald = Herald(backend)
        self.journal.on_applied = None if self.herald.is_silent else self.herald.tell
        self.control = Control(process, backend, self.journal)
        self.dispatcher = Dispatcher(process, executors, self._claim_again)
        self.claimer = Claimer(process, backend, self.journal, self.dispatcher, self.control)
        self.queues = QueueControl(process, backend, self.dispatcher.queues)
        self.control.dispatcher, self.control.claimer = self.dispatcher, self.claimer
        self._deferred = DeferredJournal(process, memory, self.journal) if backend.durable else None
        self.control.deferred = self._deferred
        journals = (self.journal, self._deferred)
        self.intake = Intake(process, backend, self.dispatcher, self.control, journals, self.claimer.wake)
        self.handing_over = HandingOver(process, backend, self.intake, self._committed)
        self._drain = Drain(process, self.dispatcher, self.journal)
        self._rescuer = Rescuer(process, backend, self.claimer, self.herald)
        self._cancellations = Cancellations(process, backend, self.control)
        self._scheduler = Scheduler(process, backend, self.journal, self.intake, self.control)
        self._intervals = Intervals(process, self.intake, self.control)
        self.schedules = ScheduleControl(process, backend, self.intake, self._rescheduled)
        self.planner = Planner(process, backend, self.journal, self.intake, self.control)
        self.duty = OffDuty(process, backend, self.dispatcher, self.herald, (self.claimer, self._scheduler))
        self._services = self._choose_services()

    def _choose_services(self) -> list[Service]:
        process = self.process
        services: list[Service] = [
            Heartbeat(process, self.backend),
            self._rescuer,
            self.queues,
            self.duty,
            Pruner(process, self.backend),
        ]
        if process.runs_tasks:
            services += [self.claimer, self._scheduler]
        if self._deferred is not None:
            services += [self._deferred, self._cancellations, self.handing_over]
        return services

    def _claim_again(self) -> None:
        self.claimer.wake()

    def _committed(self) -> None:
        """A record that a caller's transaction has accepted is there, for anybody."""
        self.claimer.wake()
        self.herald.signal(WORK)

    async def start(self) -> None:
        """Open the backend, recover what a dead process left, begin to run."""
        await self._memory.open()
        await self.backend.open()
        try:
            self.journal.start()
            await self.backend.join(self.process.instance, self.process.clock.now())
            await self._rescuer.step()
            await self.queues.step()
            self.dispatcher.queues.check(self.process.registry)
            await self._scheduler.announce()
        except BaseException:
            await self.backend.close()
            raise
        for service in self._services:
            service.start()
        self._listen()
        if self.process.runs_tasks:
            self._intervals.start()
        self.process.plan.on_add = self._planned

    def _listen(self) -> None:
        self.herald.listen(WORK, self.claimer.hear)
        self.herald.listen(SCHEDULES, self._hear_of_schedule)
        self.herald.listen(CANCEL, self._cancellations.hear)
        self.herald.listen(DRAIN, self.duty.hear)

    def _rescheduled(self, name: str) -> None:
        """A schedule may be due sooner than anybody thinks."""
        self._scheduler.look_at(name)
        self.herald.signal(SCHEDULES, name)

    def _hear_of_schedule(self, name: str | None) -> None:
        if name is None:
            self._scheduler.wake()
        else:
            self._scheduler.look_at(name)

    def _planned(self, schedule: Schedule) -> None:
        """Something was declared while this runs; from any thread."""
        if isinstance(schedule.timing, Timing):
            self.loop.call_soon_threadsafe(self._scheduler.wake)
        else:
            self.loop.call_soon_threadsafe(self._intervals.begin, schedule)

    async def accept(self, task: Task[Any]) -> Task[Any]:
        """Enqueue a task and give it, or the one that holds its idempotency key, when the record is durable."""
        (accepted,) = self.intake.accept([task])
        await accepted.durable()
        return accepted

    def accept_from_thread(self, task: Task[Any]) -> Task[Any]:
        """Do the same from a thread, which is blocked meanwhile."""
        if threading.get_ident() == self.loop_thread:
            raise WouldDeadlockError(
                f"enqueue_sync({task.func_name}) was called in the thread of the event loop, which it would wait for; "
                f"use `await enqueue(...)` there"
            )
        accepting = self.accept(task)
        try:
            accepted = asyncio.run_coroutine_threadsafe(accepting, self.loop)
        except RuntimeError as error:  # the loop is closed
            accepting.close()
            raise NotInitializedError(_LOOP_ENDED) from error
        while True:
            done, _ = wait([accepted], timeout=_LOOK)
            if done:
                return accepted.result()
            if not self.loop.is_running():
                accepted.cancel()
                raise NotInitializedError(_LOOP_ENDED)

    @property
    def quiet(self) -> Quiet:
        """For tests: waits until nothing runs here and nothing that is due can start."""
        return Quiet((self._scheduler, self.claimer), self.journal, self.dispatcher)

    async def stop(self, step_down: Callable[[], Awaitable[None]]) -> None:
        """Drain, flush and let go of everything; step down when the runs of intervals have ended that may need it."""
        self.process.plan.on_add = None
        await self._intervals.stop()
        leaving = asyncio.create_task(self._leave(step_down), name="outlive stepping down")
        await self._scheduler.stop()
        await self._rescuer.stop()
        await self.claimer.stop()
        bodies = await self._drain.run()
        await asyncio.wait([leaving], timeout=self.process.limits.flush_patience)
        if not leaving.done():  # a thread that does not end, and holds its lock until the process does
            leaving.cancel()
            await step_down()
        for service in self._services:
            await service.stop()
        self.herald.stop()
        unwritten = await self._flush()
        for executor in self._executors.values():
            executor.shutdown()
        # A body that cannot be made to end (a thread) still owns its record: the instance stays announced until the
        # process is gone, so that nobody runs the record beside it.
        if not bodies:
            if not unwritten:
                await self._give_back()
            await self.backend.close()

    async def _give_back(self) -> None:
        try:
            left = await self.backend.rescue(self.process.instance.id, self.process.clock.now(), SHUTDOWN)
        except BackendUnavailableError:
            return  # the others rescue what was left when this instance beats no more
        if left.requeued:
            self.herald.signal(WORK)

    async def _leave(self, step_down: Callable[[], Awaitable[None]]) -> None:
        await self._intervals.over()
        await step_down()

    async def _flush(self) -> int:
        if self._deferred is not None:
            await self._deferred.step()
        unwritten = await self.journal.close(self.process.limits.flush_patience)
        if unwritten:
            self._emit(ServiceFailed("Journal", BackendUnavailableError(f"{unwritten} writes could not be applied")))
        return unwritten
