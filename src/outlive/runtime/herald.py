"""Tells the other instances that there is something to do, and this one what they say.

What is sent follows from what was written, so that no writer can forget it.
"""

from collections.abc import Callable, Sequence

from outlive.core.moves import AskCancel, Enqueue, Move, Release, Requeue, Settle
from outlive.core.states import Event, TaskStatus
from outlive.ports import CANCEL, WORK, Backend, Handle, NotifyingBackend


class Herald:
    """Hints to and from the other instances; silent where the backend carries none."""

    def __init__(self, backend: Backend) -> None:
        self._notifier = backend.notifier if isinstance(backend, NotifyingBackend) else None
        self._ears: list[Handle] = []

    @property
    def is_silent(self) -> bool:
        """Whether nobody would hear."""
        return self._notifier is None

    def signal(self, kind: str, about: str = "") -> None:
        """Send a hint."""
        if self._notifier is not None:
            self._notifier.signal(kind, about)

    def tell(self, moves: Sequence[Move], answers: Sequence[bool]) -> None:
        """Send what others need to know of a batch that was applied."""
        for move, took_effect in zip(moves, answers, strict=True):
            if took_effect and (hint := _hint_of(move)) is not None:
                self.signal(*hint)

    def listen(self, kind: str, heard: Callable[[str | None], None]) -> None:
        """Call back with what each hint of others is about, None where some may have been lost."""
        if self._notifier is not None:
            self._ears.append(self._notifier.listen(kind, heard))

    def stop(self) -> None:
        """Listen no longer."""
        for ear in self._ears:
            ear.cancel()
        self._ears.clear()


def _hint_of(move: Move) -> tuple[str, str] | None:
    match move:
        case Enqueue(owner=None) | Release() | Requeue() | Settle(event=Event.INTERRUPT, status=TaskStatus.PENDING):
            return WORK, ""
        case AskCancel():
            return CANCEL, move.id
        case _:
            return None
