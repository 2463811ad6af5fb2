"""Tasks that leave a trail."""

import asyncio
import logging
from collections.abc import Iterable, Iterator
from contextlib import contextmanager


class Trail(list[str]):
    """What happened, in its order."""

    def mark(self, word: str) -> None:
        self.append(word)

    async def mark_async(self, word: str) -> None:
        self.append(word)

    def mark_types(self, things: Iterable[object]) -> None:
        self.extend(type(thing).__name__ for thing in things)

    def order_of(self, *words: str) -> list[str]:
        """These words only, in the order in which they happened."""
        return [word for word in self if word in words]


class Gate:
    """A body that waits until the test lets it go on."""

    def __init__(self) -> None:
        self.entered = asyncio.Event()
        self.open = asyncio.Event()

    async def wait(self) -> None:
        self.entered.set()
        await self.open.wait()


@contextmanager
def captured_log(name: str) -> Iterator[list[logging.LogRecord]]:
    """The lines that a logger is given, independent of the handlers of the test runner."""
    records: list[logging.LogRecord] = []

    class Keep(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            records.append(record)

    logger, handler = logging.getLogger(name), Keep()
    logger.addHandler(handler)
    try:
        yield records
    finally:
        logger.removeHandler(handler)
