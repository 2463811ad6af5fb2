"""Which limits the options of a call put on its attempts."""

from collections.abc import Mapping, Sequence
from typing import Any, cast

from outlive.core.config import EffectiveConfig
from outlive.core.queues import Limit
from outlive.core.text import storable
from outlive.definitions.definition import Definition
from outlive.errors import TaskArgumentError

_KEY = "key:"


def limits_of(
    definition: Definition, effective: EffectiveConfig, args: tuple[Any, ...], kwargs: Mapping[str, Any]
) -> tuple[Limit, ...]:
    """The limits of one call; `TaskArgumentError` where `concurrency_key` gives no key for these arguments."""
    limits: list[Limit] = []
    key = _key_of(definition, effective, args, kwargs)
    if key is not None:
        limits.append(Limit(f"{_KEY}{key}", effective.concurrency_limit))
    if effective.rate is not None:
        most, per = effective.rate
        limits.append(Limit(f"rate:{definition.identity}", most, per))
    return tuple(limits)


def key_of(limits: Sequence[Limit]) -> str | None:
    """The key that a call's `concurrency_key` has given."""
    return next((limit.key.removeprefix(_KEY) for limit in limits if limit.key.startswith(_KEY)), None)


def _key_of(
    definition: Definition, effective: EffectiveConfig, args: tuple[Any, ...], kwargs: Mapping[str, Any]
) -> str | None:
    given = effective.concurrency_key
    if given is None or isinstance(given, str):
        return given
    try:
        key = cast("object", given(*args, **kwargs))  # the function is the user's
    except Exception as error:
        raise TaskArgumentError(
            f"{definition.display_name}: its concurrency_key raised {error!r} for these arguments"
        ) from error
    if key is not None and (not isinstance(key, str) or storable(key) != key):
        raise TaskArgumentError(
            f"{definition.display_name}: its concurrency_key gave {key!r}, which is no text that can be stored"
        )
    return key
