"""What the runs of an interval hold: a leadership, a task lock and a lock, each only where the one before was had."""

import warnings
from collections.abc import AsyncGenerator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

from outlive.errors import ConfigError, ElectionNotRunningError
from outlive.sync.choice import check_seconds
from outlive.sync.election import LeaderElection
from outlive.sync.lock import Lock
from outlive.sync.owners import Owners, this_task
from outlive.sync.task_lock import TaskLock

#: `max_lock_seconds` of an interval that only names a leader, in its own `seconds`.
LEASE_INTERVALS = 5

#: From a warning to the line that uses the decorator: past the decorator, and past the rules where they warn.
_FROM_DECORATOR = 3
_FROM_RULES = 6


@dataclass(frozen=True, slots=True)
class IntervalTurn:
    """The turn of one interval; see `outlive.definitions.schedule.Turn`."""

    leader: LeaderElection | None = None
    #: The deprecated `sync=leader`, which waits to lead.
    awaited: LeaderElection | None = None
    task_lock: TaskLock | None = None
    resource: Lock | None = None

    @property
    def is_shared(self) -> bool:
        """Whether instances take turns, rather than all run it."""
        return self.task_lock is not None or bool(self.leaders())

    @asynccontextmanager
    async def begin(self) -> AsyncGenerator[int | None]:
        """Hold the leadership and the task lock and give the token; `LockHeldError` where somebody else does."""
        async with AsyncExitStack() as stack:
            token = None
            if self.leader is not None:
                self.leader.guard()
            for leader in self.leaders():
                token = await stack.enter_async_context(leader.lead())
            if self.task_lock is not None:
                await stack.enter_async_context(self.task_lock)
                token = self.task_lock.fencing_token
            yield token

    @asynccontextmanager
    async def around(self, stop: Callable[[], None] | None) -> AsyncGenerator[None]:
        """Hold the lock; wait for it where somebody else does."""
        if self.resource is None:
            yield
            return
        owners, owner = Owners(self.resource.spec), this_task()
        await owners.acquire(owner, None)
        owners.enter(owner, stop)
        try:
            with owners.giving(owner):
                yield
        except BaseException as error:
            await owners.leave(owner, error)
            raise
        await owners.leave(owner, None)

    def leaders(self) -> list[LeaderElection]:
        """The elections that have to run for this interval to run."""
        return [leader for leader in (self.leader, self.awaited) if leader is not None]

    def check(self, interval: str, elections: list[LeaderElection]) -> None:
        """Raise `ElectionNotRunningError` where nobody starts its election."""
        for leader in self.leaders():
            if leader not in elections and not leader.is_running():
                raise ElectionNotRunningError(
                    f"interval {interval!r} runs where {leader!r} leads, but nobody starts that election: call "
                    "manager.add_task(leader) before the manager starts"
                )


@dataclass(frozen=True, slots=True)
class TurnRules:
    """What `interval(…)` was given, checked; `ConfigError` for what cannot work."""

    seconds: float
    leader: LeaderElection | None
    max_lock_seconds: float | None
    min_lock_seconds: float | None
    sync: Lock | TaskLock | LeaderElection | None

    def __post_init__(self) -> None:
        self._check_leader()
        self._check_times()
        self._check_sync()

    @property
    def has_turns(self) -> bool:
        """Whether a leadership or a task lock decides who runs."""
        return self.leader is not None or self.max_lock_seconds is not None

    def turn(self, interval: str) -> IntervalTurn | None:
        """The turn of an interval of this name, None where its runs hold nothing."""
        if self.sync is None and not self.has_turns:
            return None
        sync = self.sync
        return IntervalTurn(
            self.leader,
            sync if isinstance(sync, LeaderElection) else None,
            sync if isinstance(sync, TaskLock) else self._task_lock(interval),
            sync if isinstance(sync, Lock) else None,
        )

    def _task_lock(self, interval: str) -> TaskLock | None:
        if not self.has_turns:
            return None
        return TaskLock(interval, min_lock_seconds=self._least(), max_lock_seconds=self._most())

    def _least(self) -> float:
        return self.seconds if self.min_lock_seconds is None else self.min_lock_seconds

    def _most(self) -> float:
        return self.seconds * LEASE_INTERVALS if self.max_lock_seconds is None else self.max_lock_seconds

    def _check_leader(self) -> None:
        if self.leader is not None and not isinstance(self.leader, LeaderElection):  # pyright: ignore[reportUnnecessaryIsInstance] - for the untyped
            raise ConfigError(f"leader={self.leader!r} must be a LeaderElection")

    def _check_times(self) -> None:
        if self.max_lock_seconds is not None:
            check_seconds("max_lock_seconds", self.max_lock_seconds, self.seconds)
        if self.min_lock_seconds is None:
            return
        check_seconds("min_lock_seconds", self.min_lock_seconds)
        if not self.has_turns:
            raise ConfigError(
                f"min_lock_seconds={self.min_lock_seconds!r} is for an interval that takes turns; give it "
                "max_lock_seconds or leader too, or leave it out"
            )
        if self.min_lock_seconds > self._most():
            raise ConfigError(
                f"min_lock_seconds={self.min_lock_seconds!r} must not be more than max_lock_seconds={self._most()!r}"
            )

    def _check_sync(self) -> None:
        if self.sync is None or isinstance(self.sync, Lock):
            return
        if not isinstance(self.sync, (TaskLock, LeaderElection)):  # pyright: ignore[reportUnnecessaryIsInstance] - for the untyped
            raise ConfigError(f"sync={self.sync!r} must be a Lock; whoever runs the interval holds it meanwhile")
        if self.has_turns:
            raise ConfigError(
                f"sync={self.sync!r} says again what leader, max_lock_seconds and min_lock_seconds say; leave it out"
            )
        remedy = "leader=" if isinstance(self.sync, LeaderElection) else "max_lock_seconds= and min_lock_seconds="
        deprecated(f"sync={self.sync!r} is deprecated; use {remedy}", _FROM_RULES)


def deprecated(message: str, depth: int = _FROM_DECORATOR) -> None:
    """Say that something is deprecated, where the decorator is used."""
    warnings.warn(message, DeprecationWarning, stacklevel=depth)
