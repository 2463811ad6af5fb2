"""Records in PostgreSQL."""

from importlib import import_module

from outlive.errors import MissingDriverError

try:
    import_module("asyncpg")
except ImportError as error:
    raise MissingDriverError("PostgreSQL needs asyncpg; install it with `pip install 'outlive[postgres]'`") from error

from outlive.backends.postgres.backend import PostgresBackend

__all__ = ["PostgresBackend"]
