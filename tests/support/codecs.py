"""Functions to encode for, and a comparison that owes nothing to the one under test."""

import inspect
from collections.abc import Callable
from datetime import datetime, time
from typing import Any

import pytest

from outlive import TaskArgumentError
from outlive.core.codec import ArgumentsCodec


def codec_of(func: Callable[..., Any]) -> ArgumentsCodec:
    return ArgumentsCodec(func, inspect.signature(func))


def taking(annotation: Any) -> Callable[..., Any]:
    """A function whose parameter `x` has this annotation."""

    def func(x): ...

    func.__annotations__ = {"x": annotation}
    return func


def through_storage(func: Callable[..., Any], *args: Any, **kwargs: Any) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """The arguments as another process would give them to the function."""
    text = codec_of(func).encode(args, kwargs)
    text.encode()
    return codec_of(func).decode(text)


def one_through_storage(annotation: Any, value: Any) -> Any:
    (back,), _ = through_storage(taking(annotation), value)
    return back


def refusal(func: Callable[..., Any], *args: Any, **kwargs: Any) -> str:
    """What is said about arguments that cannot be stored."""
    with pytest.raises(TaskArgumentError) as caught:
        codec_of(func).encode(args, kwargs)
    return str(caught.value)


def unreadable(func: Callable[..., Any], text: str) -> str:
    """What is said about stored arguments that the function does not take."""
    with pytest.raises(TaskArgumentError) as caught:
        codec_of(func).decode(text)
    return str(caught.value)


def shape(value: Any) -> Any:
    """A value with all its types, so that equal shapes mean the same value."""
    if isinstance(value, dict):
        return type(value), [(shape(key), shape(item)) for key, item in value.items()]
    if isinstance(value, (list, tuple)):
        return type(value), [shape(item) for item in value]
    if isinstance(value, (set, frozenset)):
        return type(value), sorted(repr(shape(item)) for item in value)
    if isinstance(value, (datetime, time)):
        return type(value), value.replace(tzinfo=None, fold=0), value.utcoffset()
    if isinstance(value, float):
        return float, repr(value)
    return type(value), value
