"""Finds accepted runs by what they were called with."""

import inspect
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from outlive.definitions.task import Task


def matching(tasks: Iterable[Task[Any]], func: Callable[..., Any] | None, subset: Mapping[str, Any]) -> list[Task[Any]]:
    """The runs of `func` (of any function if None) whose arguments include `subset`.

    Raises `TypeError` for a name that is no parameter of `func`.
    """
    if func is not None:
        _refuse_unknown(func, subset)
    return [task for task in tasks if func in (None, task.func) and _includes(arguments_of(task), subset)]


def arguments_of(task: Task[Any]) -> dict[str, Any]:
    """What a run was called with, by parameter, defaults included."""
    signature = inspect.signature(task.func)
    bound = signature.bind_partial(*task.args, **task.kwargs)
    bound.apply_defaults()
    for parameter in signature.parameters.values():
        if parameter.kind is inspect.Parameter.VAR_KEYWORD:
            bound.arguments.update(bound.arguments.pop(parameter.name, {}))
    return bound.arguments


def listed(tasks: Sequence[Task[Any]]) -> str:
    """What was accepted, a line for each, for the message of an assertion."""
    return "".join(f"\n  {_call(task)}" for task in tasks) or " nothing"


def call_of(func: Callable[..., Any], subset: Mapping[str, Any]) -> str:
    """How a call reads that was looked for."""
    return f"{_name(func)}({', '.join([*(f'{name}={value!r}' for name, value in subset.items()), '...'])})"


def _call(task: Task[Any]) -> str:
    given = [*map(repr, task.args), *(f"{name}={value!r}" for name, value in task.kwargs.items())]
    return f"{_name(task.func)}({', '.join(given)})"


def _name(func: Callable[..., Any]) -> str:
    return getattr(func, "__name__", None) or repr(func)


def _includes(arguments: Mapping[str, Any], subset: Mapping[str, Any]) -> bool:
    return all(name in arguments and arguments[name] == value for name, value in subset.items())


def _refuse_unknown(func: Callable[..., Any], subset: Mapping[str, Any]) -> None:
    parameters = inspect.signature(func).parameters
    if any(parameter.kind is inspect.Parameter.VAR_KEYWORD for parameter in parameters.values()):
        return
    for name in subset:
        if name not in parameters:
            raise TypeError(f"{_name(func)} has no parameter {name!r}; it has {', '.join(parameters) or 'none'}")
