"""The moments of one request: what is kept back, what has to be durable before the response, what starts when.

The middleware tells it how the request goes on; `Tasks` gives it what the endpoint schedules.
"""

import asyncio
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from itertools import pairwise
from typing import Any

from outlive.core.config import TaskConfig
from outlive.definitions.task import Task
from outlive.errors import BackendUnavailableError, JournalFullError
from outlive.runtime.runtime import Runtime
from outlive.web.host import Host
from outlive.web.traces import Trace

IMMEDIATE, AFTER_ROUTE, AFTER_RESPONSE = "immediate", "after_route", "after_response"

ENDPOINT_RAISED = "the endpoint that scheduled it raised, so it was dropped; even_on_error=True keeps such a task"
GAVE_UP = "its request failed because not all of its tasks could be stored"

#: What a backend or a full journal says to a task that it cannot take.
NOT_ACCEPTED = (BackendUnavailableError, JournalFullError)


class Moments:
    """When the tasks of one request start, and what becomes of them where the endpoint raises."""

    def __init__(self, host: Host) -> None:
        self._host = host
        #: The asyncio task the endpoint runs in.
        self.endpoint = asyncio.current_task()
        #: Whether anything was scheduled; the middleware does nothing at all until then.
        self.is_used = False
        # What must be committed before the response may go on.
        self._uncommitted: list[Task[Any]] = []
        # What waits for its moment.
        self._route: list[Task[Any]] = []
        self._response: list[Task[Any]] = []
        # `after_route` tasks that were scheduled after the endpoint had returned, while the body was being sent.
        self._late: list[Task[Any]] = []
        self.is_decided = False
        self.has_raised = False
        self.is_released = False
        #: What is noted of the request, None where nobody looks at it.
        self.trace: Trace | None = None

    # -- what the endpoint schedules -------------------------------------------------------------

    def accept(
        self,
        func: Callable[..., Any],
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        options: TaskConfig,
        timing: str | None,
    ) -> Task[Any]:
        """Build a task and start it or keep it back; `timing` None is `add_task`, where the options decide."""
        runtime = self._host.runtime
        task = runtime.intake.build(func, args, kwargs, options, timing or AFTER_RESPONSE)
        self.is_used = True
        if timing is None:
            timing = self._timing_of_add_task(task)
        key = task.facts.idempotency_key
        holder = task if key is None else self._key_holder(runtime, task, timing, key)
        if holder is task:
            runtime.intake.admit(task)
        if self.trace is not None:
            self._note(self.trace, holder, timing)
        if holder is not task:
            return self._join(holder)
        if timing == IMMEDIATE:
            self._start_now(runtime, task)
        elif self.is_decided and threading.get_ident() != runtime.loop_thread:
            runtime.loop.call_soon_threadsafe(self._keep_quietly, runtime, task)
        else:
            self._keep(runtime, task)
        return task

    def _note(self, trace: Trace, task: Task[Any], timing: str) -> None:
        if not trace.steps and self._host.traces is not None:
            self._host.traces.keep(trace)
        trace.add(task.id, task.facts.func_name, timing)

    def _key_holder(self, runtime: Runtime, task: Task[Any], timing: str, key: str) -> Task[Any]:
        """The task that already holds the idempotency key, as far as this process knows; else the task itself."""
        for waiting in (*self._route, *self._response):
            if waiting.facts.idempotency_key == key:
                return waiting
        if timing == IMMEDIATE:
            return runtime.store.reserve(task)
        return runtime.store.holder_of(key) or task

    def _join(self, holder: Task[Any]) -> Task[Any]:
        """Let the response wait until the task that stands for this call is durable, too."""
        if holder.hold is None and not holder.is_durable and not self.is_released:
            self._uncommitted.append(holder)
        return holder

    def _timing_of_add_task(self, task: Task[Any]) -> str:
        if task.effective.eager or task.effective.priority is not None:
            task.facts.timing = IMMEDIATE
            return IMMEDIATE
        task.is_ordered = task.run_at <= task.facts.created_at
        return AFTER_RESPONSE

    def _start_now(self, runtime: Runtime, task: Task[Any]) -> None:
        if threading.get_ident() == runtime.loop_thread:
            # What it raises is the caller's to handle, and not for the response to repeat.
            runtime.intake.enqueue([task])
        else:
            runtime.loop.call_soon_threadsafe(_enqueue_quietly, runtime, task)
        if not (self.is_released or task.is_durable):
            self._uncommitted.append(task)

    def _keep_quietly(self, runtime: Runtime, task: Task[Any]) -> None:
        if not self.is_released:
            self._uncommitted.append(task)
        with suppress(*NOT_ACCEPTED):  # the thread that called is gone; the task, and so the response, has the error
            self._keep(runtime, task)

    def _keep(self, runtime: Runtime, task: Task[Any]) -> None:
        is_over = self.is_decided if task.facts.timing == AFTER_ROUTE else self.is_released
        if is_over and self.has_raised and not task.effective.even_on_error:
            runtime.intake.discard([task], ENDPOINT_RAISED)
        elif is_over:
            self._start_now(runtime, task)
            if not self.is_released:
                self._late.append(task)
        else:
            task.hold = self
            (self._route if task.facts.timing == AFTER_ROUTE else self._response).append(task)
            if self.is_decided:  # the commit for the response's start has been
                self.submit(task)
                self._uncommitted.append(task)

    # -- the request goes on (told by the middleware) --------------------------------------------

    def submit(self, task: Task[Any]) -> None:
        """Write a held task to the journal before its time."""
        if not task.is_submitted:
            self._host.runtime.intake.enqueue([task], offer=False)

    def decide(self, *, has_raised: bool) -> None:
        """The endpoint's fate is known: drop or write what was kept back."""
        self.is_decided, self.has_raised = True, has_raised
        if not self.is_used or not (self._response or self.must_wait):
            return
        if has_raised:
            self._discard()
        kept = self._route + self._response
        fresh = [task for task in kept if not task.is_submitted]
        if fresh:
            self._host.runtime.intake.enqueue(fresh, offer=False)
        self._uncommitted = [task for task in (*self._uncommitted, *kept) if not task.is_durable]

    def _discard(self) -> None:
        dropped = self._take(lambda task: not task.effective.even_on_error)
        if dropped:
            self._host.runtime.intake.discard(dropped, ENDPOINT_RAISED)

    def _take(self, wanted: Callable[[Task[Any]], bool]) -> list[Task[Any]]:
        """Let go of the waiting tasks that are wanted elsewhere."""
        taken = [task for task in (*self._route, *self._response) if wanted(task)]
        for task in taken:
            task.hold = None
        self._route = [task for task in self._route if task.hold is not None]
        self._response = [task for task in self._response if task.hold is not None]
        return taken

    @property
    def must_wait(self) -> bool:
        """Whether the response has to wait: for a commit, or for an `after_route` task."""
        return bool(self._uncommitted or self._late or self._route)

    async def commit(self) -> None:
        """Return when everything scheduled so far is durable; raise what kept a task from being so."""
        waiting, self._uncommitted = self._uncommitted, []
        for task in waiting:
            since = time.perf_counter()
            await task.durable()
            if self.trace is not None:
                self.trace.stored(task.id, since)

    async def finish_route(self) -> None:
        """Start the `after_route` tasks and return when the first attempt of each is over."""
        route, late, self._late = self._route, self._late, []
        if route:
            self._release_route()
        if (route or late) and self._host.runtime.dispatcher.is_held:
            return
        for task in (*route, *late):
            since = time.perf_counter()
            await task.wait_first_attempt()
            if self.trace is not None:
                self.trace.ran(task.id, since)

    def release(self) -> None:
        """Start what waited for the response; harmless when repeated."""
        self.is_released = True
        if self.trace is not None:
            self.trace.end()
        if self._route:
            self._release_route()
        if self._response:
            response, self._response = self._response, []
            self._offer(response)

    def _release_route(self) -> None:
        route, self._route = self._route, []
        self._offer(route)

    def _offer(self, tasks: list[Task[Any]]) -> None:
        for task in tasks:
            task.hold = None
        dispatcher = self._host.runtime.dispatcher
        for task in _link_ordered([task for task in tasks if task.facts.owner is not None and task.is_pending]):
            dispatcher.offer(task)

    def give_up(self) -> None:
        """The client is told that its request failed: nothing that has not started may run."""
        self._host.runtime.intake.withdraw(self._take(lambda _: True), GAVE_UP)


def _link_ordered(tasks: list[Task[Any]]) -> list[Task[Any]]:
    """Chain a request's `add_task` calls, each behind the one before, and return the tasks that start now."""
    if len(tasks) == 1:
        return tasks
    ordered = [task for task in tasks if task.is_ordered]
    for task, follower in pairwise(ordered):
        task.follower = follower
    return [task for task in tasks if not task.is_ordered or task is ordered[0]]


def _enqueue_quietly(runtime: Runtime, task: Task[Any]) -> None:
    try:
        runtime.intake.enqueue([task])
    except Exception:  # noqa: BLE001 - the task carries the error; its `durable()`, and so the response, raises it
        assert not task.is_durable
