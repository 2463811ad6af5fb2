"""In which order a backend may apply the moves of a batch, so that many of one kind go into one statement."""

from collections.abc import Collection, Iterator, Sequence

from outlive.core.moves import (
    Abandon,
    Advance,
    AskCancel,
    Cancel,
    Enqueue,
    Fire,
    Log,
    Move,
    Permit,
    Release,
    Requeue,
    Rewrite,
    Settle,
    Start,
    Withdraw,
)
from outlive.core.states import Event, TaskStatus, check

#: The kinds of moves in the order in which a run of them is applied.
KINDS = (
    "fire",
    "withdraw",
    "enqueue",
    "permit",
    "start",
    "advance",
    "settle",
    "retry",
    "give_up",
    "release",
    "abandon",
    "cancel",
    "ask_cancel",
    "requeue",
    "rewrite",
    "log",
)

_RANK = {kind: rank for rank, kind in enumerate(KINDS)}
_RANK_OF: dict[type, int] = {
    Fire: _RANK["fire"],
    Withdraw: _RANK["withdraw"],
    Enqueue: _RANK["enqueue"],
    Permit: _RANK["permit"],
    Start: _RANK["start"],
    Release: _RANK["release"],
    Abandon: _RANK["abandon"],
    Cancel: _RANK["cancel"],
    AskCancel: _RANK["ask_cancel"],
    Requeue: _RANK["requeue"],
    Log: _RANK["log"],
    Advance: _RANK["advance"],
    Rewrite: _RANK["rewrite"],
}

#: The kinds that end an attempt.
_SETTLING = frozenset({_RANK["settle"], _RANK["retry"], _RANK["give_up"]})

#: In which order idempotency keys are dealt with: taken by new records, freed by ended ones, taken back.
_TAKES, _FREES, _TAKES_BACK = range(1, 4)
_KEY_STAGES: dict[type, int] = {Abandon: _FREES, Cancel: _FREES, Requeue: _TAKES_BACK}

#: From the rank of a kind to the places of its moves in the batch.
Run = dict[int, list[int]]


def kind_of(move: Move) -> int:
    """The place of a move's kind in `KINDS`."""
    if not isinstance(move, Settle):
        return _RANK_OF[type(move)]
    check(move.event, TaskStatus.RUNNING, move.status)
    if move.status is not TaskStatus.PENDING:
        return _RANK["settle"]
    return _RANK["retry" if move.event is Event.RETRY else "give_up"]


def key_stage(move: Move) -> int | None:
    """When a move's effect on idempotency keys has its turn, None where it has none: a success keeps its key."""
    if isinstance(move, Enqueue):
        return _TAKES if move.idempotency_key is not None else None
    if isinstance(move, Settle):
        return None if move.status in (TaskStatus.SUCCESS, TaskStatus.PENDING) else _FREES
    return _KEY_STAGES.get(type(move))


def runs(moves: Sequence[Move]) -> Iterator[Run]:
    """Split a batch where grouping by kind would change what the order of the moves says.

    The moves of one record must come in the order of ranks, and so must those that take and free idempotency keys,
    whichever record they are of. One slot of a schedule is taken per run,
    and what asks whether an earlier record lives, or has started, comes first. So does a permit that may find the place
    of an attempt which has just ended.
    """
    run: Run = {}
    last: dict[str, int] = {}
    keys = 0
    fired: set[str] = set()
    for place, move in enumerate(moves):
        rank = kind_of(move)
        stage = key_stage(move)
        if rank < last.get(move.id, 0) or (stage is not None and stage < keys) or _looks_back(move, fired, run):
            yield run
            run, last, keys = {}, {}, 0
            fired = set()
        if isinstance(move, Fire):
            fired.add(move.schedule)
        run.setdefault(rank, []).append(place)
        last[move.id] = rank
        keys = keys if stage is None else stage
    if run:
        yield run


def _looks_back(move: Move, fired: Collection[str], run: Run) -> bool:
    if isinstance(move, Permit):
        return not run.keys().isdisjoint(_SETTLING)
    if isinstance(move, Withdraw):
        return bool(run)
    return isinstance(move, Fire) and bool(run) and (move.exclusive or move.waits or move.schedule in fired)
