"""`TaskKit`: what the tests of an application see of its tasks, and how they let time pass."""

import asyncio
import threading
from collections.abc import Awaitable, Callable, Coroutine, Generator
from contextlib import closing, contextmanager
from typing import Any, Literal, TypeVar, get_args, overload

from outlive.backends.memory import MemoryBackend
from outlive.definitions.context import current
from outlive.definitions.task import Task
from outlive.errors import ConfigError, WouldDeadlockError
from outlive.manager import TaskManager
from outlive.ports import Backend
from outlive.runtime.rehearsal import Rehearsal
from outlive.testing.calls import call_of, listed, matching
from outlive.testing.clock import ManualClock

R = TypeVar("R")
T = TypeVar("T")

#: Seconds by which time goes on where something was due and has not happened: it is held back, or waits for another.
_TICK = 1.0

#: How tasks run in a test: never before `drain`, all before the response has returned, or as they do in production.
Mode = Literal["recorded", "inline", "real"]


class StoringBackend(MemoryBackend):
    """In memory, with the strictness of a durable backend: what could not be stored in production is refused."""

    durable = True


class TaskKit:
    """The tasks of a manager in a test; made by `rehearse`.

    `clock` is the time of the manager: it stands still until the test moves it. `patience`: seconds of real time that
    `drain` waits for bodies to end.
    """

    def __init__(
        self, manager: TaskManager, clock: ManualClock, *, mode: Mode = "recorded", patience: float = 10.0
    ) -> None:
        if mode not in get_args(Mode):
            raise ConfigError(f"mode={mode!r} is unknown; choose one of {', '.join(get_args(Mode))}")
        self.manager = manager
        self.clock = clock
        self.mode: Mode = mode
        self.patience = patience
        self.rehearsal = Rehearsal(holds=mode == "recorded", on_request_end=self.drain if mode == "inline" else None)

    # -- what was accepted -----------------------------------------------------------------------

    def enqueued(self, func: Callable[..., Any] | None = None, /, **subset: Any) -> list[Task[Any]]:
        """The runs accepted so far, oldest first: all, those of `func`, those with these arguments among theirs.

        Raises `TypeError` for a name that is no parameter of `func`.
        """
        return matching(self.rehearsal.accepted, func, subset)

    @overload
    def assert_enqueued(self, func: Callable[..., Awaitable[R]], /, **subset: Any) -> Task[R]: ...
    @overload
    def assert_enqueued(self, func: Callable[..., R], /, **subset: Any) -> Task[R]: ...
    def assert_enqueued(self, func: Callable[..., Any], /, **subset: Any) -> Task[Any]:
        """Give the newest run of `func` with these arguments among its own; `AssertionError` where there is none.

        Raises `TypeError` for a name that is no parameter of `func`.
        """
        found = self.enqueued(func, **subset)
        if not found:
            raise AssertionError(f"{call_of(func, subset)} was not enqueued, but{listed(self.enqueued())}")
        return found[-1]

    def refute_enqueued(self, func: Callable[..., Any], /, **subset: Any) -> None:
        """Raise `AssertionError` where a run of `func` with these arguments among its own was accepted."""
        found = self.enqueued(func, **subset)
        if found:
            raise AssertionError(f"{call_of(func, subset)} was not to be enqueued, but was:{listed(found)}")

    def clear(self) -> None:
        """Forget what was accepted so far; it still runs."""
        self.rehearsal.accepted.clear()

    # -- letting it run --------------------------------------------------------------------------

    async def drain(self) -> None:
        """Run what is due, and what comes of it, to the end; what waits for a later time goes on waiting.

        Raises `TimeoutError` where bodies do not end within `patience`, `WouldDeadlockError` inside a task.
        """
        if current.get() is not None:
            raise WouldDeadlockError("drain() inside a task would wait for that task; call it from the test")
        dispatcher = self.manager.runtime.dispatcher
        dispatcher.hold(back=False)
        try:
            await self._quiet()
        finally:
            dispatcher.hold(back=self.rehearsal.holds)

    async def advance(self, seconds: float) -> None:
        """Let so much time pass: what becomes due is done at its moment, one after the other.

        Recorded tasks are only accepted. An interval, which has no moments of its own, runs once at the end.
        """
        if seconds < 0:
            raise ValueError(f"seconds={seconds!r} must be 0 or more; time does not run backwards")
        end = self.clock.now() + seconds
        while (moment := await self._quiet()) is not None and moment < end:
            self.clock.advance(max(0.0, moment - self.clock.now()) or _TICK)
        self.clock.advance(max(0.0, end - self.clock.now()))
        await self._quiet()

    def drain_sync(self) -> None:
        """What `drain` does, for a plain test beside a `TestClient`."""
        self._from_thread(self.drain())

    def advance_sync(self, seconds: float) -> None:
        """What `advance` does, for a plain test beside a `TestClient`."""
        self._from_thread(self.advance(seconds))

    async def _quiet(self) -> float | None:
        """Return when nothing goes on any more; when something will."""
        runtime = self.manager.runtime
        try:
            async with asyncio.timeout(self.patience):
                return await runtime.quiet.next_moment()
        except TimeoutError:
            running = [task for task in runtime.store if not task.is_pending]
            raise TimeoutError(f"after {self.patience} s there still run:{listed(running)}") from None

    def _from_thread(self, step: Coroutine[Any, Any, T]) -> T:
        with closing(step):  # where it is refused it never begins
            return asyncio.run_coroutine_threadsafe(step, self._loop_of_another_thread()).result()

    def _loop_of_another_thread(self) -> asyncio.AbstractEventLoop:
        runtime = self.manager.runtime
        if threading.get_ident() == runtime.loop_thread:
            raise WouldDeadlockError("this would wait for its own event loop; await drain() or advance() here")
        return runtime.loop


@contextmanager
def rehearse(
    manager: TaskManager,
    mode: Mode = "recorded",
    *,
    backend: Backend | None = None,
    clock: ManualClock | None = None,
    patience: float = 10.0,
) -> Generator[TaskKit]:
    """Let a test see and lead the tasks of an application, in memory and by a clock of its own; then undo that.

    `mode`: `"recorded"` tasks wait for `drain`, `"inline"` ones are done when the response returns, `"real"` ones run
    as in production. `backend`: another one than memory. To be entered before the application starts. Raises
    `ConfigError` where the manager runs before or after it.
    """
    kit = TaskKit(manager, clock or ManualClock(), mode=mode, patience=patience)
    with manager.rehearse(kit.rehearsal, backend or StoringBackend(), kit.clock):
        yield kit
