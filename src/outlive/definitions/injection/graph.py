"""The dependencies of one function, and of those in turn, as a graph that fast-depends solves.

fast-depends hands everything it has solved to every dependency by name, so that it takes two that are called `db` for
one. Here each parameter has a name of its own in the graph, and a dependency is given what it asks for.
"""

import inspect
import re
from collections.abc import Callable, Mapping
from typing import Any

import fast_depends

from outlive.definitions.definition import is_async
from outlive.definitions.injection.callables import for_loop, for_thread, needs_loop
from outlive.definitions.injection.parameters import Overrides, Parameters, Wanted, parameters_of, shown
from outlive.errors import DefinitionError

_P = inspect.Parameter
_RUN = "the_body"

Solved = Mapping[str, Any]


class Graph:
    """What fills the injected parameters of `func`.

    Raises `DefinitionError` where one of its dependencies asks for what no task has.
    """

    def __init__(self, func: Callable[..., Any], parameters: Parameters, overrides: Overrides) -> None:
        self._func = func
        self._parameters = parameters
        self._signature = parameters.for_callers()
        self._dependencies = _Dependencies(func, parameters, overrides)
        self.overridden = self._dependencies.overridden
        self.needs_loop = any(needs_loop(one) for one, _ in self._dependencies.found.values())
        builder = _Builder(self._dependencies, for_loop if self.needs_loop or is_async(func) else for_thread)
        self._names = builder.name_injected(func, parameters)
        self._arguments = builder.arguments
        self._solve = builder.solver(self._names, parameters, is_async=self.needs_loop or is_async(func))

    def solve(self, run: Callable[[Solved], Any], args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Any:
        """Solve for one call, let `run` do its work with what was found, and close what was opened.

        Gives what `run` gives; a coroutine of that, where an event loop is needed or the function is a coroutine
        function, in which case `run` is one too.
        """
        passed = self._signature.bind(*args, **kwargs).arguments
        plain = self._parameters.plain
        given = {alias: passed.get(name, plain[name].default) for name, alias in self._arguments.items()}
        given |= {alias: passed[name] for alias, name in self._names.items() if name in passed}

        def body(found: Solved) -> Any:
            return run({**passed, **found})

        return self._solve(**{_RUN: body}, **given)

    def call(self, values: Solved) -> Any:
        """Call the function with all of its arguments."""
        return _call(self._func, self._parameters.signature, values)


class _Dependencies:
    """All that can be reached from a function: what is called for a dependency, and its parameters."""

    def __init__(self, func: Callable[..., Any], parameters: Parameters, overrides: Overrides) -> None:
        self.arguments = frozenset(parameters.plain)
        self.found: dict[object, tuple[Callable[..., Any], Parameters]] = {}
        self.overridden: dict[Callable[..., Any], Callable[..., Any]] = {}
        self._task = shown(func)
        self._overrides = overrides
        self._reach(parameters, [])

    def of(self, wanted: Wanted) -> tuple[Callable[..., Any], Parameters]:
        """What is called, which may be an override."""
        return self.found[_key(wanted.dependency)]

    def _reach(self, parameters: Parameters, path: list[object]) -> None:
        for wanted in parameters.injected.values():
            key = _key(wanted.dependency)
            if key in path:
                raise DefinitionError(f"{shown(wanted.dependency)}, a dependency of {self._task}, depends on itself")
            if key not in self.found:
                dependency = self._replaced(key, wanted.dependency)
                self.found[key] = dependency, self._read(dependency)
                self._reach(self.found[key][1], [*path, key])

    def _replaced(self, key: object, dependency: Callable[..., Any]) -> Callable[..., Any]:
        if key is not dependency or dependency not in self._overrides:
            return dependency
        self.overridden[dependency] = self._overrides[dependency]
        return self._overrides[dependency]

    def _read(self, dependency: Callable[..., Any]) -> Parameters:
        where = f"{shown(dependency)}, a dependency of {self._task}"
        try:
            parameters = parameters_of(dependency)
        except DefinitionError:
            raise
        except (TypeError, ValueError) as error:
            raise DefinitionError(f"{where}, cannot be called by name: {error}; depend on a function") from error
        for name, reason in parameters.unfillable.items():
            raise DefinitionError(f"{where}: parameter {name!r} is {reason}")
        for name, parameter in parameters.plain.items():
            if parameter.default is _P.empty and name not in self.arguments:
                raise DefinitionError(
                    f"{where}: parameter {name!r} has no default, and {self._task} has no argument of that name to "
                    f"fill it with; give one of them to it"
                )
        return parameters


class _Builder:
    """Makes the functions that fast-depends sees."""

    def __init__(self, dependencies: _Dependencies, adapt: Callable[..., Callable[..., Any]]) -> None:
        self._dependencies = dependencies
        self._adapt = adapt
        self._nodes: dict[object, Callable[..., Any]] = {}
        self._taken: set[str] = {_RUN}
        self._validates = False
        #: The arguments of the task that dependencies ask for, and their names in the graph.
        self.arguments: dict[str, str] = {}

    def name_injected(self, func: Callable[..., Any], parameters: Parameters) -> dict[str, str]:
        """For each injected parameter a name in the graph; the other way round, since those are unique."""
        return {self._name(name, shown(func)): name for name in parameters.injected}

    def solver(self, names: Mapping[str, str], parameters: Parameters, *, is_async: bool) -> Callable[..., Any]:
        """What solves all parameters, calls what it is given as `the_body` with them, and closes what it opened."""

        def root(**given: Any) -> Any:
            run = given.pop(_RUN)
            return run({names[alias]: value for alias, value in given.items()})

        async def async_root(**given: Any) -> Any:
            return await root(**given)

        signature = [_P(_RUN, _P.KEYWORD_ONLY), *self._injected(names, parameters)]
        node = _signed(async_root if is_async else root, signature)
        provider = fast_depends.Provider()
        return fast_depends.inject(node, cast=self._validates, cast_result=False, dependency_provider=provider)

    def _injected(self, names: Mapping[str, str], parameters: Parameters) -> list[inspect.Parameter]:
        return [self._parameter(alias, parameters.injected[name]) for alias, name in names.items()]

    def _parameter(self, alias: str, wanted: Wanted) -> inspect.Parameter:
        self._validates |= wanted.cast or wanted.cast_result
        marker = fast_depends.Depends(
            self._node(wanted), use_cache=wanted.use_cache, cast=wanted.cast, cast_result=wanted.cast_result
        )
        annotation = wanted.annotation if wanted.cast else _P.empty
        return _P(alias, _P.KEYWORD_ONLY, default=marker, annotation=annotation)

    def _node(self, wanted: Wanted) -> Callable[..., Any]:
        if not wanted.use_cache:
            return self._make(wanted)
        key = _key(wanted.dependency), wanted.cast_result
        if key not in self._nodes:
            self._nodes[key] = self._make(wanted)
        return self._nodes[key]

    def _make(self, wanted: Wanted) -> Callable[..., Any]:
        dependency, parameters = self._dependencies.of(wanted)
        injected = self.name_injected(dependency, parameters)
        arguments = {self._argument(name): name for name in parameters.plain if name in self._dependencies.arguments}
        names = injected | arguments

        def apply(given: Mapping[str, Any]) -> Any:
            return _call(dependency, parameters.signature, {names[alias]: value for alias, value in given.items()})

        signature = [*self._injected(injected, parameters), *(_P(alias, _P.KEYWORD_ONLY) for alias in arguments)]
        return _signed(
            self._adapt(dependency, apply), signature, parameters.returns if wanted.cast_result else _P.empty
        )

    def _argument(self, name: str) -> str:
        if name not in self.arguments:
            self.arguments[name] = self._name(name, "the_task")
        return self.arguments[name]

    def _name(self, name: str, owner: str) -> str:
        wish = f"the_{name}_of_{re.sub(r'[^0-9a-zA-Z]+', '_', owner)}"
        alias, number = wish, 1
        while alias in self._taken:
            number += 1
            alias = f"{wish}_{number}"
        self._taken.add(alias)
        return alias


def _key(dependency: Callable[..., Any]) -> object:
    """What makes two uses of a dependency the same: that they are equal, or one object where that cannot be asked."""
    try:
        hash(dependency)
    except TypeError:
        return id(dependency)
    return dependency


def _signed(node: Any, parameters: list[inspect.Parameter], returns: Any = _P.empty) -> Callable[..., Any]:
    node.__signature__ = inspect.Signature(parameters, return_annotation=returns)
    return node  # type: ignore[no-any-return]


def _call(func: Callable[..., Any], signature: inspect.Signature, values: Solved) -> Any:
    known = {name: values[name] for name in signature.parameters if name in values}
    bound = inspect.BoundArguments(signature, known)
    bound.apply_defaults()
    return func(*bound.args, **bound.kwargs)
