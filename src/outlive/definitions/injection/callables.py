"""Dependencies in the one form that the solver calls.

A generator sees how the attempt ended, whatever that was, and cannot keep it to itself: a failed attempt that a
dependency turned into a success would be lost.
"""

import asyncio
import inspect
from collections.abc import AsyncGenerator, Callable, Generator, Mapping
from contextlib import AbstractAsyncContextManager, AbstractContextManager, asynccontextmanager, contextmanager
from functools import partial
from typing import Any

import anyio
from anyio import CapacityLimiter, to_thread
from anyio.lowlevel import RunVar

from outlive.definitions.definition import is_async

#: How many plain dependencies of coroutines may be called at once. Threads of their own: they must not starve those
#: that request handlers have.
DEPENDENCY_THREADS = 40

_threads: RunVar[CapacityLimiter] = RunVar("outlive_dependency_threads")

#: Calls a dependency with the values that the solver has found.
Apply = Callable[[Mapping[str, Any]], Any]


def needs_loop(dependency: Callable[..., Any]) -> bool:
    """Whether a dependency can be called on an event loop only."""
    return is_async(dependency) or _is(inspect.isasyncgenfunction, dependency)


def for_thread(dependency: Callable[..., Any], apply: Apply) -> Callable[..., Any]:
    """What solves a plain dependency of a plain function, in the thread that is to run the body."""
    if _is(inspect.isgeneratorfunction, dependency):
        return _generator(contextmanager(apply))
    return _plain(apply)


def for_loop(dependency: Callable[..., Any], apply: Apply) -> Callable[..., Any]:
    """What solves a dependency on an event loop; where it could block, it is called in a thread."""
    if is_async(dependency):
        return _coroutine(apply)
    if _is(inspect.isasyncgenfunction, dependency):
        return _async_generator(asynccontextmanager(apply))
    if _is(inspect.isgeneratorfunction, dependency):
        return _async_generator(lambda given: _in_threads(contextmanager(apply)(given)))
    return _coroutine(lambda given: _in_thread(partial(apply, given), _limiter()))


def _is(kind: Callable[[Any], bool], dependency: Callable[..., Any]) -> bool:
    if inspect.isclass(dependency):
        return False
    return kind(dependency) or kind(getattr(dependency, "__call__", None))  # noqa: B004 - of an object, if it has one


def _plain(apply: Apply) -> Callable[..., Any]:
    def solve(**given: Any) -> Any:
        return apply(given)

    return solve


def _coroutine(apply: Apply) -> Callable[..., Any]:
    async def solve(**given: Any) -> Any:
        return await apply(given)

    return solve


def _generator(enter: Callable[[Mapping[str, Any]], AbstractContextManager[Any]]) -> Callable[..., Any]:
    def solve(**given: Any) -> Generator[Any]:
        failure: BaseException | None = None
        with enter(given) as value:
            try:
                yield value
            except BaseException as error:
                failure = error
                raise
        if failure is not None:
            raise failure

    return solve


def _async_generator(enter: Callable[[Mapping[str, Any]], AbstractAsyncContextManager[Any]]) -> Callable[..., Any]:
    async def solve(**given: Any) -> AsyncGenerator[Any]:
        failure: BaseException | None = None
        async with enter(given) as value:
            try:
                yield value
            except BaseException as error:
                failure = error
                raise
        if failure is not None:
            raise failure

    return solve


@asynccontextmanager
async def _in_threads(manager: AbstractContextManager[Any]) -> AsyncGenerator[Any]:
    """Both ends in threads. What was opened is closed, also where the attempt was cancelled meanwhile."""
    opened: list[Any] = []
    try:
        await _in_thread(lambda: opened.append(manager.__enter__()), _limiter())
        yield opened[0]
    except BaseException as error:
        if opened:
            await _in_thread(partial(manager.__exit__, type(error), error, error.__traceback__), _one_more())
        raise
    await _in_thread(partial(manager.__exit__, None, None, None), _one_more())


async def _in_thread(func: Callable[[], Any], limiter: CapacityLimiter) -> Any:
    """Call in a thread; who is cancelled meanwhile learns it when the call has ended."""
    async with limiter:
        hop = asyncio.create_task(to_thread.run_sync(_attempt, func, limiter=_one_more()))
        cancelled = await _ended(hop)
    if cancelled is not None:
        raise cancelled
    value, raised = hop.result()
    if raised is not None:
        raise raised
    return value


async def _ended(hop: "asyncio.Task[Any]") -> asyncio.CancelledError | None:
    cancelled: asyncio.CancelledError | None = None
    with anyio.CancelScope(shield=True):  # against scopes of anyio, which cancel again and again
        while not hop.done():
            try:
                await asyncio.wait([hop])
            except asyncio.CancelledError as error:
                cancelled = error
    return cancelled


def _attempt(func: Callable[[], Any]) -> tuple[Any, BaseException | None]:
    try:
        return func(), None
    except BaseException as error:  # noqa: BLE001 - SystemExit would end the event loop, if it left a task of its own
        return None, error


def _limiter() -> CapacityLimiter:
    limiter = _threads.get(None)
    if limiter is None:
        limiter = CapacityLimiter(DEPENDENCY_THREADS)
        _threads.set(limiter)
    return limiter


def _one_more() -> CapacityLimiter:
    """Room for one. Closing never waits for room: all of it may be taken by those who wait for what is closed."""
    return CapacityLimiter(1)
