"""Finds the backend that a URL names."""

from urllib.parse import parse_qs, parse_qsl, unquote, urlencode, urlsplit, urlunsplit

from outlive.backends.memory import MemoryBackend
from outlive.backends.sqlite import SqliteBackend
from outlive.errors import ConfigError
from outlive.ports import Backend

#: What a URL of PostgreSQL may say that asyncpg does not understand.
POSTGRES_OPTIONS = ("schema", "max_connections")

REDIS_SCHEMES = frozenset({"redis", "rediss", "unix", "valkey", "valkeys", "redis+sentinel", "rediss+sentinel"})


def choose_backend(backend: str | Backend | None, path: str | None, other: Backend | None) -> Backend:
    """What a manager works with that was given these, the first that is there; memory where nothing is."""
    chosen = backend if backend is not None else other if other is not None else path
    if chosen is None:
        return MemoryBackend()
    return backend_from(chosen) if isinstance(chosen, str) else chosen


def backend_from(url: str) -> Backend:
    """`memory://`, `sqlite:///tasks.db`, `postgresql://host/name`, `redis://host:6379/0`, or a path for SQLite.

    A SQLite URL takes `?synchronous=NORMAL` and `?busy_timeout=5`, one of PostgreSQL `?schema=jobs` and
    `?max_connections=8` beside what asyncpg understands, one of Redis `?prefix=outlive` beside what redis-py
    understands; `rediss://`, `unix://`, `valkey://` and `redis+sentinel://` name Redis, too.
    """
    parts = urlsplit(url)
    if parts.scheme == "memory":
        return MemoryBackend()
    if parts.scheme == "sqlite":
        return _sqlite(url)
    if parts.scheme in ("postgresql", "postgres"):
        return _postgres(url)
    if parts.scheme in REDIS_SCHEMES:
        return _redis(url)
    if "://" in url:
        raise ConfigError(
            f"no backend for {parts.scheme}://; use memory://, sqlite:///tasks.db, postgresql://host/name, "
            "redis://host:6379/0, or the path of a SQLite file"
        )
    return SqliteBackend(url)


def _postgres(url: str) -> Backend:
    # Here, so that who has no PostgreSQL needs no driver.
    from outlive.backends.postgres import PostgresBackend  # noqa: PLC0415

    base, _, text = url.partition("?")
    options = parse_qsl(text, keep_blank_values=True)
    ours = {name: value for name, value in options if name in POSTGRES_OPTIONS}
    rest = urlencode([(name, value) for name, value in options if name not in ours])
    try:
        most = int(ours.get("max_connections", "8"))
    except ValueError as error:
        raise ConfigError(f"max_connections={ours['max_connections']!r} must be a number") from error
    return PostgresBackend(f"{base}?{rest}" if rest else base, schema=ours.get("schema"), max_connections=most)


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
    # Here, so that who has no Redis needs no client.
    from outlive.backends.redis import RedisBackend  # noqa: PLC0415

    parts = urlsplit(url)
    options = parse_qsl(parts.query, keep_blank_values=True)
    prefix = dict(options).get("prefix", "outlive")
    rest = urlencode([option for option in options if option[0] != "prefix"])
    return RedisBackend(urlunsplit(parts._replace(query=rest)), prefix)
