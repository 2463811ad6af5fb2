"""What is traced of the runs of a process; nothing of this is there where nobody traces."""

from collections.abc import Callable, Mapping
from contextlib import ExitStack
from typing import Any, cast

from outlive.core.events import ObserverFailed
from outlive.core.moves import Enqueue
from outlive.core.settle import Outcome
from outlive.definitions.options import trace_in
from outlive.definitions.task import Task
from outlive.ports import Call, Emit, Executor, Tracer
from outlive.runtime.runner import as_asked


class Tracing:
    """A tracer whose troubles are its own: what it raises is reported, and the run goes on without it."""

    def __init__(self, tracer: Tracer, emit: Emit) -> None:
        self._tracer = tracer
        self._emit = emit

    def accept(self, facts: Enqueue) -> Mapping[str, str]:
        """Ask what is to be kept of who asks for a run."""
        try:
            return self._tracer.accept(facts)
        except Exception as error:  # noqa: BLE001 - a tracer is the application's
            self._fail("accept", error)
            return {}

    def begin(self, task: Task[Any], *, leaves: bool) -> Callable[[Outcome], None]:
        """Be around an attempt, until what this gives is told the outcome; `leaves`: its body leaves the process."""
        around = ExitStack()
        try:
            end = around.enter_context(self._tracer.attempt(task, trace_in(task.facts.options)))
            if leaves:
                task.body = self._tracer.carried(task.definition.body)
        except Exception as error:  # noqa: BLE001 - a tracer is the application's
            self._fail("attempt", error)
            return lambda _: None

        def over(outcome: Outcome) -> None:
            try:
                with around:
                    end(outcome)
            except Exception as error:  # noqa: BLE001 - a tracer is the application's
                self._fail("attempt", error)

        return over

    def _fail(self, during: str, error: Exception) -> None:
        self._emit(ObserverFailed(type(self._tracer).__name__, during, error))


class TracedExecutor:
    """Runs bodies by another executor, and has each attempt traced."""

    def __init__(self, executor: Executor, tracing: Tracing, *, leaves: bool) -> None:
        self._executor = executor
        self._tracing = tracing
        self._leaves = leaves
        self.limit = executor.limit
        self.can_interrupt = executor.can_interrupt

    async def call(self, call: Call) -> Outcome:
        """Run the body inside of what the tracer makes of the attempt."""
        task = cast("Task[Any]", call)
        over = self._tracing.begin(task, leaves=self._leaves)
        outcome = await self._executor.call(task)
        over(as_asked(task, outcome))
        return outcome

    def shutdown(self) -> None:
        """Take no more work."""
        self._executor.shutdown()


def traced(executors: Mapping[str, Executor], tracing: Tracing) -> dict[str, Executor]:
    """The same executors, traced."""
    return {name: TracedExecutor(one, tracing, leaves=name == "process") for name, one in executors.items()}
