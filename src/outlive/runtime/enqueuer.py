"""Accepting runs outside of requests."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from typing import Any, ParamSpec, TypeVar, overload

from outlive.core.config import TaskConfig
from outlive.definitions.task import Task
from outlive.errors import ConfigError
from outlive.ports import CallersTransaction
from outlive.runtime.intake import AT_ONCE
from outlive.runtime.runtime import Runtime

P = ParamSpec("P")
R = TypeVar("R")


class Enqueuer:
    """Accepts runs outside of requests, with one set of options; made by `TaskManager.using`."""

    def __init__(
        self, runtime: Callable[[], Runtime], options: TaskConfig, connection: CallersTransaction | None = None
    ) -> None:
        self._runtime = runtime
        self._options = options
        self._connection = connection

    @overload
    async def enqueue(self, func: Callable[P, Awaitable[R]], /, *args: P.args, **kwargs: P.kwargs) -> Task[R]: ...
    @overload
    async def enqueue(self, func: Callable[P, R], /, *args: P.args, **kwargs: P.kwargs) -> Task[R]: ...
    async def enqueue(self, func: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Task[Any]:
        """Accept one run of `func` and return its handle when the record is durable."""
        runtime = self._runtime()
        task = runtime.intake.build(func, args, kwargs, self._options)
        if self._connection is None:
            return await runtime.accept(task)
        if not self._connection.is_async:
            raise ConfigError("this connection blocks whoever uses it; call enqueue_sync(...) with it, from a thread")
        return await runtime.handing_over.accept(task, self._connection)

    @overload
    def enqueue_sync(self, func: Callable[P, Awaitable[R]], /, *args: P.args, **kwargs: P.kwargs) -> Task[R]: ...
    @overload
    def enqueue_sync(self, func: Callable[P, R], /, *args: P.args, **kwargs: P.kwargs) -> Task[R]: ...
    def enqueue_sync(self, func: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Task[Any]:
        """Accept one run of `func` from another thread and return its handle when the record is durable."""
        runtime = self._runtime()
        task = runtime.intake.build(func, args, kwargs, self._options)
        if self._connection is None:
            return runtime.accept_from_thread(task)
        if self._connection.is_async:
            raise ConfigError("this connection is asynchronous; `await enqueue(...)` with it")
        return runtime.handing_over.accept_now(task, self._connection)

    async def enqueue_many(
        self, func: Callable[..., Any], calls: Iterable[Sequence[Any] | Mapping[str, Any]]
    ) -> list[Task[Any]]:
        """Accept one run of `func` for each of `calls`, together or not at all."""
        if self._connection is not None:
            return [await self.enqueue(func, *args, **kwargs) for args, kwargs in map(_arguments, calls)]
        built: list[Task[Any]] = []
        for call in calls:
            built.append(self._runtime().intake.build(func, *_arguments(call), self._options))
            if not len(built) % AT_ONCE:
                await asyncio.sleep(0)
        tasks = self._runtime().intake.accept(built)
        for task in tasks:
            if not task.is_durable:
                await task.durable()
        return tasks


def _arguments(call: Sequence[Any] | Mapping[str, Any]) -> tuple[tuple[Any, ...], dict[str, Any]]:
    return ((), dict(call)) if isinstance(call, Mapping) else (tuple(call), {})
