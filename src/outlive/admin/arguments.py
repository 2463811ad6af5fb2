"""What may be seen of a task's arguments. Pure."""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast, get_args

from pydantic import SecretBytes, SecretStr

from outlive.core.cipher import is_sealed
from outlive.core.record import TaskRecord
from outlive.definitions.definition import Definition

#: Names of parameters and of fields whose values are not for screens.
_SECRET = re.compile(
    r"pass(word|wd|phrase)?$|secret|token$|api_?key|private_?key|credential|authorization|^cvv$|^pin$", re.IGNORECASE
)
HIDDEN = "•••••• (hidden)"


@dataclass(frozen=True, slots=True)
class Shown:
    """One argument: its value as text, or its kind where the value is not shown."""

    name: str
    kind: str
    value: str | None = None


@dataclass(frozen=True, slots=True)
class Arguments:
    """All of them, with what to say about them."""

    values: Sequence[Shown] = ()
    note: str = ""
    nothing: str = "It has none."


def shown(record: TaskRecord, definition: Definition | None, *, values: bool) -> Arguments:
    """The arguments as the screen of a task shows them; without `values` their kinds alone."""
    if record.arguments is None:
        return Arguments(nothing=f"Not stored. Their types: {record.summary}" if record.summary else "Not stored.")
    if record.is_encrypted:
        return Arguments(nothing=f"Encrypted. Their types: {record.summary}")
    stored = _stored(record.arguments)
    if stored is None:
        return Arguments(nothing="They cannot be read here.")
    secret = secret_names(definition)
    found = [_shown(name, value, secret, values=values) for name, value in stored.items()]
    note = "" if values or not found else "values hidden, see TaskAdmin(display_func_args=True)"
    return Arguments(found, note)


def result(record: TaskRecord, *, values: bool) -> Arguments | None:
    """What the function returned, None where nothing was kept."""
    if record.result is None:
        return None
    if is_sealed(record.result):
        return Arguments(nothing="It is encrypted.")
    if not values:
        return Arguments(nothing="Hidden, see TaskAdmin(display_func_args=True).")
    clean = _clean("", json.loads(record.result))
    return Arguments([Shown("", "", clean if isinstance(clean, str) else json.dumps(clean, indent=2))])


def redacted(record: TaskRecord, definition: Definition | None) -> str | None:
    """The stored arguments as JSON text, without what is secret."""
    stored = None if record.arguments is None else _stored(record.arguments)
    if stored is None:
        return record.summary
    secret = secret_names(definition)
    clean = {name: HIDDEN if name in secret else _clean(name, value) for name, value in stored.items()}
    return record.arguments if clean == stored else json.dumps(clean)


def has_secrets(record: TaskRecord, definition: Definition | None) -> bool:
    """Whether something is hidden, so that what is shown cannot be run as it is."""
    text = redacted(record, definition)
    return text is not None and json.dumps(HIDDEN) in text


def secret_names(definition: Definition | None) -> frozenset[str]:
    """Parameters whose annotation says that they are secret."""
    if definition is None:
        return frozenset()
    parameters = definition.signature.parameters.values()
    return frozenset(one.name for one in parameters if _is_secret(one.annotation))


def _is_secret(annotation: Any) -> bool:
    if isinstance(annotation, str):
        return "SecretStr" in annotation or "SecretBytes" in annotation
    return annotation in (SecretStr, SecretBytes) or any(_is_secret(one) for one in get_args(annotation))


def _stored(text: str) -> dict[str, Any] | None:
    try:
        stored = json.loads(text)
    except ValueError:  # encrypted, or written by something else
        return None
    return cast("dict[str, Any]", stored) if isinstance(stored, dict) else None


def _shown(name: str, value: Any, secret: frozenset[str], *, values: bool) -> Shown:
    kind = type(value).__name__
    if not values:
        return Shown(name, kind)
    if name in secret:
        return Shown(name, kind, HIDDEN)
    clean = _clean(name, value)
    return Shown(name, kind, clean if isinstance(clean, str) else json.dumps(clean, indent=2, ensure_ascii=False))


def _clean(name: str, value: Any) -> Any:
    if _SECRET.search(name):
        return HIDDEN
    if isinstance(value, Mapping):
        return {key: _clean(key, inner) for key, inner in cast("Mapping[str, Any]", value).items()}
    if isinstance(value, list):
        return [_clean("", inner) for inner in cast("Sequence[Any]", value)]
    return value
