"""Group commit: all writes of a process go through here.

The journal takes everything that is waiting, applies it as one transaction, tells the writers, repeats. There is no
timer: an idle system commits at once, a busy one batches by itself. Two kinds of writes differ only in what happens
when the backend refuses: a `refusable` one (somebody asks to be accepted) is told so; any other must land, so it is
held in its order and tried again until it does.

Where a connection breaks in the middle, nobody knows for a while whether a batch was applied. It is asked about until
that is known, and nothing else is written before. Who waits to be accepted is told so at once; if it turns out that the
batch was applied, what was accepted for them is cancelled.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from functools import partial
from itertools import chain

from outlive.core.events import BackendRecovered, BackendTrouble, ServiceFailed
from outlive.core.moves import Fire, Move
from outlive.definitions.task import TaskJournal
from outlive.errors import BackendError, BackendInDoubtError, JournalFullError
from outlive.ports import Backend, BatchingBackend, ImmediateBackend
from outlive.runtime.process import Process
from outlive.runtime.taking_back import taken_back

#: Told the answers of the backend, one per move, or the error that kept all of them from being applied.
Landed = Callable[[Sequence[bool], BaseException | None], None]

BATCH = 500
_FIRST_PAUSE, _LONGEST_PAUSE = 0.02, 1.0


class _Entry:
    __slots__ = ("goes_alone", "landed", "moves", "refusable")

    def __init__(self, moves: Sequence[Move], landed: Landed | None, *, refusable: bool) -> None:
        self.moves = moves
        self.landed = landed
        self.refusable = refusable
        #: Whether it must not share a batch, because one of those it was in could not be stored.
        self.goes_alone = False


class Journal:
    """Collects writes and applies them in batches.

    When `journal_capacity` moves wait, new tasks are refused with `JournalFullError`.
    """

    def __init__(self, process: Process, backend: Backend) -> None:
        self.backend = backend
        self.keeps_pending, self.survives_process = True, backend.durable
        #: Told of each batch that was applied, with the answers.
        self.on_applied: Callable[[Sequence[Move], Sequence[bool]], None] | None = None
        self._apply_now = backend.apply_now if isinstance(backend, ImmediateBackend) else None
        self._process = process
        self._batch = backend.batch_size if isinstance(backend, BatchingBackend) else BATCH
        self._clock = process.clock
        self._emit = process.emit
        self._capacity = process.limits.journal_capacity
        self._entries: deque[_Entry] = deque()
        self._waiting = 0
        self._loop = asyncio.get_running_loop()
        self._pause = 0.0
        #: The batch that may have been applied, and how to find out.
        self._in_doubt: tuple[list[_Entry], Callable[[], Awaitable[Sequence[bool]]]] | None = None
        # Whether a batch is on its way, or its turn has been asked for; there is never more than one.
        self._is_busy = True
        self._is_idle = asyncio.Event()

    # -- writing ---------------------------------------------------------------------------------

    def write(self, moves: Sequence[Move], landed: Landed | None = None, *, refusable: bool = False) -> None:
        """Hand over moves that belong together; `landed` is called on the event loop. Only from the loop's thread.

        Raises `JournalFullError` for a refusable write that finds no room, and `NotInitializedError` in a forked child.
        """
        self._process.check_here()
        if self._apply_now is not None:
            answers = self._apply_now(moves)
            if landed is not None:
                landed(answers, None)
            return
        if refusable and self._waiting >= self._capacity:
            raise JournalFullError(
                f"{self._waiting} writes are waiting for the backend (capacity {self._capacity}); "
                f"answer 503 and let the client come back, or raise journal_capacity"
            )
        self._entries.append(_Entry(moves, landed, refusable=refusable))
        self._waiting += len(moves)
        self._ring()

    # -- life ------------------------------------------------------------------------------------

    def start(self) -> None:
        """Begin to apply what is written."""
        self._is_busy = False
        self._ring()

    async def close(self, patience: float) -> int:
        """Apply what still waits, for at most `patience` seconds; say how many moves were left."""
        self._is_idle.clear()
        if self._entries or self._is_busy:
            with suppress(TimeoutError):
                async with asyncio.timeout(patience):
                    await self._is_idle.wait()
        self._is_busy = True
        return self._waiting

    # -- one batch after the other ---------------------------------------------------------------

    def _ring(self) -> None:
        if not self._is_busy:
            self._is_busy = True
            # In the next turn of the loop, so that everything written in this one joins the batch.
            self._loop.call_soon(self._begin)

    def _begin(self) -> None:
        if self._in_doubt is not None:
            (entries, ask_again), self._in_doubt = self._in_doubt, None
            self._send(entries, _moves_of(entries), ask_again)
            return
        if not self._entries:
            self._is_busy = False
            self._is_idle.set()
            return
        entries = self._take()
        moves = _moves_of(entries)
        self._send(entries, moves, partial(self.backend.apply, moves))

    def _send(
        self, entries: list[_Entry], moves: Sequence[Move], apply: Callable[[], Awaitable[Sequence[bool]]]
    ) -> None:
        applied: asyncio.Future[Sequence[bool]]
        try:
            applied = asyncio.ensure_future(apply())
        except BackendError as error:
            applied = self._loop.create_future()
            applied.set_exception(error)
        applied.add_done_callback(partial(self._applied, entries, moves))

    def _take(self) -> list[_Entry]:
        taken = [self._entries.popleft()]
        size = len(taken[0].moves)
        while self._entries and not (taken[0].goes_alone or self._entries[0].goes_alone):
            size += len(self._entries[0].moves)
            if size > self._batch:
                break
            taken.append(self._entries.popleft())
        return taken

    def _applied(self, entries: list[_Entry], moves: Sequence[Move], applied: asyncio.Future[Sequence[bool]]) -> None:
        if applied.cancelled():  # the event loop is ending
            return
        error = applied.exception()
        pause = 0.0
        if error is None:
            self._report_recovery()
            if self.on_applied is not None:
                self.on_applied(moves, applied.result())
            self._land(entries, applied.result())
        elif isinstance(error, BackendInDoubtError):
            pause = self._wait_for_word(entries, error)
        elif isinstance(error, BackendError):
            pause = self._hold_back(entries, error)
        else:
            self._isolate(entries, error)
        self._go_on(pause)

    def _go_on(self, pause: float) -> None:
        if pause:
            self._clock.call_at(self._clock.now() + pause, self._begin)
        else:
            # In the next turn, so that what the landed writes set off joins the batch.
            self._loop.call_soon(self._begin)

    def _land(self, entries: list[_Entry], answers: Sequence[bool]) -> None:
        at = 0
        for entry in entries:
            self._tell(entry, answers[at : at + len(entry.moves)], None)
            at += len(entry.moves)

    def _tell(self, entry: _Entry, answers: Sequence[bool], error: BaseException | None) -> None:
        self._waiting -= len(entry.moves)
        if entry.landed is None:
            return
        try:
            entry.landed(answers, error)
        except Exception as failure:  # noqa: BLE001 - one writer's trouble must not stop the journal of all
            self._emit(ServiceFailed("Journal", failure))

    def _isolate(self, entries: list[_Entry], error: BaseException) -> None:
        """Something in the batch cannot be stored at all: find whose, so that the others land."""
        if len(entries) == 1:
            self._tell(entries[0], (), error)
            return
        for entry in entries:
            entry.goes_alone = True
        self._entries.extendleft(reversed(entries))

    # -- trouble ---------------------------------------------------------------------------------

    def _hold_back(self, entries: list[_Entry], error: BackendError) -> float:
        """Refuse what may be refused, keep the rest in its order, and say how long to wait."""
        for entry in entries:
            if entry.refusable:
                self._tell(entry, (), error)
        self._entries.extendleft(reversed([entry for entry in entries if not entry.refusable]))
        pause = self._next_pause(error)
        return pause if self._entries else 0.0

    def _wait_for_word(self, entries: list[_Entry], error: BackendInDoubtError) -> float:
        """Tell who waits to be accepted that nobody knows, and say how long to wait before it is asked again."""
        for entry in entries:
            # A slot is taken for good where it was taken, so its writer learns what came of it.
            if entry.refusable and not any(isinstance(move, Fire) for move in entry.moves):
                self._tell(entry, (), error)
                self._waiting += len(entry.moves)
                entry.refusable, entry.landed = False, partial(self._take_back, entry.moves)
        self._in_doubt = entries, error.ask_again
        return self._next_pause(error)

    def _take_back(self, moves: Sequence[Move], answers: Sequence[bool], error: BaseException | None) -> None:
        undone = taken_back(moves, answers, self._clock.now()) if error is None else []
        if undone:
            self.write(undone)

    def _next_pause(self, error: BackendError) -> float:
        if not self._pause:
            self._emit(BackendTrouble(error, self._waiting))
        self._pause = min(max(self._pause * 2, _FIRST_PAUSE), _LONGEST_PAUSE)
        return self._pause

    def _report_recovery(self) -> None:
        if self._pause:
            self._pause = 0.0
            self._emit(BackendRecovered())


def _moves_of(entries: list[_Entry]) -> Sequence[Move]:
    if len(entries) == 1:
        return entries[0].moves
    return list(chain.from_iterable(entry.moves for entry in entries))


async def commit(journal: TaskJournal, moves: Sequence[Move]) -> Sequence[bool]:
    """Write and wait for the answers; raises what kept the moves from being applied."""
    future: asyncio.Future[Sequence[bool]] = asyncio.get_running_loop().create_future()
    journal.write(moves, partial(resolve, future), refusable=True)
    return await future


def resolve(future: asyncio.Future[Sequence[bool]], answers: Sequence[bool], error: BaseException | None) -> None:
    """Hand answers, or what kept them from coming, to somebody who may have stopped waiting."""
    if future.done():
        return
    if error is not None:
        future.set_exception(error)
    else:
        future.set_result(answers)
