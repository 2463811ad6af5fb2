"""What was given with a call beside its arguments, as stored text: its options, and the trace it belongs to."""

import json
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from importlib import import_module
from typing import Any, cast

from outlive.core.config import UNSET, TaskConfig
from outlive.definitions.definition import identity_of

_PLAIN = [
    "name",
    "retries",
    "delay",
    "backoff",
    "max_delay",
    "retry_jitter",
    "timeout",
    "executor",
    "priority",
    "queue",
    "concurrency_key",
    "concurrency_limit",
    "rate_limit",
    "persist",
    "eager",
    "requeue_on_interrupt",
    "shield",
    "even_on_error",
]


#: Releases that know nothing of it leave it alone.
_TRACE = "trace"


def encode_options(options: TaskConfig) -> tuple[str | None, str | None]:
    """The options as JSON text (None where there are none), and what to tell the reader of the record.

    Callables are stored by the name they can be imported under; one that cannot be is left out and named.
    """
    if options is UNSET:
        return None, None
    stored: dict[str, Any] = {name: value for name in _PLAIN if (value := getattr(options, name)) is not None}
    lost = [
        name
        for name, value in (("on_error", options.on_error), ("retry_on", options.retry_on))
        if value is not None and not _store_callable(stored, name, value)
    ]
    note = (
        f"{' and '.join(lost)} given with this call cannot be imported and will not survive a restart" if lost else None
    )
    return (json.dumps(stored) if stored else None), note


def _store_callable(stored: dict[str, Any], name: str, value: Any) -> bool:
    given = _as_tuple(value)
    names = [identity_of(one) for one in given]
    # A method or a partial has the name of its function; importing that would bring back something else.
    if any(_import(path) != one for path, one in zip(names, given, strict=True)):
        return False
    stored[name] = names
    return True


def _as_tuple(value: Any) -> tuple[Callable[..., Any], ...]:
    return cast("tuple[Callable[..., Any], ...]", value) if isinstance(value, tuple) else (value,)


def decode_options(text: str | None) -> TaskConfig:
    """The options from stored text; what can no longer be imported falls back to the definition's."""
    if text is None:
        return UNSET
    stored: dict[str, Any] = json.loads(text)
    found = {name: stored[name] for name in _PLAIN if name in stored}
    if "on_error" in stored:
        found["on_error"] = _import(stored["on_error"][0])
    if "retry_on" in stored:
        found["retry_on"] = _import_all(stored["retry_on"])
    return TaskConfig(**found)


def with_trace(text: str | None, kept: Mapping[str, str]) -> str | None:
    """Stored options, and with them what a tracer keeps of a call."""
    return json.dumps(({} if text is None else json.loads(text)) | {_TRACE: dict(kept)}) if kept else text


def trace_in(text: str | None) -> Mapping[str, str]:
    """What a tracer has kept of a call; empty where it has kept nothing."""
    kept: dict[str, str] = json.loads(text).get(_TRACE, {}) if text is not None else {}
    return kept


def _import_all(names: list[str]) -> Any:
    values = [_import(name) for name in names]
    if any(value is None for value in values):
        return None
    return tuple(values) if all(isinstance(value, type) for value in values) else values[0]


def _import(path: str) -> Callable[..., Any] | None:
    module, _, qualname = path.partition(":")
    try:
        value: Any = import_module(module)
        for part in qualname.split("."):
            value = getattr(value, part)
    except (ImportError, AttributeError):
        return None
    return value if callable(value) else None


def due_at(options: TaskConfig, now: float) -> float:
    """When a run accepted `now` may start, in seconds since the epoch."""
    if options.run_in is not None:
        return now + options.run_in
    if options.run_at is not None:
        return as_utc(options.run_at).timestamp()
    return now


def as_utc(moment: datetime) -> datetime:
    """The moment with its zone; a naive one is UTC."""
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)
