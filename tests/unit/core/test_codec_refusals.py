import io
import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta, timezone
from decimal import Decimal
from enum import IntEnum
from pathlib import Path
from typing import Any, Literal
from zoneinfo import ZoneInfo

import pytest
from pydantic import BaseModel, Field, PrivateAttr, SecretStr, field_validator
from support.codecs import codec_of, refusal, taking

from outlive import OutliveError, TaskArgumentError


class Level(IntEnum):
    LOW = 1


class Session: ...


class Base(BaseModel):
    a: int = 0


class Derived(Base):
    b: int = 0


class Sealed(BaseModel):
    data: bytes = b""


class OneWay(BaseModel):
    name: str = Field("", validation_alias="in", serialization_alias="out")


class Private(BaseModel):
    _note: str = PrivateAttr("")


@dataclass
class Box:
    value: Any


def numbered(names: Iterable[str]) -> list[str]:
    return [f"{at}-{name}" for at, name in enumerate(names)]


def plain(x): ...


def cyclic() -> list:
    loop: list = []
    loop.append(loop)
    return loop


def deep(levels: int) -> list:
    nested: list = []
    for _ in range(levels):
        nested = [nested]
    return nested


CHANGED_BY_JSON = [
    (1, 2),
    {1},
    datetime(2030, 1, 1, tzinfo=UTC),
    Decimal(1),
    b"bytes",
    Level.LOW,
    {1: "a"},
    {"a": (1,)},
    {None: 1},
    {True: 1},
    math.nan,
    -math.inf,
    [math.nan],
    10**5000,
    cyclic(),
    deep(100_000),
    Session(),
    Base(),
    (number for number in [1]),
]


@pytest.mark.parametrize("value", CHANGED_BY_JSON, ids=numbered(type(value).__name__ for value in CHANGED_BY_JSON))
def test_without_annotation_what_json_would_change_is_refused(value):
    told = refusal(plain, value)

    assert told.startswith(f"argument 'x' ({type(value).__name__}) is not a JSON value")
    assert f"annotate it (x: {type(value).__name__})" in told


@pytest.mark.parametrize("value", ["\ud800", ["a\udfff"], {"\ud800": 1}], ids=ascii)
@pytest.mark.parametrize("func", [plain, taking(str), taking(Any)], ids=["plain", "str", "Any"])
def test_lone_surrogates_are_no_text(func, value):
    if func.__annotations__.get("x") is str:
        value = "".join(value)
    told = refusal(func, value)

    assert "argument 'x'" in told
    assert "it is not valid text" in told


@pytest.mark.parametrize(
    ("annotation", "value"),
    [
        (int, "five"),
        (int, None),
        (int, 1.5),
        (str, 5),
        (Literal["a"], "b"),
        (list[int], ["x"]),
        (Base, {"a": "x"}),
        (Decimal, Decimal("NaN")),
    ],
    ids=str,
)
def test_a_value_that_the_annotation_does_not_accept_is_refused(annotation, value):
    told = refusal(taking(annotation), value)

    assert told.startswith(f"argument 'x' ({type(value).__name__}) does not fit its annotation: ")
    assert "correct the annotation" in told


CHANGED_BY_STORING = [
    (Any, (1, 2), "list"),
    (Any, datetime(2030, 1, 1, tzinfo=UTC), "str"),
    (Any, b"bytes", "str"),
    (Any, math.nan, "str"),
    (Any, Level.LOW, "int"),
    (object, {1: "a"}, "dict"),
    (str | datetime, datetime(2030, 1, 1, tzinfo=UTC), "str"),
    (str | bytes, b"bytes", "str"),
    (int | Level, Level.LOW, "int"),
    (list[Any], [(1,)], "list"),
    (set[Any], {Level.LOW}, "set"),
    (dict[Any, int], {5: 1}, "dict"),
    (Base, Derived(b=1), "Base"),
    (list[Base], [Derived(b=1)], "list"),
    (SecretStr, SecretStr("secret"), "SecretStr"),
    (Box, Box((1, 2)), "Box"),
    (tuple[Box, ...], (Box(True), Box(Level.LOW)), "tuple"),
]


@pytest.mark.parametrize(
    ("annotation", "value", "becomes"),
    CHANGED_BY_STORING,
    ids=numbered(str(annotation) for annotation, _, _ in CHANGED_BY_STORING),
)
def test_a_value_that_would_come_back_changed_is_refused(annotation, value, becomes):
    told = refusal(taking(annotation), value)
    assert told.startswith(f"argument 'x' ({type(value).__name__}) does not survive storing: ")
    assert f"it would come back changed, as {becomes};" in told


ODD = timezone(timedelta(hours=1, seconds=5))


@pytest.mark.parametrize(
    ("annotation", "value"),
    [
        (datetime, datetime(1880, 1, 1, tzinfo=ODD)),
        (time, time(12, tzinfo=ODD)),
        (time, time(12, tzinfo=ZoneInfo("Europe/Berlin"))),
    ],
    ids=["datetime with seconds in its offset", "time with seconds in its offset", "time in a zone"],
)
def test_an_offset_that_would_be_lost_is_refused(annotation, value):
    assert "does not survive storing" in refusal(taking(annotation), value)


def test_a_model_with_private_state_that_is_not_stored_is_refused():
    model = Private()
    model._note = "changed"
    assert "does not survive storing" in refusal(taking(Private), model)


def test_a_model_that_writes_other_names_than_it_reads_is_refused():
    assert "does not survive storing" in refusal(taking(OneWay), OneWay.model_validate({"in": "Ada"}))


def test_an_int_beyond_what_python_reads_is_refused():
    assert "does not survive storing" in refusal(taking(int), 10**5000)


@pytest.mark.parametrize(
    ("annotation", "value"),
    [
        (Callable[[int], int], abs),
        (Any, Session()),
        (Any, io.StringIO),
        (Path, Path("\udcff")),
    ],
    ids=["function", "object", "class", "path that is no text"],
)
def test_a_value_without_stored_form_is_refused(annotation, value):
    told = refusal(taking(annotation), value)
    assert told.startswith(f"argument 'x' ({type(value).__name__}) has no stored form: ")


def test_bytes_in_a_model_say_which_setting_of_the_model_keeps_them():
    told = refusal(taking(Sealed), Sealed(data=b"\xff"))
    assert "has no stored form" in told
    assert "ConfigDict(ser_json_bytes='base64', val_json_bytes='base64')" in told


@pytest.mark.parametrize("annotation", [Session, list[Session], "Session"], ids=str)
def test_an_annotation_without_schema_is_refused_by_the_name_of_its_parameter(annotation):
    told = refusal(taking(annotation), Session())
    assert "parameter 'x'" in told


def test_an_annotation_without_schema_says_what_to_do():
    told = refusal(taking(Session), Session())
    assert "which has no stored form; pass an id or plain data and load the object in the task" in told
    assert "persist=False" in told


def test_an_annotation_without_schema_matters_only_to_who_passes_a_value():
    def func(a: int, session: Session | None = None): ...

    assert codec_of(func).decode(codec_of(func).encode((1,), {})) == ((1,), {})


@pytest.mark.parametrize(
    "annotation", [list[int], Iterable[int], tuple[int, ...], Any], ids=["list", "Iterable", "tuple", "Any"]
)
def test_what_can_be_read_only_once_is_refused_and_not_read(annotation):
    numbers = iter([1, 2, 3])

    told = refusal(taking(annotation), numbers)

    assert "can be read only once; pass a list" in told
    assert list(numbers) == [1, 2, 3]


def test_code_of_the_application_that_fails_counts_as_a_refusal():
    class Odd(BaseModel):
        a: int

        @field_validator("a")
        @classmethod
        def look(cls, value: int) -> int:
            raise LookupError("not a ValueError")

    assert "does not fit its annotation: not a ValueError" in refusal(taking(Odd), {"a": 1})


def test_a_refusal_does_not_show_the_value():
    for annotation, value in [(int, "hunter2"), (Any, Box("hunter2")), (None, "hunter2"), (Literal["a"], "hunter2")]:
        assert "hunter2" not in refusal(taking(annotation), value)
    assert "hunter2" not in refusal(plain, ("hunter2",))


@pytest.mark.parametrize(
    ("func", "args", "kwargs"),
    [
        (lambda good, bad: None, (1, (2,)), {}),
        (lambda good, bad=None: None, (1,), {"bad": {2}}),
        (lambda *bad: None, (1, b"x"), {}),
        (lambda **bad: None, (), {"any": b"x"}),
    ],
    ids=["by position", "by keyword", "among several", "among keywords"],
)
def test_the_refusal_names_the_parameter(func, args, kwargs):
    assert "argument 'bad'" in refusal(func, *args, **kwargs)


def test_a_keyword_that_is_no_text_is_refused():
    def func(**more): ...

    assert "argument 'more'" in refusal(func, **{"\ud800": 1})


def test_a_refusal_is_a_value_error_of_outlive():
    with pytest.raises(OutliveError):
        codec_of(plain).encode((object(),), {})
    with pytest.raises(ValueError, match="argument 'x'"):
        codec_of(plain).encode((object(),), {})
    assert issubclass(TaskArgumentError, ValueError)
