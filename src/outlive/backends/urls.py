"""Finds the backend that a URL names."""

from urllib.parse import parse_qs, parse_qsl, unquote, urlencode, urlsplit, urlunsplit

from outlive.backends.memory import MemoryBackend
from outlive.backends.sqlite import SqliteBackend
from outlive.errors import ConfigError
from outlive.ports import Backend

REDIS_SCHEMES = frozenset({"redis", "rediss", "unix", "valkey", "valkeys", "redis+sentinel", "rediss+sentinel"})


def backend_from(url: str) -> Backend:
    """`memory://`, `sqlite:///relative.db`, `redis://host:6379/0`, or a plain path of a SQLite file.

    A SQLite URL takes `?synchronous=NORMAL` and `?busy_timeout=5`. One of Redis takes `?prefix=outlive` and the options
    of redis-py; `rediss://`, `unix://`, `valkey://` and `redis+sentinel://` name Redis, too.
    """
    parts = urlsplit(url)
    if parts.scheme == "memory":
        return MemoryBackend()
    if parts.scheme == "sqlite":
        return _sqlite(url)
    if parts.scheme in REDIS_SCHEMES:
        return _redis(url)
    if "://" in url:
        raise ConfigError(
            f"no backend for {parts.scheme}://; use memory://, sqlite:///tasks.db, redis://host:6379/0, "
            "or the path of a SQLite file"
        )
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


def _redis(url: str) -> Backend:
    try:
        from outlive.backends.redis import RedisBackend  # noqa: PLC0415 - only who uses it needs its packages
    except ModuleNotFoundError as error:
        raise ConfigError(f"Redis needs the package {error.name!r}; install outlive[redis]") from error
    parts = urlsplit(url)
    options = parse_qsl(parts.query, keep_blank_values=True)
    prefix = dict(options).get("prefix", "outlive")
    rest = urlencode([option for option in options if option[0] != "prefix"])
    return RedisBackend(urlunsplit(parts._replace(query=rest)), prefix)
