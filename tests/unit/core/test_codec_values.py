import math
import uuid
from collections import OrderedDict, defaultdict, deque
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from enum import Enum, IntEnum, StrEnum
from ipaddress import IPv4Address
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple, Optional, Union
from zoneinfo import ZoneInfo

import pytest
from pydantic import BaseModel, ConfigDict, Field, Json, PrivateAttr, computed_field
from pydantic.dataclasses import dataclass as pydantic_dataclass
from support.codecs import one_through_storage, shape, through_storage
from typing_extensions import TypedDict


class Colour(Enum):
    RED = "red"
    BLUE = "blue"


class Level(IntEnum):
    LOW = 1
    HIGH = 2


class Word(StrEnum):
    YES = "yes"


@dataclass
class Address:
    city: str
    codes: tuple[int, ...] = ()
    seal: bytes = b""
    weight: float = 0.0


@dataclass(frozen=True, slots=True)
class Point:
    x: float
    y: float
    tags: frozenset[str] = frozenset()


@pydantic_dataclass
class Parcel:
    to: Address
    sent: date | None = None


class Customer(BaseModel):
    name: str
    born: date | None = None
    homes: list[Address] = []
    extra: dict[str, "Customer"] = {}


class Loose(BaseModel):
    model_config = ConfigDict(extra="allow")

    a: int = 0


class Renamed(BaseModel):
    model_config = ConfigDict(populate_by_name=True)

    given_name: str = Field(alias="givenName")


class Aliased(BaseModel):
    given_name: str = Field(alias="givenName")


class Area(BaseModel):
    width: int
    settings: Json[dict[str, int]] = {}

    @computed_field  # type: ignore[prop-decorator]
    @property
    def double(self) -> int:
        return self.width * 2


class Raw(BaseModel):
    model_config = ConfigDict(ser_json_bytes="base64", val_json_bytes="base64")

    data: bytes


class Row(TypedDict):
    id: int
    seal: bytes


class Pair(NamedTuple):
    key: str
    at: datetime


@dataclass(eq=False)
class NoEquality:
    value: int
    marks: list[str] = field(default_factory=list)


BERLIN = ZoneInfo("Europe/Berlin")
ID = uuid.UUID("018f3f9e-0000-7000-8000-000000000001")

VALUES = [
    (str, ""),
    (str, "Grüße \N{SNOWMAN} \N{PILE OF POO} \n\t\"'\\ \0 </script>"),
    (int, 0),
    (int, -(2**63) - 1),
    (int, 10**4000),
    (float, 0.1),
    (float, -0.0),
    (float, 5e-324),
    (float, 1.7976931348623157e308),
    (float, math.inf),
    (float, -math.inf),
    (float, math.nan),
    (bool, True),
    (bool, False),
    (None, None),
    (bytes, b"text"),
    (bytes, b"\xff\xfe\0 not UTF-8"),
    (datetime, datetime(2030, 1, 2, 3, 4, 5, 6, UTC)),
    (datetime, datetime(2030, 1, 2, 3, 4, 5)),  # noqa: DTZ001 - comes back naive
    (datetime, datetime(2030, 7, 1, tzinfo=timezone(timedelta(hours=-9, minutes=-30)))),
    (datetime, datetime(2030, 7, 1, tzinfo=BERLIN)),
    (datetime, datetime(2030, 10, 27, 2, 30, tzinfo=BERLIN)),
    (datetime, datetime(2030, 10, 27, 2, 30, fold=1, tzinfo=BERLIN)),
    (date, date(2030, 1, 2)),
    (time, time(3, 4, 5, 6)),
    (time, time(3, 4, tzinfo=UTC)),
    (timedelta, timedelta(days=-3, microseconds=1)),
    (uuid.UUID, ID),
    (Decimal, Decimal("1.10")),
    (Decimal, Decimal("-1E+50")),
    (complex, 1 + 2j),
    (Path, Path("/var/lib/naïve file")),
    (IPv4Address, IPv4Address("127.0.0.1")),
    (Colour, Colour.BLUE),
    (Level, Level.HIGH),
    (Word, Word.YES),
    (Address, Address("Ulm", (1, 2), b"\xff", math.inf)),
    (Point, Point(1.0, -2.5, frozenset({"a"}))),
    (Parcel, Parcel(Address("Ulm"), date(2030, 1, 2))),
    (NoEquality, NoEquality(1, ["a"])),
    (Customer, Customer(name="Ada", homes=[Address("Ulm")], extra={"friend": Customer(name="Bo")})),
    (Loose, Loose(a=1, b="more")),  # type: ignore[call-arg]
    (Renamed, Renamed(given_name="Ada")),  # type: ignore[call-arg]
    (Aliased, Aliased(givenName="Ada")),
    (Area, Area(width=2, settings='{"a": 1}')),  # type: ignore[arg-type]
    (Raw, Raw(data=b"\xff")),
    (Row, {"id": 1, "seal": b"\xff"}),
    (Pair, Pair("a", datetime(2030, 1, 2, tzinfo=UTC))),
    (list[int], [1, 2]),
    (tuple[int, str], (1, "a")),
    (tuple[int, ...], (1, 2, 3)),
    (tuple[()], ()),
    (set[int], {1, 2}),
    (frozenset[str], frozenset({"a", "b"})),
    (set[Point], {Point(1.0, 2.0)}),
    (deque[int], deque([1, 2])),
    (dict[str, Any], {"a": [1, None, {"b": 1.5}]}),
    (dict[int, str], {1: "a", -2: "b"}),
    (dict[uuid.UUID, date], {ID: date(2030, 1, 2)}),
    (defaultdict[str, int], defaultdict(int, {"a": 1})),
    (OrderedDict[str, int], OrderedDict([("b", 1), ("a", 2)])),
    (dict[str, list[tuple[Level, bytes]]], {"a": [(Level.LOW, b"\xff")]}),
    (list[float], [math.nan, 1.0]),
    (list[Address], [Address("Ulm", seal=b"\xff")]),
    (Literal["a", 1], "a"),
    (Literal["a", 1], 1),
    (Annotated[int, Field(gt=0)], 5),
    (Annotated[bytes, "doc"], b"\xff"),
    (Optional[datetime], None),  # noqa: UP045 - both spellings are used
    (datetime | None, datetime(2030, 1, 2, tzinfo=UTC)),
    (Union[int, str], "5"),  # noqa: UP007 - both spellings are used
    (int | str, 5),
    (bool | int, 1),
    (int | float | None, 1.0),
    (int | float | None, 1),
    (Level | str, Level.LOW),
    (Address | Point, Point(1.0, 2.0)),
    (date | int, date(2030, 1, 2)),
    (Any, {"a": [1, "b", None, True, 1.5]}),
    (object, ["plain"]),
]


@pytest.mark.parametrize(
    ("annotation", "value"), VALUES, ids=[f"{at}-{annotation}" for at, (annotation, _) in enumerate(VALUES)]
)
def test_a_value_comes_back_equal_and_of_its_type(annotation, value):
    back = one_through_storage(annotation, value)

    assert type(back) is type(value)
    if isinstance(value, NoEquality):
        assert vars(back) == vars(value)
    else:
        assert shape(back) == shape(value)


@pytest.mark.parametrize(
    "value",
    ["text", "Grüße", 5, 10**300, -1.5, True, None, [], {}, [1, [2.5, {"a": None}]], {"a": {"b": [True]}}],
    ids=repr,
)
def test_without_annotation_a_json_value_comes_back_as_it_is(value):
    def func(x): ...

    (back,), _ = through_storage(func, value)
    assert shape(back) == shape(value)


@pytest.mark.parametrize(
    ("annotation", "value", "made_of_it"),
    [
        (int, "5", 5),
        (float, 3, 3.0),
        (list[int], (1, 2), [1, 2]),
        (Customer, {"name": "Ada"}, Customer(name="Ada")),
        (date, datetime(2030, 1, 2, tzinfo=UTC), date(2030, 1, 2)),
        (int, Level.HIGH, 2),
        (Path, "a/b", Path("a/b")),
    ],
    ids=str,
)
def test_what_comes_back_is_what_the_annotation_makes_of_the_value(annotation, value, made_of_it):
    assert shape(one_through_storage(annotation, value)) == shape(made_of_it)


def test_a_model_whose_private_parts_follow_from_its_fields_comes_back():
    class Counted(BaseModel):
        words: str
        _count: int = PrivateAttr(0)

        def model_post_init(self, context: Any, /) -> None:
            self._count = len(self.words.split())

    back = one_through_storage(Counted, Counted(words="a b c"))
    assert (back.words, back._count) == ("a b c", 3)


def test_the_zone_of_a_datetime_becomes_its_offset():
    back = one_through_storage(datetime, datetime(2030, 7, 1, 12, tzinfo=BERLIN))
    assert back.isoformat() == "2030-07-01T12:00:00+02:00"
