"""What undoes an acceptance of which the caller was told that it may have failed."""

from collections.abc import Sequence

from outlive.core.moves import AskCancel, Cancel, Enqueue, Move, Settle
from outlive.core.states import Event, TaskStatus

REASON = "whoever asked for it was told that it may not have been accepted"


def taken_back(moves: Sequence[Move], answers: Sequence[bool], at: float) -> list[Move]:
    """The moves that cancel what was accepted; what another instance has started already is asked to end."""
    undone: list[Move] = []
    for move, took_effect in zip(moves, answers, strict=True):
        if isinstance(move, Enqueue) and took_effect:
            undone += _cancelling(move, at)
    return undone


def _cancelling(move: Enqueue, at: float) -> list[Move]:
    if move.started_at is not None:  # by the write itself; no body has begun
        return [Settle(move.id, 1, Event.CANCEL, TaskStatus.CANCELLED, at, reason=REASON)]
    return [Cancel(move.id, at, REASON), AskCancel(move.id, REASON)]
