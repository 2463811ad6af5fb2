"""One value as stored text: by pydantic where the parameter is annotated, else what JSON itself can say."""

import json
import math
from collections.abc import Callable, Iterator
from functools import cached_property
from json.encoder import encode_basestring
from types import NoneType, UnionType
from typing import Any, Protocol, Union, cast, get_args, get_origin

from pydantic import ConfigDict, TypeAdapter, ValidationError
from pydantic.errors import PydanticSchemaGenerationError
from pydantic_core import from_json, to_json

from outlive.core.same import same
from outlive.errors import TaskArgumentError

#: JSON text of a value, as text and never as escapes, so that what is no text is found when it is encoded.
to_text = json.JSONEncoder(ensure_ascii=False, allow_nan=False).encode

_NO_FORM = "pass an id or plain data and load the object in the task, or declare the task with persist=False"
_NOT_TEXT = "it is not valid text: pass bytes, or replace what cannot be encoded"
_REMEDIES = {
    "invalid utf-8": "give its model model_config = ConfigDict(ser_json_bytes='base64', val_json_bytes='base64')",
    "surrogates not allowed": _NOT_TEXT,
}


class ValueCodec(Protocol):
    """Encodes and decodes what one parameter receives."""

    #: The parameter's name as the beginning of a member of a JSON object.
    key: str

    def encode(self, value: Any) -> str:
        """The value as JSON text; `TaskArgumentError` unless it will come back the same."""
        ...

    def decode(self, stored: Any) -> Any:
        """The value from parsed JSON; `TaskArgumentError` where the parameter no longer takes it."""
        ...


# -- the short way -----------------------------------------------------------------------------------
# Most arguments are one of these types where the annotation says so, or where there is none. They are written
# without pydantic; None sends a value the long way, which stores it or says why not.


def _write_str(value: str) -> str | None:
    return encode_basestring(value) if value.isascii() or _is_unicode(value) else None


def _is_unicode(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _write_int(value: int) -> str | None:
    return str(value) if -_MANY <= value <= _MANY else None


def _write_float(value: float) -> str | None:
    return repr(value) if math.isfinite(value) else None


def _write_bool(value: bool) -> str:  # noqa: FBT001 it is the value
    return "true" if value else "false"


def _write_none(_: None) -> str:
    return "null"


#: Python refuses to read numbers of thousands of digits back.
_MANY = 10**300

_WRITERS: dict[type, Callable[[Any], str | None]] = {
    str: _write_str,
    int: _write_int,
    float: _write_float,
    bool: _write_bool,
    NoneType: _write_none,
}


def _simple_types(annotation: Any) -> frozenset[type]:
    """The types that the annotation takes as they are and JSON gives back; empty if it takes others beside them."""
    is_union = get_origin(annotation) in (Union, UnionType)
    members = get_args(annotation) if is_union else (annotation,)
    if all(isinstance(member, type) and member in _WRITERS for member in members):
        return frozenset(members)
    return frozenset()


# -- codecs ------------------------------------------------------------------------------------------


class AnnotatedCodec:
    """The values of an annotated parameter; the annotation is looked at when it is first needed."""

    def __init__(self, name: str, annotation: Any) -> None:
        self.key = f"{to_text(name)}:"
        self._name = name
        self._annotation = annotation
        self._simple = _simple_types(annotation)

    def encode(self, value: object) -> str:
        """The value as JSON text; `TaskArgumentError` unless it comes back as what the annotation makes of it."""
        kind = type(value)
        if kind in self._simple and (text := _WRITERS[kind](value)) is not None:
            return text
        return self._encode_checked(value)

    def _encode_checked(self, value: Any) -> str:
        if isinstance(value, Iterator):
            raise self._refusal(value, "can be read only once; pass a list")
        wanted = self._validate(value)
        text = self._dump(value, wanted)
        back = self._read_back(value, text)
        if not same(back, wanted[0]):
            raise self._refusal(
                value,
                f"does not survive storing: it would come back changed, as {_type_of(back)}; "
                f"annotate the parameter with the very type it has, or pass plain data",
            )
        return text

    def _validate(self, value: Any) -> tuple[Any]:
        try:
            return self._adapter.validate_python((value,))
        except Exception as error:
            advice = "pass what the annotation asks for, or correct the annotation"
            raise self._refusal(value, f"does not fit its annotation: {_in_short(error)}; {advice}") from error

    def _dump(self, value: Any, wanted: tuple[Any]) -> str:
        try:
            return self._adapter.dump_json(wanted, round_trip=True, by_alias=True, warnings=False)[1:-1].decode()
        except Exception as error:
            reason = _in_short(error)
            remedy = next((_REMEDIES[sign] for sign in _REMEDIES if sign in reason), _NO_FORM)
            raise self._refusal(value, f"has no stored form: {reason}; {remedy}") from error

    def _read_back(self, value: Any, text: str) -> Any:
        try:
            return self._load(from_json(text))
        except Exception as error:
            raise self._refusal(value, f"does not survive storing: {_in_short(error)}; {_NO_FORM}") from error

    def decode(self, stored: Any) -> Any:
        """The value from parsed JSON; `TaskArgumentError` where the annotation no longer accepts it."""
        if type(stored) in self._simple:
            return stored
        try:
            return self._load(stored)
        except TaskArgumentError:
            raise
        except Exception as error:
            raise TaskArgumentError(
                f"stored argument {self._name!r} is no longer accepted: {_in_short(error)}; let the annotation take "
                f"the old form too until such tasks have run"
            ) from error

    def _load(self, stored: Any) -> Any:
        return self._adapter.validate_json(to_json((stored,)))[0]

    @cached_property
    def _adapter(self) -> TypeAdapter[tuple[Any]]:
        if isinstance(self._annotation, str):
            raise TaskArgumentError(
                f"the annotation {self._annotation!r} of parameter {self._name!r} cannot be read; import its names "
                f"where the function is defined, not only for type checking"
            )
        # Inside a tuple, because a dataclass by itself would refuse the config that keeps bytes and NaN.
        config = ConfigDict(ser_json_bytes="base64", val_json_bytes="base64", ser_json_inf_nan="strings")
        try:
            return TypeAdapter(tuple[self._annotation], config=config)  # type: ignore[name-defined]
        except Exception as error:
            reason = "" if isinstance(error, PydanticSchemaGenerationError) else f" ({_in_short(error)})"
            raise TaskArgumentError(
                f"parameter {self._name!r} is annotated {self._annotation!r}, which has no stored form{reason}; "
                f"{_NO_FORM}"
            ) from error

    def _refusal(self, value: Any, why: str) -> TaskArgumentError:
        return TaskArgumentError(f"argument {self._name!r} ({_type_of(value)}) {why}")


class PlainCodec:
    """The values of a parameter without annotation: what JSON itself can say."""

    def __init__(self, name: str) -> None:
        self.key = f"{to_text(name)}:"
        self._name = name

    def encode(self, value: object) -> str:
        """The value as JSON text; `TaskArgumentError` unless JSON gives back the same value."""
        kind = type(value)
        writer = _WRITERS.get(kind)
        if writer is not None and (text := writer(value)) is not None:
            return text
        try:
            text = to_text(value)
            text.encode()
            is_same = same(from_json(text), value)
        except UnicodeEncodeError as error:
            raise TaskArgumentError(f"argument {self._name!r} ({_type_of(value)}): {_NOT_TEXT}") from error
        except (TypeError, ValueError, RecursionError) as error:
            raise TaskArgumentError(self._advice(value)) from error
        if not is_same:
            raise TaskArgumentError(self._advice(value))
        return text

    def decode(self, stored: Any) -> Any:
        """The value from parsed JSON."""
        return stored

    def _advice(self, value: Any) -> str:
        kind = _type_of(value)
        return (
            f"argument {self._name!r} ({kind}) is not a JSON value and the parameter has no annotation; "
            f"annotate it ({self._name}: {kind}) so that it can be stored"
        )


class PositionalsCodec:
    """The values of a `*args` parameter."""

    def __init__(self, name: str, item: ValueCodec) -> None:
        self.key = item.key
        self._name = name
        self._item = item

    def encode(self, value: Any) -> str:
        """The values as a JSON array."""
        return f"[{','.join(map(self._item.encode, value))}]"

    def decode(self, stored: Any) -> tuple[Any, ...]:
        """The values from parsed JSON."""
        if not isinstance(stored, list):
            raise TaskArgumentError(f"stored argument {self._name!r} was one value, the function now takes several")
        return tuple(map(self._item.decode, cast("list[object]", stored)))


class KeywordsCodec:
    """The values of a `**kwargs` parameter."""

    def __init__(self, name: str, item: ValueCodec) -> None:
        self.key = item.key
        self._name = name
        self._item = item

    def encode(self, value: Any) -> str:
        """The values as a JSON object."""
        return f"{{{','.join(f'{self._key(name)}:{self._item.encode(one)}' for name, one in value.items())}}}"

    def _key(self, name: str) -> str:
        text = _write_str(name)
        if text is None:
            raise TaskArgumentError(f"argument {self._name!r}: its keyword {name!r} is not valid text")
        return text

    def decode(self, stored: Any) -> dict[str, Any]:
        """The values from parsed JSON."""
        if not isinstance(stored, dict):
            raise TaskArgumentError(f"stored argument {self._name!r} was one value, the function now takes keywords")
        return {name: self._item.decode(one) for name, one in cast("dict[str, Any]", stored).items()}


def _type_of(value: Any) -> str:
    return type(value).__name__


def _in_short(error: Exception) -> str:
    if not isinstance(error, ValidationError):
        return str(error).partition("\n")[0]
    first = error.errors(include_url=False, include_input=False, include_context=False)[0]
    where = ".".join(str(part) for part in first["loc"][1:])
    return f"{where}: {first['msg']}" if where else str(first["msg"])
