from __future__ import annotations

import json
from dataclasses import dataclass
from functools import partial, wraps
from typing import TYPE_CHECKING

import pytest
from support.codecs import codec_of, refusal, through_storage

from outlive.core.codec import summarize

if TYPE_CHECKING:
    from decimal import Decimal


def ordinary(a: int, b: str = "b", c: set[int] | None = None): ...


def strict(a: int, b: str = "b", /, *, c: bytes = b"", d: int): ...


def variadic(a: int, *rest: bytes, b: str = "b", **more: tuple[int, int]): ...


def unannotated(a, *rest, **more): ...


def with_gaps(a: int = 1, b: int = 2, /, c: int = 3, *rest: int, d: int = 4): ...


CALLS = [
    (ordinary, (1,), {}),
    (ordinary, (1, "x", {2}), {}),
    (ordinary, (1,), {"c": {3}}),
    (ordinary, (), {"c": None, "b": "x", "a": 1}),
    (strict, (1,), {"d": 2}),
    (strict, (1, "x"), {"d": 2, "c": b"\xff"}),
    (variadic, (1,), {}),
    (variadic, (1, b"\xff", b"a"), {"b": "x", "more": (1, 2), "a_b": (3, 4)}),
    (variadic, (1,), {"rest": (1, 2)}),
    (unannotated, (1, "x", [2]), {"key": {"a": None}}),
    (with_gaps, (), {}),
    (with_gaps, (7,), {"d": 8}),
    (with_gaps, (5, 6, 7, 8, 9), {}),
]


@pytest.mark.parametrize(("func", "args", "kwargs"), CALLS, ids=str)
def test_every_kind_of_parameter_receives_what_the_call_gave(func, args, kwargs):
    def bound(call_args, call_kwargs):
        arguments = codec_of(func)._signature.bind(*call_args, **call_kwargs)
        arguments.apply_defaults()
        return arguments.arguments

    assert bound(*through_storage(func, *args, **kwargs)) == bound(args, kwargs)


def test_a_default_that_was_not_passed_is_the_functions_own_when_it_runs():
    stored = codec_of(ordinary).encode((1,), {})
    assert json.loads(stored) == {"a": 1}


def test_what_is_stored_is_one_json_object_by_name():
    stored = codec_of(variadic).encode((1, b"a"), {"b": "Grüße", "x": (1, 2)})
    assert json.loads(stored) == {"a": 1, "rest": ["YQ=="], "b": "Grüße", "more": {"x": [1, 2]}}


class Sender:
    def __init__(self, to: set[int] | None = None) -> None:
        self.to = to

    def send(self, to: set[int]): ...

    @classmethod
    def prepare(cls, to: set[int]): ...

    @staticmethod
    def deliver(to: set[int]): ...

    def __call__(self, to: set[int]): ...


@dataclass
class Order:
    to: set[int]


def decorated(func):
    @wraps(func)
    def wrapper(*args, **kwargs):
        return func(*args, **kwargs)

    return wrapper


@decorated
def wrapped(to: set[int]): ...


def bound_first(a: int, to: set[int]): ...


@pytest.mark.parametrize(
    "func",
    [
        Sender().send,
        Sender.prepare,
        Sender.deliver,
        Sender(),
        Sender,
        Order,
        wrapped,
        partial(bound_first, 1),
        partial(partial(bound_first), a=1),
        partial(Sender().send),
        partial(Sender()),
    ],
    ids=[
        "method",
        "classmethod",
        "staticmethod",
        "callable object",
        "class",
        "dataclass",
        "decorated function",
        "partial by position",
        "partial by keyword",
        "partial of a method",
        "partial of a callable object",
    ],
)
def test_the_annotations_of_everything_callable_are_found(func):
    args, kwargs = through_storage(func, to={1, 2})
    assert [*args, *kwargs.values()] == [{1, 2}]


def imports_for_types_only(at: int, price: Decimal | None = None) -> Decimal | None: ...


def test_an_annotation_that_cannot_be_read_matters_only_to_who_passes_a_value():
    assert through_storage(imports_for_types_only, 5) == ((5,), {})

    told = refusal(imports_for_types_only, 5, "1.5")

    assert "parameter 'price'" in told
    assert "not only for type checking" in told


def test_a_function_without_parameters_stores_an_empty_object():
    def func(): ...

    assert codec_of(func).encode((), {}) == "{}"
    assert codec_of(func).decode("{}") == ((), {})


def test_of_arguments_that_are_not_stored_their_types_are_kept():
    assert summarize((1, "secret"), {"key": b"x"}) == "(int, str, key=bytes)"
