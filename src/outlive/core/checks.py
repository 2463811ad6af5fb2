"""What the value of each option may be. A wrong one is refused where it is given, not when a task has to run."""

import math
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, cast

from outlive.core.text import storable

EXECUTORS = ("async", "thread", "process")

#: Seconds in a century: every backend and every clock can represent a moment so far ahead.
_CENTURY = 36_525 * 86_400

#: What fits into the column of every backend.
_LARGEST = 2**31 - 1


def _is_number(value: Any, least: float, most: float = math.inf) -> bool:
    if not isinstance(value, (int, float)) or isinstance(value, bool):
        return False
    return math.isfinite(value) and least <= value <= most


def is_seconds(value: Any) -> bool:
    """Whether a value is a length of time."""
    return _is_number(value, 0)


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and _is_number(value, 0)


def _is_priority(value: Any) -> bool:
    return isinstance(value, int) and _is_number(value, -_LARGEST, _LARGEST)


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and storable(value) == value


def _are_tags(value: Any) -> bool:
    if not isinstance(value, Mapping):
        return False
    return all(_is_text(key) and _is_text(text) for key, text in cast("Mapping[object, object]", value).items())


def _is_moment(value: Any) -> bool:
    return isinstance(value, datetime) and 1970 <= value.year <= 9998  # noqa: PLR2004 what all clocks represent


def _is_retry_on(value: Any) -> bool:
    if isinstance(value, tuple):
        return all(_is_exception_type(kind) for kind in cast("tuple[object, ...]", value))
    return _is_exception_type(value) if isinstance(value, type) else callable(value)


def _is_exception_type(value: object) -> bool:
    return isinstance(value, type) and issubclass(value, BaseException)


_TEXT = "must be text that can be stored (no NUL, no lone surrogates)"
_SECONDS = "must be a number of seconds, 0 or more"

#: For each option that not every value suits: whether it does, and what to say if not.
CHECKS: dict[str, tuple[Callable[[Any], bool], str]] = {
    "name": (_is_text, _TEXT),
    "retries": (_is_count, "must be a whole number, 0 or more"),
    "delay": (is_seconds, _SECONDS),
    "backoff": (is_seconds, "must be a factor, 0 or more"),
    "max_delay": (is_seconds, f"{_SECONDS}; leave it out for no limit"),
    "retry_jitter": (lambda value: _is_number(value, 0, 1), "must be from 0 to 1 (a share of the delay)"),
    "retry_on": (_is_retry_on, "must be an exception type, a tuple of them, or a function of the exception"),
    "timeout": (
        lambda value: is_seconds(value) and value > 0,
        "must be more than 0 seconds; leave it out for no limit",
    ),
    "executor": (lambda value: value in EXECUTORS, f"is unknown; choose one of {', '.join(EXECUTORS)}"),
    "priority": (_is_priority, f"must be a whole number from {-_LARGEST} to {_LARGEST}"),
    "queue": (_is_text, _TEXT),
    "concurrency_key": (
        lambda value: callable(value) or _is_text(value),
        f"{_TEXT}, or a function of the task's arguments that gives such text",
    ),
    "concurrency_limit": (lambda value: _is_count(value) and value > 0, "must be a whole number from 1"),
    "rate_limit": (_is_text, 'must be how many in which time, like "10/s" or "100/5m"'),
    "tags": (_are_tags, "must map text to text that can be stored"),
    "retention_days": (
        lambda value: _is_number(value, 0) and value > 0,
        "must be more than 0 days; leave it out to keep what the manager keeps",
    ),
    "on_error": (callable, "must be a function of the task and the exception"),
    "idempotency_key": (_is_text, _TEXT),
    "run_at": (_is_moment, "must be a datetime from 1970 to 9998"),
    "run_in": (
        lambda value: _is_number(value, 0, _CENTURY),
        "must be a number of seconds, 0 or more, within a century",
    ),
}
