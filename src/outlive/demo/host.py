"""Runs the shop and its mail server in one process, and tells the terminal what it finds and what was done."""

import asyncio
import logging
import os
import signal
import socket
import sys
from datetime import UTC, datetime
from errno import EADDRINUSE

import uvicorn

from outlive import OutliveError, SqliteBackend, TaskRecord
from outlive.demo.mail import mail_server
from outlive.demo.pages import router
from outlive.demo.report import Leftovers, read_records, summary
from outlive.demo.shop import app, manager, store

HOST = "127.0.0.1"
STOP = (signal.SIGINT, signal.SIGTERM)


class Server(uvicorn.Server):
    """uvicorn, telling that it stops."""

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        print("\nStopping: what runs has a few seconds to finish.", flush=True)
        await super().shutdown(sockets)


def run(port: int) -> int:
    """Serve until a signal; say 0 unless the shop could not start."""
    logging.basicConfig(format="%(asctime)s  %(message)s", datefmt="%H:%M:%S", level=logging.WARNING)
    logging.getLogger("outlive").setLevel(logging.ERROR)  # a rescue is told in our own words
    logging.getLogger("outlive.task").setLevel(logging.WARNING)
    try:
        asyncio.run(_serve(port))
    except (OutliveError, OSError) as error:
        print(f"The shop cannot start: {error}", file=sys.stderr)
        return 1
    return 0


async def _serve(port: int) -> None:
    started_at = datetime.now(UTC)
    listener = _listen(port)
    app.include_router(router)
    leftovers = Leftovers(await _records())
    async with mail_server(store.folder / "mail") as mail_port:
        os.environ["SHOP_MAIL_PORT"] = str(mail_port)
        async with manager:  # the application would start it, too; here, what it recovers can be told first
            leftovers.compare({record.id: await manager.get(record.id) for record in leftovers.before})
            _greet(f"http://{HOST}:{listener.getsockname()[1]}", leftovers)
            await _serve_until_signal(listener)
    print(*summary(await _records(), leftovers, started_at), sep="\n")


async def _records() -> list[TaskRecord]:
    """Read beside the manager, which is not running before and after."""
    return await read_records(SqliteBackend(store.folder / "tasks.db"))


def _listen(port: int) -> socket.socket:
    try:
        return socket.create_server((HOST, port))
    except OSError as error:
        if error.errno != EADDRINUSE:
            raise
        print(f"Port {port} is taken, so another one is used.")
        return socket.create_server((HOST, 0))


def _greet(url: str, leftovers: Leftovers) -> None:
    lines = (
        *leftovers.lines(),
        f"Shop     {url}",
        f"Tasks    {url}/tasks/dashboard",
        f"Folder   {store.folder}",
        f"Press Ctrl-C to stop, or see what survives: kill -9 {os.getpid()}",
    )
    print(*lines, sep="\n", flush=True)


async def _serve_until_signal(listener: socket.socket) -> None:
    # uvicorn sends itself the signal again when it has stopped; by then it has been obeyed.
    for number in STOP:
        signal.signal(number, _obeyed)
    server = Server(uvicorn.Config(app, log_config=None, log_level="warning", timeout_graceful_shutdown=5))
    await server.serve([listener])
    for number in STOP:
        signal.signal(number, signal.SIG_DFL)


def _obeyed(_number: int, _frame: object) -> None:
    pass
