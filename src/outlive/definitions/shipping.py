"""What can travel to a worker process: functions by their name, arguments pickled."""

import inspect
import pickle
from collections.abc import Callable, Mapping
from typing import Any

from outlive.errors import DefinitionError, TaskArgumentError


def check_function(func: Callable[..., Any]) -> None:
    """Refuse a function that a worker process could not find again by its module and name."""
    if not inspect.isfunction(func):
        raise DefinitionError(
            f"executor='process' needs a function of a module, not {func!r}; declare one that calls it"
        )
    if "<" in func.__qualname__:
        raise DefinitionError(
            f"executor='process' needs a function of a module, which a worker can import; {func.__qualname__} is a "
            f"lambda or stands inside another function: move it to the top of {func.__module__}"
        )


def check_arguments(
    func: Callable[..., Any], signature: inspect.Signature, args: tuple[Any, ...], kwargs: Mapping[str, Any]
) -> None:
    """Refuse what cannot be pickled, naming the parameter."""
    try:
        pickle.dumps((func, args, kwargs))
    except Exception as error:
        raise TaskArgumentError(_advice(func, signature, args, kwargs, error)) from error


def _advice(
    func: Callable[..., Any],
    signature: inspect.Signature,
    args: tuple[Any, ...],
    kwargs: Mapping[str, Any],
    error: Exception,
) -> str:
    for name, value in signature.bind(*args, **kwargs).arguments.items():
        if (trouble := _trouble(value)) is not None:
            return (
                f"{func.__qualname__}: argument {name!r} ({type(value).__name__}) cannot travel to another process: "
                f"{trouble}; pass plain data, or use executor='thread'"
            )
    return (
        f"{func.__qualname__} cannot be found by a worker process: {error}; the function that its module knows under "
        f"this name must be the declared one"
    )


def _trouble(value: Any) -> Exception | None:
    try:
        pickle.dumps(value)
    except Exception as error:  # noqa: BLE001 - an object may raise anything while it is pickled
        return error
    return None
