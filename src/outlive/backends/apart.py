"""A store for measurements, beside the one that a URL names: on the same disk or server, and gone afterwards."""

import tempfile
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from urllib.parse import parse_qsl, quote, urlencode, urlsplit
from uuid import uuid4

from outlive.backends.memory import MemoryBackend
from outlive.backends.sqlite import SqliteBackend
from outlive.backends.urls import POSTGRES_OPTIONS, REDIS_SCHEMES, backend_from
from outlive.errors import ConfigError


@asynccontextmanager
async def apart(url: str) -> AsyncGenerator[str]:
    """The URL of an empty store of the same kind in the same place: a folder, a schema, a prefix of its own.

    What the store that was named holds is neither read nor changed. Raises `ConfigError` for a URL that names none.
    """
    name, backend = f"outlive_bench_{uuid4().hex[:12]}", backend_from(url)
    if isinstance(backend, MemoryBackend):
        yield url
    elif isinstance(backend, SqliteBackend):
        if not backend.path.parent.is_dir():
            raise ConfigError(f"the folder {backend.path.parent} does not exist; create it")
        with tempfile.TemporaryDirectory(prefix=f".{name}", dir=backend.path.parent) as folder:
            yield f"sqlite:///{quote(folder)}/tasks.db?{urlsplit(url).query if '://' in url else ''}"
    elif urlsplit(url).scheme in REDIS_SCHEMES:
        try:
            yield _with(url, prefix=name)
        finally:
            from outlive.backends.redis.backend import erase  # noqa: PLC0415 - needs a client that others do not

            await erase(_with(url, prefix=None), name)
    else:
        try:
            yield _with(url, schema=name)
        finally:
            from outlive.backends.postgres.schema import drop  # noqa: PLC0415 - needs a driver that others do not

            await drop(_with(url, **dict.fromkeys(POSTGRES_OPTIONS)), name)


def _with(url: str, **options: str | None) -> str:
    """A URL with these options, and without those that are None."""
    base, _, text = url.partition("?")
    given = {name: value for name, value in parse_qsl(text, keep_blank_values=True) if name not in options}
    given |= {name: value for name, value in options.items() if value is not None}
    return f"{base}?{urlencode(given)}" if given else base
