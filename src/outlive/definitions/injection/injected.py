"""A function together with its dependencies: what an executor calls instead of the function."""

import pickle
from collections.abc import Callable
from functools import cache
from typing import Any

from outlive.definitions.definition import is_async
from outlive.definitions.injection.beside import run_beside
from outlive.definitions.injection.graph import Graph
from outlive.definitions.injection.parameters import Overrides, Parameters, parameters_of, shown


class Injected:
    """Calls `func` with its dependencies, which live as long as the call.

    `overrides` are looked at for each call, so that a test may change them.
    """

    def __init__(self, func: Callable[..., Any], parameters: Parameters, overrides: Overrides) -> None:
        self._func = func
        self._is_async = is_async(func)
        self._parameters = parameters
        self._overrides = overrides
        self._graph = Graph(func, parameters, {})
        self._with_overrides: tuple[Any, Graph] = ((), self._graph)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Call it; gives a coroutine where the function does."""
        graph = self._graph if not self._overrides else self._overridden()
        if self._is_async or not graph.needs_loop:
            return graph.solve(graph.call, args, kwargs)
        return run_beside(lambda run: graph.solve(run, args, kwargs), graph.call)

    def _overridden(self) -> Graph:
        now = tuple(self._overrides.items())
        known, graph = self._with_overrides
        if known != now:
            graph = Graph(self._func, self._parameters, dict(now))
            self._with_overrides = now, graph
        return graph

    def __reduce__(self) -> tuple[Any, ...]:
        graph = self._graph if not self._overrides else self._overridden()
        for override in graph.overridden.values():
            _check_travels(override)
        return (_again, (self._func, tuple(graph.overridden.items())))


@cache
def _again(func: Callable[..., Any], overrides: tuple[tuple[Callable[..., Any], Callable[..., Any]], ...]) -> Injected:
    """The same in a worker process."""
    return Injected(func, parameters_of(func), dict(overrides))


def _check_travels(override: Callable[..., Any]) -> None:
    try:
        pickle.dumps(override)
    except Exception as error:
        raise TypeError(
            f"{shown(override)} in dependency_overrides cannot travel to a worker process ({error}); make it a "
            f"function of a module, or run the task by executor='thread' in this test"
        ) from error
