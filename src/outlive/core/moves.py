"""The writes: everything that can happen to a record, as values that the journal hands to a backend.

A backend applies a batch of moves as one transaction and answers for each whether it took effect. A move that
did not (the record has moved on, another owner holds it) is `False`, never an exception. Times are seconds since
the epoch. These classes are created several times per task, so they are plain slotted ones; nobody changes one.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from outlive.core.queues import Limit
from outlive.core.states import Event, TaskStatus

#: Why a slot of an exclusive schedule became no run.
OVERLAPS = "an earlier run had not ended (overlap='skip')"


@dataclass(slots=True)
class Fire:
    """Take a slot: the schedule's next time goes from `slot` to `next_at`, if that still is its next time.

    The `Enqueue` under the same id, in the same batch, takes effect only if this has `fired`. Where a run of the
    schedule lives, an `exclusive` one takes the slot as missed, and one that `waits` has no effect.
    """

    id: str
    schedule: str
    slot: float
    next_at: float | None
    at: float
    #: The slot that becomes the record, None where none does.
    fired: float | None = None
    exclusive: bool = False
    waits: bool = False
    #: How many slots become no record, and why.
    missed: int = 0
    reason: str | None = None


@dataclass(slots=True)
class Withdraw:
    """Cancel the record that holds a `run_key`: pending -> cancelled.

    A record holds its key until it starts or ends. What takes its place is an `Enqueue` in the same batch; `id` is
    that of the one who asks, and may be that `Enqueue`'s.
    """

    id: str
    run_key: str
    at: float
    reason: str


@dataclass(slots=True)
class Enqueue:
    """Accept a run: nothing -> pending, and with `started_at` at once pending -> running under fence 1.

    With `schedule` it is the record of a slot, and takes effect only if a `Fire` under its id has. One whose `run_key`
    is held has no effect. With `rejected` the record says why it was not accepted: nothing -> rejected.
    """

    id: str
    func: str
    func_name: str
    created_at: float
    run_at: float
    owner: str | None = None
    started_at: float | None = None
    source: str = "manual"
    timing: str = "enqueue"
    queue: str = "default"
    priority: int | None = None
    executor: str = "async"
    label: str | None = None
    tags: Mapping[str, str] | None = None
    idempotency_key: str | None = None
    arguments: str | None = None
    summary: str | None = None
    options: str | None = None
    recoverable: bool = True
    requeue_on_interrupt: bool = False
    schedule: str | None = None
    rejected: str | None = None
    run_key: str | None = None


@dataclass(slots=True)
class Permit:
    """Take a place under each of `limits` for the attempt that `owner` is about to start at `fence`, or none at all.

    A place under a limit without `per` is held until that attempt has ended, however it ends. The `Start` of the
    attempt follows in the same batch. One that only `asks` takes nothing: its answer is whether the attempt may start
    and each limit has room.
    """

    id: str
    fence: int
    owner: str
    at: float
    limits: Sequence[Limit]
    asks: bool = False


@dataclass(slots=True)
class Start:
    """Begin an attempt: pending -> running for its `owner`, if the record still stands at `fence`; adds one to it.

    A `limited` one takes effect only if the `Permit` before it has.
    """

    id: str
    fence: int
    owner: str
    at: float
    limited: bool = False


@dataclass(slots=True)
class Settle:
    """End the attempt that runs under `fence`: running -> `status`.

    With `status` pending the attempt goes to the history: `retry` keeps the owner and the attempt counts,
    `interrupt` frees the record and the attempt does not count.
    """

    id: str
    fence: int
    event: Event
    status: TaskStatus
    at: float
    #: When a pending record may start again.
    run_at: float | None = None
    error: str | None = None
    stacktrace: str | None = None
    reason: str | None = None
    #: What is kept of what the function returned; only where `status` is success.
    result: str | None = None


@dataclass(slots=True)
class Release:
    """Give a pending record that `owner` holds back to everybody, saying why where it could not be run here."""

    id: str
    owner: str
    reason: str | None = None


@dataclass(slots=True)
class Abandon:
    """Interrupt a pending record of `owner` that nobody can rebuild: pending -> interrupted."""

    id: str
    owner: str
    at: float
    reason: str


@dataclass(slots=True)
class Cancel:
    """Cancel a record that has not started: pending -> cancelled."""

    id: str
    at: float
    reason: str


@dataclass(slots=True)
class AskCancel:
    """Ask the instance that runs a record to cancel it; the status stays running until the body has ended.

    What was asked holds until the record has ended, also where the attempt fails first and is to be repeated.
    """

    id: str
    reason: str | None = None


@dataclass(slots=True)
class Requeue:
    """A person asks for another run: a final status -> pending, unowned, due at once, attempts counted from 0.

    It has no `run_key`, progress or result any more.
    """

    id: str
    at: float


@dataclass(slots=True)
class Log:
    """Append a line to the log of a record."""

    id: str
    attempt: int
    at: float
    level: str
    message: str


@dataclass(slots=True)
class Advance:
    """Say how far the attempt that runs under `fence` has come; the next start forgets it."""

    id: str
    fence: int
    #: A `Progress` as it is stored.
    progress: str


@dataclass(slots=True)
class Rewrite:
    """Store arguments and result in another form, where they still are in the form that they `had`."""

    id: str
    had_arguments: str | None
    arguments: str | None
    had_result: str | None
    result: str | None


Move = (
    Fire
    | Withdraw
    | Enqueue
    | Permit
    | Start
    | Settle
    | Release
    | Abandon
    | Cancel
    | AskCancel
    | Requeue
    | Log
    | Advance
    | Rewrite
)
