"""The backends under examination: a new one gets its line here and passes the suite."""

from collections.abc import Callable
from pathlib import Path

from support import postgres, valkey

from outlive.backends.memory import MemoryBackend
from outlive.backends.postgres import PostgresBackend
from outlive.backends.redis import RedisBackend
from outlive.backends.sqlite import SqliteBackend
from outlive.backends.urls import backend_from
from outlive.ports import Backend

#: From a name to a function that makes a backend, not yet open, which keeps what it needs in the folder.
FACTORIES: dict[str, Callable[[Path], Backend]] = {
    "memory": lambda folder: MemoryBackend(),
    "sqlite": lambda folder: SqliteBackend(folder / "tasks.db", synchronous="NORMAL"),
    "postgres": lambda folder: backend_from(postgres.url_for(folder)),
    "redis": lambda folder: RedisBackend(valkey.server_url(), f"conformance:{folder}"),
}
CLASSES: dict[str, type] = {
    "memory": MemoryBackend,
    "sqlite": SqliteBackend,
    "postgres": PostgresBackend,
    "redis": RedisBackend,
}
