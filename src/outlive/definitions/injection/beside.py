"""Dependencies on an event loop for a body in a thread: both take turns."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Generator
from concurrent.futures import Future
from contextlib import contextmanager
from contextvars import ContextVar
from functools import partial
from queue import SimpleQueue
from typing import Any

from anyio.from_thread import start_blocking_portal

#: The event loop of whoever waits for what runs in this thread; None where there is none, as in a worker process.
home: ContextVar[asyncio.AbstractEventLoop | None] = ContextVar("outlive_home", default=None)

_Ended = tuple[Any, BaseException | None]


def run_beside(solve: Callable[[Callable[..., Awaitable[Any]]], Awaitable[Any]], body: Callable[..., Any]) -> Any:
    """Give what `solve` gives. It runs on the event loop; what it is handed for the body runs `body` in this thread.

    One coroutine solves, waits for the body and closes: what it opens may belong to the asyncio task that opened it.
    """
    turns: SimpleQueue[Callable[[], None] | None] = SimpleQueue()

    async def hand_over(*args: Any) -> Any:
        loop = asyncio.get_running_loop()
        ended: asyncio.Future[_Ended] = loop.create_future()

        def turn() -> None:
            outcome = _attempt(body, *args)
            loop.call_soon_threadsafe(_deliver, ended, outcome)

        turns.put(turn)
        return _value(await ended)

    with _starter() as start:
        whole = start(partial(_attempt_async, solve, hand_over))
        whole.add_done_callback(lambda _: turns.put(None))
        while (turn := turns.get()) is not None:
            turn()
        return _value(whole.result())


@contextmanager
def _starter() -> Generator[Callable[[Callable[[], Coroutine[Any, Any, _Ended]]], "Future[_Ended]"]]:
    loop = home.get()
    if loop is None:
        with start_blocking_portal() as portal:
            yield portal.start_task_soon
    else:
        yield lambda work: asyncio.run_coroutine_threadsafe(work(), loop)


# An exception travels as a value: SystemExit would end the event loop, if it left an asyncio task of its own.


def _attempt(func: Callable[..., Any], *args: Any) -> _Ended:
    try:
        return func(*args), None
    except BaseException as error:  # noqa: BLE001 - see above
        return None, error


async def _attempt_async(func: Callable[..., Awaitable[Any]], *args: Any) -> _Ended:
    try:
        return await func(*args), None
    except BaseException as error:  # noqa: BLE001 - see above
        return None, error


def _value(ended: _Ended) -> Any:
    value, error = ended
    if error is not None:
        raise error
    return value


def _deliver(future: "asyncio.Future[_Ended]", ended: _Ended) -> None:
    if not future.done():
        future.set_result(ended)
