"""Records in PostgreSQL."""

from importlib import import_module

from outlive.errors import MissingExtraError

try:
    import_module("asyncpg")
except ImportError as error:
    raise MissingExtraError("PostgreSQL needs asyncpg; install it with `pip install 'outlive[postgres]'`") from error

from outlive.backends.postgres.backend import PostgresBackend

__all__ = ["PostgresBackend"]
