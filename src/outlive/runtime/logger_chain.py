"""Tells observers what happens, beside it: each has a queue, its order, and nobody but itself to wait for."""

import asyncio
import inspect
import threading
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from queue import SimpleQueue
from typing import Any

from outlive.core.events import EventsDropped, ObserverFailed, RuntimeEvent
from outlive.ports import Emit, Observer

#: Events that may wait for one observer; what comes beyond is not told.
WAITING = 10_000
#: Seconds that all observers have to hear the rest and to close at shutdown.
PATIENCE = 5.0

_Told = tuple[Callable[[Any], Any], RuntimeEvent]


class LoggerChain:
    """The observers of a manager.

    Observers run independently: one that raises, waits or blocks delays neither tasks nor the other observers.
    """

    def __init__(self, observers: Sequence[Observer], emit: Emit) -> None:
        self.observers = tuple(observers)
        self._emit = emit
        self._channels: list[_Channel] = []

    async def startup(self) -> None:
        """Let the observers open what they need; one that cannot is logged and left out."""
        self._channels = [_Channel(observer, self._emit) for observer in self.observers]
        for channel in self._channels:
            channel.start()
        await asyncio.gather(*(channel.ready for channel in self._channels))

    def tell(self, event: RuntimeEvent) -> None:
        """Hand an event to the observers; returns at once. Only from the event loop's thread."""
        for channel in self._channels:
            channel.put(event)

    async def flush(self) -> None:
        """Return when the observers have heard everything that was told so far."""
        for channel in self._channels:
            await channel.flush()

    async def close(self) -> None:
        """Let the observers hear the rest and close, for at most `PATIENCE` seconds."""
        channels, self._channels = self._channels, []
        if channels:
            endings = [asyncio.ensure_future(channel.close()) for channel in channels]
            _, late = await asyncio.wait(endings, timeout=PATIENCE)
            for channel, ending in zip(channels, endings, strict=True):
                if ending in late:
                    channel.give_up()
                    ending.cancel()
            await asyncio.gather(*endings, return_exceptions=True)


class _Channel:
    """What waits for one observer, and the task that hands it over."""

    def __init__(self, observer: Observer, emit: Emit) -> None:
        self._observer = observer
        self._emit = emit
        self._name = getattr(observer, "name", None) or type(observer).__name__
        self._waiting: deque[_Told] = deque()
        self._dropped = 0
        self._is_closing = self._is_out = False
        self._awake = asyncio.Event()
        self._idle = asyncio.Event()
        self._thread: _Thread | None = None
        self._task: asyncio.Task[None] | None = None
        #: Set when `startup` of the observer has ended.
        self.ready: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def start(self) -> None:
        self._task = asyncio.create_task(self._run(), name=f"outlive observer {self._name}")

    def put(self, event: RuntimeEvent) -> None:
        if self._is_out:
            return
        try:
            handler = self._observer.handler(event)
        except Exception as error:  # noqa: BLE001 - an observer is the user's
            self._fail(type(event).__name__, error)
            return
        if handler is None:
            return
        if len(self._waiting) >= WAITING:
            self._dropped += 1
            return
        self._waiting.append((handler, event))
        self._idle.clear()
        self._awake.set()

    async def flush(self) -> None:
        if self._waiting or not self._idle.is_set():
            await self._idle.wait()

    async def close(self) -> None:
        self._is_closing = True
        self._awake.set()
        if self._task is not None:
            await asyncio.wait([self._task])

    def give_up(self) -> None:
        """It has had its time: whatever it still does, nobody waits for it."""
        self._is_out = True
        if self._task is not None:
            self._task.cancel()
        self._fail("close", TimeoutError(f"it was not done after {PATIENCE:g} s and is left behind"))

    async def _run(self) -> None:
        try:
            await self._open()
            while not self._is_out:
                self._awake.clear()
                await self._hand_over()
                self._report_dropped()
                self._idle.set()
                if self._is_closing:
                    break
                await self._awake.wait()
            if not self._is_out:
                await self._call("close", self._observer.close)
        finally:
            self._idle.set()
            if self._thread is not None:
                self._thread.end()

    async def _open(self) -> None:
        self._is_out = not await self._call("startup", self._observer.startup)
        self._waiting = deque() if self._is_out else self._waiting
        self.ready.set_result(None)

    async def _hand_over(self) -> None:
        while self._waiting:
            if inspect.iscoroutinefunction(self._waiting[0][0]):
                handler, event = self._waiting.popleft()
                await self._call(type(event).__name__, handler, event)
            else:
                await self._hand_over_plain()

    async def _hand_over_plain(self) -> None:
        """One trip to the thread for all that waits for plain functions."""
        batch: list[_Told] = []
        while self._waiting and not inspect.iscoroutinefunction(self._waiting[0][0]):
            batch.append(self._waiting.popleft())
        for (_, event), answer in zip(batch, await self._beside([_bound(*told) for told in batch]), strict=True):
            await self._settle(type(event).__name__, answer)

    async def _call(self, during: str, function: Callable[..., Any], *args: Any) -> bool:
        if inspect.iscoroutinefunction(function):
            return await self._settle(during, function(*args))
        [answer] = await self._beside([lambda: function(*args)])
        return await self._settle(during, answer)

    async def _settle(self, during: str, answer: Any) -> bool:
        error = answer if isinstance(answer, BaseException) else None
        if inspect.isawaitable(answer):
            try:
                await answer
            except (asyncio.CancelledError, KeyboardInterrupt):
                raise
            except BaseException as raised:  # noqa: BLE001 - an observer is the user's; what it breaks is its own
                error = raised
        if error is not None:
            self._fail(during, error)
        return error is None

    def _beside(self, functions: Sequence[Callable[[], Any]]) -> Awaitable[Sequence[Any]]:
        if self._thread is None:
            self._thread = _Thread(f"outlive observer {self._name}")
        return self._thread.run(functions)

    def _report_dropped(self) -> None:
        if self._dropped:
            count, self._dropped = self._dropped, 0
            self._emit(EventsDropped(self._name, count))

    def _fail(self, during: str, error: BaseException) -> None:
        self._emit(ObserverFailed(self._name, during, error))


class _Thread:
    """A daemon thread: an observer that never returns must not keep the process from ending."""

    def __init__(self, name: str) -> None:
        self._loop = asyncio.get_running_loop()
        self._jobs: SimpleQueue[tuple[Sequence[Callable[[], Any]], asyncio.Future[Sequence[Any]]] | None]
        self._jobs = SimpleQueue()
        threading.Thread(target=self._work, name=name, daemon=True).start()

    def run(self, functions: Sequence[Callable[[], Any]]) -> Awaitable[Sequence[Any]]:
        """Call the functions one after the other; for each what it returned or raised."""
        future: asyncio.Future[Sequence[Any]] = self._loop.create_future()
        self._jobs.put((functions, future))
        return future

    def end(self) -> None:
        self._jobs.put(None)

    def _work(self) -> None:
        while (job := self._jobs.get()) is not None:
            functions, future = job
            answers = [_attempt(function) for function in functions]
            with suppress(RuntimeError):  # the event loop is closed: nobody waits any more
                self._loop.call_soon_threadsafe(_deliver, future, answers)


def _attempt(function: Callable[[], Any]) -> Any:
    try:
        return function()
    except BaseException as error:  # noqa: BLE001 - also SystemExit is only this observer's
        return error


def _bound(handler: Callable[[Any], Any], event: RuntimeEvent) -> Callable[[], Any]:
    return lambda: handler(event)


def _deliver(future: "asyncio.Future[Sequence[Any]]", answers: Sequence[Any]) -> None:
    if not future.done():
        future.set_result(answers)
