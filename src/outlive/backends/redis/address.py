"""From a URL to a client."""

from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit, urlunsplit

from redis.asyncio import BlockingConnectionPool, Redis, Sentinel
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

from outlive.errors import ConfigError

_SCHEMES = ("redis", "rediss", "unix", "valkey", "valkeys", "redis+sentinel", "rediss+sentinel")
_MEANS = {"valkey": "redis", "valkeys": "rediss"}

_SENTINEL_PORT = 26379
_SENTINEL_OPTIONS = frozenset({"sentinel_username", "sentinel_password"})

#: What a connection has unless the URL or the caller says otherwise; times in seconds.
_USUAL: dict[str, Any] = {
    "socket_connect_timeout": 5.0,
    "socket_timeout": 10.0,
    "health_check_interval": 15,  # a connection that is dead without a word is noticed before it is trusted
    "protocol": 2,
}
_POOL: dict[str, Any] = {"max_connections": 16, "timeout": 5.0}


def client_for(url: str, options: dict[str, Any]) -> Redis:
    """A client of its own: it repeats nothing by itself, and waits for a connection rather than to fail at once."""
    parts = urlsplit(url)
    if parts.scheme not in _SCHEMES:
        raise ConfigError(f"{parts.scheme!r} is no scheme for Redis; known: {', '.join(_SCHEMES)}")
    chosen = {**_USUAL, "retry": Retry(NoBackoff(), 0), **options}
    try:
        if parts.scheme.endswith("+sentinel"):
            return _by_sentinel(url, chosen)
        plain = urlunsplit(parts._replace(scheme=_MEANS.get(parts.scheme, parts.scheme)))
        pools: Any = BlockingConnectionPool
        return Redis.from_pool(pools.from_url(plain, **{**_POOL, **chosen}))
    except (ValueError, TypeError) as error:
        raise ConfigError(f"this is no URL of Redis: {error}; write redis://host:6379/0") from error


async def close_client(client: Redis) -> None:
    """Close a client with all its connections, those to the Sentinels too."""
    await client.aclose()
    manager: Any = getattr(client.connection_pool, "sentinel_manager", None)
    for sentinel in () if manager is None else manager.sentinels:
        await sentinel.aclose()


def _by_sentinel(url: str, options: dict[str, Any]) -> Redis:
    """`redis+sentinel://user:password@one:26379,two:26379/service/db`; the password is that of the servers."""
    parts = urlsplit(url)
    login, _, hosts = parts.netloc.rpartition("@")
    service, _, db = parts.path.strip("/").partition("/")
    if not hosts or not service:
        raise ConfigError("a URL of Sentinel names hosts and a service: redis+sentinel://one:26379,two:26379/service")
    user, _, password = login.partition(":")
    given = {name: values[-1] for name, values in parse_qs(parts.query).items()}
    if unknown := set(given) - _SENTINEL_OPTIONS:
        raise ConfigError(f"a URL of Sentinel has an unknown option {min(unknown)!r}; pass it to RedisBackend instead")
    own = {name.removeprefix("sentinel_"): value for name, value in given.items()}
    make: Any = Sentinel
    sentinel = make([_host(one) for one in hosts.split(",")], sentinel_kwargs={**_USUAL, **own}, **options)
    chosen: dict[str, Any] = {"db": int(db or 0), "username": unquote(user) or None}
    chosen |= {"password": unquote(password) or None, "ssl": parts.scheme.startswith("rediss")}
    client: Redis = sentinel.master_for(unquote(service), **chosen)
    return client


def _host(text: str) -> tuple[str, int]:
    name, _, port = text.rpartition(":")
    return (name, int(port)) if name else (text, _SENTINEL_PORT)
