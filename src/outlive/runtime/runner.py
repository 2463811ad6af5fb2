"""One attempt: call the body, decide, write the decision, tell whoever waits."""

import asyncio
import inspect
import random
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import Any

from anyio import CapacityLimiter, to_thread

from outlive.core.events import AttemptFailed, ErrorHandlerFailed, LeaseLost, ServiceFailed
from outlive.core.failure import failed
from outlive.core.moves import Settle
from outlive.core.settle import Attempt, Cancelled, Failed, Interrupted, Outcome, Succeeded, settle, succeed
from outlive.core.states import PENDING, RETRY, RUNNING, Event, TaskStatus
from outlive.core.text import storable
from outlive.definitions.context import current
from outlive.definitions.results import encode_result
from outlive.definitions.schedule import Turn
from outlive.definitions.task import Task
from outlive.runtime.gates import Gate
from outlive.runtime.lane import Lane
from outlive.runtime.process import Process
from outlive.runtime.queues import Queues
from outlive.runtime.service import PAUSE_AFTER_ERROR
from outlive.runtime.telling import begun_event, ended_event

LOST = Interrupted("this process lost its lease on the record; another instance decided its fate")
UNSTORED = "how it ended could not be stored as it was: "

#: Plain `on_error` handlers that may run at once, each in a thread.
HANDLERS = 10


class Runner:
    """Runs started tasks, each in an asyncio task of its own, outside any request.

    `body_over(lane, task)` is told when a body has ended and gives the gates that it had passed, `try_again(task)` is
    told when the record waits for its retry.
    """

    def __init__(
        self,
        process: Process,
        body_over: Callable[[Lane, Task[Any]], Sequence[Gate]],
        try_again: Callable[[Task[Any]], None],
        queues: Queues,
    ) -> None:
        self._store = process.store
        self._clock = process.clock
        self._emit = process.emit
        self._observe = process.observe
        self._max_result = process.limits.max_result_size
        self._body_over = body_over
        self._try_again = try_again
        self._on_end, self._open = queues.ended, queues.give
        self._loop = asyncio.get_running_loop()
        # Handlers wait for each other at most, never for request handlers, nor those for them.
        self._handlers = CapacityLimiter(HANDLERS)
        #: The asyncio tasks under way; held here because the event loop keeps only weak references.
        #: Keyed by them, since a retry may begin while the attempt before it still reports.
        self.running: dict[asyncio.Task[None], Task[Any]] = {}

    def start(self, lane: Lane, task: Task[Any]) -> None:
        """Begin an attempt whose `start` is committed."""
        task.fence += 1
        task.attempts += 1
        task.status = RUNNING
        task.has_begun = task.is_stopping = task.has_seen_stop = False
        task.stop_as = None
        context = task.context.copy()
        context.run(current.set, task)
        task.runner = self._loop.create_task(self._run(lane, task), context=context)
        self.running[task.runner] = task
        task.mark_started()
        if self._observe is not None:
            task.began_at = self._clock.now()
            if task.attempts == 1:
                self._observe(begun_event(task))

    def stop(self, task: Task[Any], stop_as: Cancelled | Interrupted, *, interrupt: bool) -> None:
        """Ask a running body to end, and count its end as `stop_as`; `interrupt` also breaks into its next await."""
        task.stop_as = stop_as
        task.request_stop()
        # Broken into before its first step a coroutine would never run at all, and its record never end.
        if (interrupt or task.is_waiting) and task.has_begun and task.runner is not None:
            task.runner.cancel()

    def return_unstarted(self, task: Task[Any], reason: str) -> None:
        """Undo a committed start whose body has not begun, because this process is about to end."""
        now = self._clock.now()
        move = Settle(task.id, task.fence + 1, Event.INTERRUPT, PENDING, now, run_at=now, reason=reason)
        if not task.facts.recoverable:
            move.status, move.run_at = TaskStatus.INTERRUPTED, None
        task.journal.write([move])
        self._store.remove(task)
        task.mark_finished(TaskStatus.INTERRUPTED, Interrupted(reason))

    async def _run(self, lane: Lane, task: Task[Any]) -> None:
        runner, attempt = task.runner, task.attempts
        assert runner is not None
        try:
            task.has_begun = True
            outcome = await self._outcome(lane, task) if task.stop_as is None else task.stop_as
            if task.stop_as is not None:
                outcome = as_asked(task, outcome)
            task.deaths = task.deaths + 1 if isinstance(outcome, Failed) and outcome.worker_died else 0
            move = self._decide(task, outcome)
            task.mark_attempt_over()
            gates = self._body_over(lane, task)
            if task.has_advanced:
                task.control.advanced(task)
            task.journal.write([move], partial(self._settled, task, outcome, move))
            if gates:
                self._open(gates)  # whoever goes through asks the backend after it has heard of this end
            if isinstance(outcome, Failed):
                await self._report(task, attempt, outcome, move)
        except Exception as error:  # noqa: BLE001 - nobody awaits this; what goes wrong here must be seen
            self._emit(ServiceFailed("Runner", error))
        finally:
            del self.running[runner]

    def _outcome(self, lane: Lane, task: Task[Any]) -> Awaitable[Outcome]:
        """What the body ends with, inside what its interval holds."""
        return lane.executor.call(task) if task.turn is None else self._in_turn(lane, task, task.turn)

    async def _in_turn(self, lane: Lane, task: Task[Any], turn: Turn) -> Outcome:
        stop = None if lane.executor.can_interrupt else task.request_stop
        task.is_waiting = True
        try:
            async with turn.around(stop):
                task.is_waiting = False
                return await lane.executor.call(task) if task.stop_as is None else task.stop_as
        except KeyboardInterrupt:
            raise
        except BaseException as error:  # noqa: BLE001 - also what it could not hold is only this attempt's end
            return failed(error)
        finally:
            task.is_waiting = False

    def _decide(self, task: Task[Any], outcome: Outcome) -> Settle:
        if isinstance(outcome, Succeeded):
            move = succeed(task.id, task.fence, self._clock.now())
            if outcome.value is not None:
                move.result = encode_result(task.definition, outcome.value, self._max_result)
            return move
        retry = task.effective.retry
        attempt = Attempt(task.id, task.fence, task.attempts, retry, task.facts.requeue_on_interrupt, task.deaths)
        chance = random.random() if retry.jitter else 0.5  # noqa: S311 spreads retries, guards nothing
        return settle(attempt, outcome, self._clock.now(), chance)

    def _settled(
        self, task: Task[Any], outcome: Outcome, move: Settle, answers: Sequence[bool], error: BaseException | None
    ) -> None:
        if error is not None:
            self._settle_plainly(task, outcome, move, error)
            return
        if not answers[0]:
            self._lose(task)
            return
        if self._observe is not None and move.event is not RETRY:
            self._observe(ended_event(task, move))
        if move.status is not PENDING:
            self._store.remove(task)
            self._on_end(task)
            task.mark_finished(move.status, outcome)
        elif move.event is RETRY:
            assert move.run_at is not None
            task.status, task.run_at = PENDING, move.run_at
            self._try_again(task)
        else:
            task.status = PENDING
            self._store.send_away(task)

    def _settle_plainly(self, task: Task[Any], outcome: Outcome, move: Settle, error: BaseException) -> None:
        """Store that it has ended, where the backend cannot store how; without that it would run for ever."""
        self._emit(ServiceFailed("Journal", error))
        plain = Settle(move.id, move.fence, move.event, move.status, move.at, move.run_at)
        if not isinstance(outcome, Succeeded):
            plain.reason = storable(f"{UNSTORED}{type(error).__name__}: {error}")
        if isinstance(outcome, Failed):
            plain.error = type(outcome.exception).__name__
        is_plain = isinstance(outcome, Succeeded) or (move.reason or "").startswith(UNSTORED)
        pause = PAUSE_AFTER_ERROR if is_plain else 0.0
        write = partial(task.journal.write, [plain], partial(self._settled, task, outcome, plain))
        self._clock.call_at(self._clock.now() + pause, write)

    def _lose(self, task: Task[Any]) -> None:
        self._store.remove(task)
        task.mark_finished(TaskStatus.INTERRUPTED, LOST)
        self._emit(LeaseLost(task.id, task.facts.func_name))

    async def _report(self, task: Task[Any], attempt: int, failed: Failed, move: Settle) -> None:
        is_last = move.status is TaskStatus.FAILED
        wait = None if is_last or move.run_at is None else move.run_at - move.at
        facts = task.facts
        self._emit(AttemptFailed(task.id, facts.func_name, facts.label, attempt, failed.exception, wait))
        if is_last and task.effective.on_error is not None:
            await self._handle(task, failed.exception)

    async def _handle(self, task: Task[Any], error: BaseException) -> None:
        handler = task.effective.on_error
        assert handler is not None
        try:
            if inspect.iscoroutinefunction(handler):
                await handler(task, error)
            else:
                call = partial(handler, task, error)
                answer = await to_thread.run_sync(call, abandon_on_cancel=True, limiter=self._handlers)
                if inspect.isawaitable(answer):
                    await answer
        except asyncio.CancelledError as stopped:
            self._emit(ErrorHandlerFailed(task.id, task.facts.func_name, stopped))
            raise
        except KeyboardInterrupt:
            raise
        except BaseException as failure:  # noqa: BLE001 - the handler is the user's; its failure, SystemExit too, is its own
            self._emit(ErrorHandlerFailed(task.id, task.facts.func_name, failure))


def as_asked(task: Task[Any], outcome: Outcome) -> Outcome:
    """What the end of a body counts as that was asked to stop; one that finished its work all the same has finished."""
    if task.stop_as is None:
        return outcome
    if isinstance(outcome, Succeeded):
        return task.stop_as if task.has_seen_stop else outcome
    if not isinstance(outcome, Failed):
        return outcome
    if isinstance(task.stop_as, Cancelled) or isinstance(outcome.exception, asyncio.CancelledError):
        return task.stop_as
    return outcome
