"""Executors that tell a tracer of each attempt; there are none where nobody traces."""

from collections.abc import Mapping
from typing import Any, cast

from outlive.core.settle import Outcome
from outlive.definitions.options import trace_in
from outlive.definitions.task import Task
from outlive.ports import Call, Executor, Tracer
from outlive.runtime.runner import as_asked


def traced(executors: Mapping[str, Executor], tracer: Tracer) -> dict[str, Executor]:
    """The same executors, followed by a tracer."""
    return {name: TracedExecutor(executor, tracer, name == "process") for name, executor in executors.items()}


class TracedExecutor:
    """Runs bodies by another executor; `leaves` says that they leave the process, and what is traced in it with it."""

    def __init__(self, executor: Executor, tracer: Tracer, leaves: bool) -> None:  # noqa: FBT001 - of three one place
        self._executor = executor
        self._tracer = tracer
        self._leaves = leaves
        self.limit = executor.limit
        self.can_interrupt = executor.can_interrupt

    async def call(self, call: Call) -> Outcome:
        """Run the body, with the tracer around it."""
        task = cast("Task[Any]", call)
        with self._tracer.attempt(task, trace_in(task.facts.options)) as end:
            if self._leaves:
                task.body = self._tracer.carried(task.definition.body)
            outcome = await self._executor.call(task)
            end(as_asked(task, outcome))
        return outcome

    def shutdown(self) -> None:
        """Take no more work."""
        self._executor.shutdown()
