"""What PostgreSQL and the driver say, as errors of outlive that carry the remedy."""

import asyncpg

from outlive.errors import BackendCorruptError, BackendError, BackendUnavailableError

#: After these nobody knows whether the server did what it was asked.
LOST = (
    asyncpg.PostgresConnectionError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,  # the server has said good-bye and not hung up yet
    asyncpg.OperatorInterventionError,
    OSError,
)
_OUR_FAULT = (asyncpg.DataError, asyncpg.ClientConfigurationError)

#: Trying again is all it takes: another transaction was in the way.
COLLISIONS = (asyncpg.DeadlockDetectedError, asyncpg.SerializationError, asyncpg.UniqueViolationError)

_REMEDIES: tuple[tuple[type[Exception], str], ...] = (
    (asyncpg.TooManyConnectionsError, "raise max_connections of the server, or use fewer connections"),
    (asyncpg.DiskFullError, "make room on the disk of the server"),
    (asyncpg.InsufficientResourcesError, "look at the server's log"),
    (
        asyncpg.ReadOnlySQLTransactionError,
        "the server may not be written; connect to the primary",
    ),
    (asyncpg.InvalidAuthorizationSpecificationError, "check the user and the password in the URL"),
    (asyncpg.InvalidCatalogNameError, "create the database, or name another one in the URL"),
    (asyncpg.InsufficientPrivilegeError, "let this user create and use tables in the schema"),
    (asyncpg.InvalidSchemaNameError, "create the schema, or name one by ?schema= in the URL"),
    (asyncpg.OperatorInterventionError, "the server ended the connection; it is tried again"),
    (asyncpg.PostgresConnectionError, "check that the server runs and can be reached; it is tried again"),
    (asyncpg.InterfaceError, "the connection is gone; it is tried again"),
    (asyncpg.InternalClientError, "the connection is gone; it is tried again"),
    (TimeoutError, "the server did not answer in time; it is tried again"),
    (OSError, "check that the server runs and can be reached; it is tried again"),
    (asyncpg.InvalidCachedStatementError, "the schema was changed meanwhile; it is tried again"),
    (asyncpg.DeadlockDetectedError, "other transactions were in the way; it is tried again"),
    (asyncpg.SerializationError, "other transactions were in the way; it is tried again"),
)


def translate(error: BaseException) -> BackendError | None:
    """Say what an error means; None where it is the fault of what was asked, not of the server."""
    if isinstance(error, asyncpg.UndefinedTableError | asyncpg.UndefinedColumnError | asyncpg.UndefinedFunctionError):
        return BackendCorruptError(f"the schema of outlive is not complete: {error}; restore it from a backup")
    if isinstance(error, _OUR_FAULT):
        return None
    for kind, remedy in _REMEDIES:
        if isinstance(error, kind):
            said = str(error) or type(error).__name__
            return BackendUnavailableError(f"PostgreSQL cannot be used: {said}; {remedy}")
    return None


def is_lost(error: BaseException) -> bool:
    """Say whether nobody knows if the server did what it was asked."""
    return isinstance(error, LOST) and not isinstance(error, _OUR_FAULT)
