"""Whatever is accepted comes back the same, for types composed at random."""

import uuid
from dataclasses import make_dataclass
from datetime import date, datetime, time, timedelta, timezone
from decimal import Decimal
from enum import Enum, IntEnum
from types import GenericAlias
from typing import Annotated, Any, Literal, Union
from zoneinfo import ZoneInfo

from hypothesis import given, settings
from hypothesis import strategies as st
from support.codecs import codec_of, one_through_storage, shape, taking, through_storage

from outlive import TaskArgumentError


class Colour(Enum):
    RED = "red"
    BLUE = (1, 2)


class Level(IntEnum):
    LOW = 1
    HIGH = 2


text = st.text(st.characters(exclude_categories=["Cs"]))
offsets = st.integers(-14 * 60, 14 * 60).map(lambda minutes: timezone(timedelta(minutes=minutes)))
zones = st.sampled_from(["UTC", "Europe/Berlin", "America/New_York", "Asia/Kolkata"]).map(ZoneInfo)
later = datetime(1950, 1, 1)  # noqa: DTZ001 - bound of a strategy; zones had odd seconds before

#: Annotations with the values that they take.
hashable = [
    (str, text),
    (int, st.integers()),
    (bool, st.booleans()),
    (bytes, st.binary()),
    (date, st.dates()),
    (datetime, st.datetimes(timezones=offsets)),
    (timedelta, st.timedeltas(timedelta(days=-10_000), timedelta(days=10_000))),
    (uuid.UUID, st.uuids()),
    (Decimal, st.decimals(allow_nan=False, allow_infinity=False)),
    (Level, st.sampled_from(Level)),
    (Literal["a", "b"], st.sampled_from("ab")),
    (Annotated[int, "documented"], st.integers()),
]
others = [
    (float, st.floats()),
    (None, st.none()),
    (datetime, st.datetimes()),
    (datetime, st.datetimes(later, timezones=zones)),
    (time, st.times(timezones=st.none() | offsets)),
    (int | str | None, st.none() | st.integers() | text),
    (int | float, st.integers() | st.floats()),
    (Any, st.recursive(st.none() | st.booleans() | text, lambda part: st.lists(part) | st.dictionaries(text, part))),
]
keys = [(str, text), (int, st.integers()), (uuid.UUID, st.uuids()), (date, st.dates())]

Typed = tuple[Any, st.SearchStrategy[Any]]


def list_of(part: Typed) -> Typed:
    return GenericAlias(list, part[0]), st.lists(part[1], max_size=4)


def tuple_of(part: Typed) -> Typed:
    return GenericAlias(tuple, (part[0], ...)), st.lists(part[1], max_size=4).map(tuple)


def optional(part: Typed) -> Typed:
    return Union[part[0], None], st.none() | part[1]  # noqa: UP007 - None | None is no type


def pair(one: Typed, other: Typed) -> Typed:
    return GenericAlias(tuple, (one[0], other[0])), st.tuples(one[1], other[1])


def dict_of(key: Typed, part: Typed) -> Typed:
    return GenericAlias(dict, (key[0], part[0])), st.dictionaries(key[1], part[1], max_size=4)


def data_class(one: Typed, other: Typed) -> Typed:
    made = make_dataclass("Made", [("a", one[0]), ("b", other[0])])
    return made, st.builds(made, one[1], other[1])


def containers(part: st.SearchStrategy[Typed]) -> st.SearchStrategy[Typed]:
    return st.one_of(
        part.map(list_of),
        part.map(tuple_of),
        part.map(optional),
        st.builds(pair, part, part),
        st.builds(dict_of, st.sampled_from(keys), part),
        st.builds(data_class, part, part),
    )


def sets_of(part: Typed) -> st.SearchStrategy[Typed]:
    return st.sampled_from(
        [
            (GenericAlias(set, part[0]), st.sets(part[1], max_size=4)),
            (GenericAlias(frozenset, part[0]), st.frozensets(part[1], max_size=4)),
        ]
    )


sets = st.sampled_from(hashable).flatmap(sets_of)
leaves = st.one_of(st.sampled_from(hashable), st.sampled_from(others), sets)
types = st.recursive(leaves, containers, max_leaves=4)


def with_value(typed: Typed) -> st.SearchStrategy[tuple[Any, Any]]:
    return st.tuples(st.just(typed[0]), typed[1])


def unpacked(value: Any) -> Any:
    """Dataclasses made at random compare by their fields."""
    fields = getattr(value, "__dataclass_fields__", None)
    if fields is not None:
        return type(value), [unpacked(getattr(value, name)) for name in fields]
    if isinstance(value, dict):
        return dict, [(shape(key), unpacked(item)) for key, item in value.items()]
    return (type(value), [*map(unpacked, value)]) if isinstance(value, (list, tuple)) else shape(value)


@settings(deadline=None)
@given(types.flatmap(with_value))
def test_a_value_of_the_annotated_type_is_accepted_and_comes_back(case):
    annotation, value = case
    assert unpacked(one_through_storage(annotation, value)) == unpacked(value)


json_like = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda part: st.lists(part, max_size=3) | st.dictionaries(st.text() | st.integers(), part, max_size=3),
)
anything = st.one_of(json_like, st.tuples(json_like), *(values for _, values in hashable + others))
annotations = [annotation for annotation, _ in hashable + others if annotation is not None]
loose = st.one_of(
    st.sampled_from(annotations),
    st.tuples(st.sampled_from(annotations), st.sampled_from(annotations)).map(lambda two: two[0] | two[1]),
    st.sampled_from([Any, list[Any], dict[str, Any], set[Any], tuple[Any, ...], bytes | str, Level | int]),
)


@settings(deadline=None, max_examples=300)
@given(loose, anything)
def test_whatever_the_annotation_a_value_is_refused_or_comes_back_the_same_every_time(annotation, value):
    codec = codec_of(taking(annotation))
    try:
        stored = codec.encode((value,), {})
    except TaskArgumentError:
        return
    (back,), _ = codec.decode(stored)
    (again,), _ = codec.decode(codec.encode((back,), {}))
    assert unpacked(again) == unpacked(back)
    if back == value:
        assert unpacked(back) == unpacked(value) or type(back) is not type(value)


@settings(deadline=None)
@given(json_like)
def test_without_annotation_a_value_is_refused_or_comes_back_the_same(value):
    def func(x): ...

    try:
        (back,), _ = through_storage(func, value)
    except TaskArgumentError:
        return
    assert shape(back) == shape(value)
