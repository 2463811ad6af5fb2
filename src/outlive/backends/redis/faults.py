"""What Redis and its client say, as errors of outlive that carry the remedy."""

from redis.exceptions import (
    AuthenticationError,
    AuthenticationWrongNumberOfArgsError,
    AuthorizationError,
    BusyLoadingError,
    ConnectionError,  # noqa: A004 - Redis's own, which is no OSError
    MaxConnectionsError,
    NoPermissionError,
    OutOfMemoryError,
    ReadOnlyError,
    RedisError,
    ResponseError,
    TimeoutError,  # noqa: A004 - Redis's own
)

from outlive.errors import BackendUnavailableError

#: The connection broke, or an answer did not come in time.
CUT = (ConnectionError, TimeoutError, OSError, EOFError)

#: Everything that the client may raise.
TROUBLE = (RedisError, OSError, EOFError)

_LOGIN = "the server refused the name or the password; correct them in the URL, or let the server accept them"
_REMEDIES: tuple[tuple[type[Exception], str], ...] = (
    (MaxConnectionsError, "every connection is in use; raise max_connections"),
    (AuthenticationWrongNumberOfArgsError, _LOGIN),
    (AuthenticationError, _LOGIN),
    (AuthorizationError, _LOGIN),
    (BusyLoadingError, "the server is loading its data; it will answer when it has"),
    (
        NoPermissionError,
        "let this user run EVALSHA, EVAL, PUBLISH, SUBSCRIBE and the commands of scripts on {prefix}:*",
    ),
    (OutOfMemoryError, "the server has reached maxmemory; raise it, or shorten retention_days"),
    (ReadOnlyError, "this server is a replica; name the primary, or let redis+sentinel:// find it"),
)

#: Answers that have no class of their own; the server did not do what was asked.
_REFUSALS = {
    "NOAUTH": _LOGIN,
    "WRONGPASS": _LOGIN,
    "NOPERM": _REMEDIES[5][1],
    "MISCONF": "the server cannot write its files and takes no changes; look at its disk and its log",
    "NOREPLICAS": "too few replicas are connected; look at min-replicas-to-write",
    "MASTERDOWN": "the server is a replica whose primary is away",
    "BUSY": "a script keeps the server; wait for it to end",
    "LOADING": "the server is loading its data; it will answer when it has",
    "CLUSTERDOWN": "the cluster is down",
    "TRYAGAIN": "the cluster is moving keys; it will answer when it has",
    "OOM": _REMEDIES[6][1],
    "READONLY": _REMEDIES[7][1],
    "UNKILLABLE": "a script keeps the server; wait for it to end",
}


def translate(error: Exception, where: str) -> BackendUnavailableError | None:
    """Say what an error means; None where it is the fault of what was asked, not of the server."""
    for kind, remedy in _REMEDIES:
        if isinstance(error, kind):
            return BackendUnavailableError(f"Redis at {where}: {error}; {remedy}")
    if isinstance(error, ResponseError):
        refusal = next((word for word in str(error).split()[:3] if word.strip("-:") in _REFUSALS), None)
        if refusal is None:
            return None
        return BackendUnavailableError(f"Redis at {where}: {error}; {_REFUSALS[refusal.strip('-:')]}")
    if isinstance(error, (*CUT, RedisError)):
        return BackendUnavailableError(f"Redis at {where} cannot be reached: {error}; is it up, and is the URL right?")
    return None


def was_answered(error: Exception) -> bool:
    """Say whether the server itself refused, so that nothing was done."""
    return isinstance(error, (ResponseError, AuthenticationError, AuthorizationError, BusyLoadingError))
