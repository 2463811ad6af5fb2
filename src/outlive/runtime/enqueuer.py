"""Accepting runs outside of requests."""

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from typing import Any, ParamSpec, TypeVar, overload

from outlive.core.config import TaskConfig
from outlive.definitions.task import Task
from outlive.runtime.runtime import Runtime

P = ParamSpec("P")
R = TypeVar("R")


class Enqueuer:
    """Accepts runs outside of requests, with one set of options; made by `TaskManager.using`."""

    def __init__(self, runtime: Callable[[], Runtime], options: TaskConfig) -> None:
        self._runtime = runtime
        self._options = options

    @overload
    async def enqueue(self, func: Callable[P, Awaitable[R]], /, *args: P.args, **kwargs: P.kwargs) -> Task[R]: ...
    @overload
    async def enqueue(self, func: Callable[P, R], /, *args: P.args, **kwargs: P.kwargs) -> Task[R]: ...
    async def enqueue(self, func: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Task[Any]:
        """Accept one run of `func` and return its handle when the record is durable."""
        runtime = self._runtime()
        return await runtime.accept(runtime.intake.build(func, args, kwargs, self._options))

    @overload
    def enqueue_sync(self, func: Callable[P, Awaitable[R]], /, *args: P.args, **kwargs: P.kwargs) -> Task[R]: ...
    @overload
    def enqueue_sync(self, func: Callable[P, R], /, *args: P.args, **kwargs: P.kwargs) -> Task[R]: ...
    def enqueue_sync(self, func: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Task[Any]:
        """Accept one run of `func` from another thread and return its handle when the record is durable."""
        runtime = self._runtime()
        return runtime.accept_from_thread(runtime.intake.build(func, args, kwargs, self._options))

    async def enqueue_many(
        self, func: Callable[..., Any], calls: Iterable[Sequence[Any] | Mapping[str, Any]]
    ) -> list[Task[Any]]:
        """Accept one run of `func` for each of `calls`, together or not at all."""
        intake = self._runtime().intake
        tasks = intake.accept([intake.build(func, *_arguments(call), self._options) for call in calls])
        for task in tasks:
            if not task.is_durable:
                await task.durable()
        return tasks


def _arguments(call: Sequence[Any] | Mapping[str, Any]) -> tuple[tuple[Any, ...], dict[str, Any]]:
    return ((), dict(call)) if isinstance(call, Mapping) else (tuple(call), {})
