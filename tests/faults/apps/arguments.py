"""Keeps one argument of every form, and writes down what the task was given."""

import asyncio
import json
import os
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum, IntEnum, StrEnum
from pathlib import Path
from typing import Any, Literal, NamedTuple
from uuid import UUID

from fastapi import FastAPI, HTTPException
from pydantic import BaseModel

from outlive import TaskManager, Tasks, get_task_context

LEDGER = os.open(os.environ["FAULTS_LEDGER"], os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)

manager = TaskManager(os.environ["FAULTS_BACKEND"], **json.loads(os.environ["FAULTS_OPTIONS"]))
app = FastAPI()
manager.init_app(app)


class Colour(Enum):
    RED = "red"


class Level(IntEnum):
    HIGH = 3


class Word(StrEnum):
    YES = "yes"


class Point(NamedTuple):
    x: int
    y: float


@dataclass(frozen=True)
class Size:
    width: int
    unit: Decimal


class Address(BaseModel):
    street: str
    since: date | None = None


class Person(BaseModel):
    name: str
    born: datetime
    addresses: tuple[Address, ...]
    colours: set[Colour]


ADDRESS = Address(street="Hauptstraße 1", since=date(2020, 2, 29))
PERSON = Person(name="Ana", born=datetime(1990, 5, 17, 8, 30, tzinfo=UTC), addresses=(ADDRESS,), colours={Colour.RED})
KEY = UUID("12345678-1234-5678-1234-567812345678")


@manager.task()
async def blocker() -> None:
    await asyncio.sleep(60)  # noqa: TID251 - long work


@manager.task()
async def keep(  # noqa: PLR0917 - one parameter of each form
    plain: Any,
    moment: datetime,
    naive: datetime,
    day: date,
    hour: time,
    span: timedelta,
    key: UUID,
    price: Decimal,
    number: float,
    huge: int,
    colour: Colour,
    level: Level,
    word: Word,
    size: Size,
    person: Person,
    pair: tuple[int, str],
    row: tuple[float, ...],
    point: Point,
    keys: set[UUID],
    frozen: frozenset[int],
    data: bytes,
    path: Path,
    choice: Literal["a", "b"],
    nothing: datetime | None,
    something: UUID | None,
    either: int | str,
    sizes: list[Size | None],
    prices: dict[UUID, list[Decimal]],
    nested: dict[str, tuple[set[Level], Person | None]],
    untyped=None,
    *rest: date,
    **more: Decimal,
) -> None:
    context = get_task_context()
    assert context is not None
    seen = {name: _describe(value) for name, value in locals().items() if name != "context"}
    os.write(LEDGER, f"seen {os.getpid()} {context.task_id} 0 {json.dumps(seen)}\n".encode())


def _describe(value: object) -> str:
    return f"{type(value).__name__}: {value!r}"


VALUES: dict[str, Any] = {
    "plain": {"a": [1, None, True, "ü"]},
    "moment": datetime(2026, 1, 31, 12, 0, 0, 123456, tzinfo=UTC),
    "naive": datetime(2026, 1, 31, 12, 0),  # noqa: DTZ001 - a naive one is the case under test
    "day": date(2026, 1, 31),
    "hour": time(23, 59, 1),
    "span": timedelta(days=1, microseconds=5),
    "key": KEY,
    "price": Decimal("0.10"),
    "number": 0.1,
    "huge": 2**70,
    "colour": Colour.RED,
    "level": Level.HIGH,
    "word": Word.YES,
    "size": Size(3, Decimal("1.50")),
    "person": PERSON,
    "pair": (1, "one"),
    "row": (1.0, 2.5),
    "point": Point(1, 2.0),
    "keys": {KEY},
    "frozen": frozenset({7}),
    "data": b"bytes",
    "path": Path("/srv/a b"),
    "choice": "b",
    "nothing": None,
    "something": KEY,
    "either": "12",
    "sizes": [Size(1, Decimal(2)), None],
    "prices": {KEY: [Decimal("9.90")]},
    "nested": {"x": ({Level.HIGH}, PERSON), "y": (set(), None)},
    "untyped": [1, {"deep": ["text", 1.5, False, None]}],
}
REST = (date(2026, 3, 1), date(2026, 3, 2))
MORE = {"extra": Decimal("1.0")}


@app.post("/keep")
async def accept(tasks: Tasks) -> dict[str, str]:
    schedule: Any = tasks.after_response.schedule
    return {"id": schedule(keep, *VALUES.values(), *REST, **MORE).id}


@app.post("/block")
async def block(tasks: Tasks) -> dict[str, str]:
    return {"id": tasks.schedule(blocker).id}


@app.get("/records/{task_id}")
async def record(task_id: str) -> dict[str, object]:
    found = await manager.get(task_id)
    if found is None:
        raise HTTPException(404)
    return found.to_dict()
