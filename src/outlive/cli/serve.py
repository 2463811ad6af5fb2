"""What a worker process does between its start and its signal."""

import asyncio
import json
import logging
import os
import signal
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from outlive.core.states import TaskStatus
from outlive.errors import BackendError, ConfigError
from outlive.manager import TaskManager

#: Seconds between two words about the worker's health.
_EVERY = 5.0

_log = logging.getLogger("outlive.worker")


def fastest_loop() -> Callable[[], asyncio.AbstractEventLoop] | None:
    """What makes an event loop of uvloop where that is installed, None for asyncio's own."""
    try:
        import uvloop  # noqa: PLC0415 - an extra
    except ImportError:
        return None
    return uvloop.new_event_loop


async def work(manager: TaskManager, health_file: Path | None) -> None:
    """Run tasks until a signal; the first one drains, a second one ends the process at once."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    if not manager.backend.durable:
        raise ConfigError("this manager keeps its records in its own process; a worker needs a backend to share")
    stop = _on_signals()
    async with manager:
        loop = type(manager.runtime.loop).__module__.partition(".")[0]
        _log.info("worker %s runs tasks in process %d on %s", manager.runtime.process.instance.id, os.getpid(), loop)
        telling = asyncio.create_task(_tell(manager, health_file)) if health_file is not None else None
        await stop.wait()
        _log.info("draining %d tasks", manager.store.count(TaskStatus.RUNNING))
        if telling is not None:
            telling.cancel()
            with suppress(asyncio.CancelledError):
                await telling
    if health_file is not None:
        await asyncio.to_thread(health_file.unlink, missing_ok=True)
    _log.info("worker stopped")


def _on_signals() -> asyncio.Event:
    """Set at the first signal; at the second the process ends, and others take over what it ran."""
    stop = asyncio.Event()

    def obey(number: int) -> None:
        if stop.is_set():
            _log.warning("second signal: ending at once; what ran here is interrupted")
            os._exit(128 + number)
        stop.set()

    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        try:
            loop.add_signal_handler(number, obey, number)
        except NotImplementedError:  # Windows
            signal.signal(number, lambda number, _frame: loop.call_soon_threadsafe(obey, number))
    return stop


async def _tell(manager: TaskManager, file: Path) -> None:
    while True:
        try:
            await manager.backend.queues()
            backend = "ok"
        except BackendError as error:
            backend = str(error)
        said = {"pid": os.getpid(), "running": manager.store.count(TaskStatus.RUNNING), "backend": backend}
        await asyncio.to_thread(_write, file, json.dumps(said))
        await asyncio.sleep(_EVERY)


def _write(file: Path, text: str) -> None:
    """Whoever reads meets the old words or the new ones, whole."""
    beside = file.with_name(f"{file.name}.{os.getpid()}")
    beside.write_text(text, encoding="utf-8")
    beside.replace(file)
