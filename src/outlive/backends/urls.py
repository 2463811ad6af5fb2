"""Finds the backend that a URL names."""

from urllib.parse import parse_qs, unquote, urlsplit

from outlive.backends.memory import MemoryBackend
from outlive.backends.sqlite import SqliteBackend
from outlive.errors import ConfigError
from outlive.ports import Backend


def choose_backend(backend: str | Backend | None, path: str | None, other: Backend | None) -> Backend:
    """What a manager works with that was given these, the first that is there; memory where nothing is."""
    chosen = backend if backend is not None else other if other is not None else path
    if chosen is None:
        return MemoryBackend()
    return backend_from(chosen) if isinstance(chosen, str) else chosen


def backend_from(url: str) -> Backend:
    """`memory://`, `sqlite:///relative.db`, `sqlite:////absolute.db`, or a plain path of a SQLite file.

    A SQLite URL takes `?synchronous=NORMAL` and `?busy_timeout=5`.
    """
    parts = urlsplit(url)
    if parts.scheme == "memory":
        return MemoryBackend()
    if parts.scheme == "sqlite":
        return _sqlite(url)
    if "://" in url:
        raise ConfigError(f"no backend for {url!r}; use memory://, sqlite:///tasks.db, or the path of a SQLite file")
    return SqliteBackend(url)


def _sqlite(url: str) -> Backend:
    parts = urlsplit(url)
    path = unquote(parts.path.removeprefix("/"))
    if parts.netloc or not path:
        raise ConfigError(f"{url!r} names no file; write sqlite:///tasks.db (relative) or sqlite:////var/tasks.db")
    options = {name: values[-1] for name, values in parse_qs(parts.query).items()}
    if unknown := set(options) - {"synchronous", "busy_timeout"}:
        raise ConfigError(f"{url!r} has an unknown option {min(unknown)!r}; known: synchronous, busy_timeout")
    synchronous = options.get("synchronous", "FULL").upper()
    if synchronous not in ("FULL", "NORMAL"):
        raise ConfigError(f"synchronous={synchronous!r} must be FULL or NORMAL")
    try:
        busy_timeout = float(options.get("busy_timeout", 5.0))
    except ValueError as error:
        raise ConfigError(f"busy_timeout={options['busy_timeout']!r} must be a number of seconds") from error
    return SqliteBackend(path, synchronous=synchronous, busy_timeout=busy_timeout)  # type: ignore[arg-type]
