"""What is kept of what a function returned."""

import json
from collections.abc import Sized
from typing import Any

from outlive.core.cipher import is_sealed
from outlive.core.text import storable
from outlive.definitions.definition import Definition
from outlive.errors import EncryptionError, ResultNotStoredError, TaskArgumentError


def encode_result(definition: Definition, value: Any, limit: int) -> str | None:
    """The stored form of what a function returned, sealed where there is a key; nothing is kept of None.

    What has no form, or more than `limit` bytes, is summed up: its type, and why it is not there.
    """
    if value is None:
        return None
    return definition.cipher.seal(json.dumps(_stored(definition, value, limit), ensure_ascii=False))


def _stored(definition: Definition, value: Any, limit: int) -> dict[str, Any]:
    if not limit:
        return _summary(value, "results are not stored (max_result_size=0)")
    if isinstance(value, Sized) and _is_surely_over(value, limit):
        return _summary(value, f"more than {limit} bytes")
    try:
        text = definition.result_codec.encode(value)
    except (TaskArgumentError, ValueError, TypeError, RecursionError) as error:
        return _summary(value, storable(str(error)))
    size = len(text.encode())
    return _summary(value, f"{size} bytes, more than {limit}") if size > limit else {"value": json.loads(text)}


def _is_surely_over(value: Sized, limit: int) -> bool:
    """Whether it need not be written down to know; what has a million items would keep the event loop waiting."""
    try:
        return len(value) > limit
    except Exception:  # noqa: BLE001 - the length is code of the application
        return False


def _summary(value: Any, why: str) -> dict[str, Any]:
    return {"summary": type(value).__name__, "why": why}


def decode_result(definition: Definition, stored: str | None) -> Any:
    """What the function returned; `ResultNotStoredError` where that is not kept, `EncryptionError` without its key."""
    if stored is None:
        return None
    found = json.loads(definition.cipher.open(stored))
    if "value" in found:
        return definition.result_codec.decode(found["value"])
    raise ResultNotStoredError(f"its result ({found['summary']}) was not stored: {found['why']}")


def shown_result(definition: Definition | None, stored: str | None) -> dict[str, Any] | None:
    """What a page may show: `{"value": …}`, or `{"summary": …, "why": …}`; None where nothing was returned."""
    if stored is None:
        return None
    if definition is None and is_sealed(stored):
        return {"summary": "encrypted", "why": "its function is not declared here"}
    try:
        found: dict[str, Any] = json.loads(stored if definition is None else definition.cipher.open(stored))
    except EncryptionError as error:
        return {"summary": "encrypted", "why": str(error)}
    return found
