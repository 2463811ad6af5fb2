"""Whether a value that was stored has come back as it was."""

import math
from collections import deque
from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from dataclasses import fields, is_dataclass
from datetime import datetime, time
from typing import Any, cast

from pydantic import BaseModel


def same(back: Any, wanted: Any) -> bool:
    """Equal and of the same type all the way down, so that 1 is not True and a tuple is not a list.

    An aware datetime is the same when its wall time and its offset are; the zone's name is not stored.
    """
    if type(back) is not type(wanted):
        return False
    parts = _parts(wanted)
    if parts is not None:
        others = _parts(back) or ()
        return len(others) == len(parts) and all(map(same, others, parts))
    if isinstance(wanted, AbstractSet):
        return _same_members(back, cast("AbstractSet[object]", wanted))
    if isinstance(wanted, (datetime, time)):
        return _same_clock(back, wanted)
    if isinstance(wanted, float) and math.isnan(wanted):
        return math.isnan(back)
    return bool(back == wanted)


def _parts(value: Any) -> Sequence[Any] | None:
    """What a container is made of, in an order that storing keeps; None for everything else."""
    if isinstance(value, dict):
        mapping = cast("dict[object, object]", value)
        return [*mapping, *mapping.values()]
    if isinstance(value, (list, tuple, deque)):
        return cast("Sequence[Any]", value)
    if isinstance(value, BaseModel):
        own = {name: getattr(value, name) for name in type(value).model_fields}
        return _parts({**own, **(value.__pydantic_extra__ or {}), **(value.__pydantic_private__ or {})})
    if is_dataclass(value):
        return [getattr(value, field.name) for field in fields(value)]
    return None


def _same_members(back: AbstractSet[Any], wanted: AbstractSet[Any]) -> bool:
    twins = {member: member for member in back}
    return len(back) == len(wanted) and all(member in twins and same(twins[member], member) for member in wanted)


def _same_clock(back: Any, wanted: Any) -> bool:
    # Not by ==, which calls no two zones equal in the hour that the end of summer time repeats.
    if (back.tzinfo is None) != (wanted.tzinfo is None) or back.utcoffset() != wanted.utcoffset():
        return False
    return bool(back.replace(tzinfo=None, fold=0) == wanted.replace(tzinfo=None, fold=0))
