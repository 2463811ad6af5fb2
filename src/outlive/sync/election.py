"""One leader among all processes."""

import asyncio
import logging
import os
from collections import deque
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from functools import partial
from types import TracebackType
from typing import Literal, Self

from outlive.definitions.coordination import Coordination
from outlive.errors import BackendError, ConfigError, ElectionNotRunningError, LeadershipLostError
from outlive.ports import Backend, Handle, Lease, LeaseEvent
from outlive.sync.choice import check_name, check_seconds
from outlive.sync.finishing import finish, in_background
from outlive.sync.guarding import Guard
from outlive.sync.holding import new_holder
from outlive.sync.owners import Spec
from outlive.sync.refusal import LockHeldError

_log = logging.getLogger("outlive.sync")

#: Changes of leadership that may wait for a backend that cannot be reached.
_UNTOLD = 16


class LeaderElection:
    """Makes one of all processes that run it the leader. `manager.add_task(leader)` runs it with the manager.

    `lease_duration`: seconds until another process leads after a crash. `renew_deadline`: a leader that could not
    renew for so long stops to be one, before anybody else can. `retry_interval`: seconds between renewals, and
    between tries of a candidate (which is told at once when it has won). `backend_timeout`: how long one of them may
    take. `error_interval`: the log has an error of the backend at most so often. `backend`, `worker` as in `Lock`.
    """

    def __init__(
        self,
        name: str,
        *,
        backend: Backend | None = None,
        worker: str | None = None,
        lease_duration: float = 15.0,
        renew_deadline: float = 10.0,
        retry_interval: float = 2.0,
        backend_timeout: float = 5.0,
        error_interval: float = 30.0,
    ) -> None:
        self.name = check_name(name)
        self._seconds = check_seconds("lease_duration", lease_duration)
        self._renew_deadline = _below("renew_deadline", renew_deadline, "lease_duration", lease_duration)
        self._retry = _below("retry_interval", retry_interval, "renew_deadline", renew_deadline)
        self._backend_timeout = _below("backend_timeout", backend_timeout, "renew_deadline", renew_deadline)
        self._error_interval = check_seconds("error_interval", error_interval)
        self._spec = Spec(name, f"leader:{name}", backend, worker, lease_duration, retry_interval)
        self._holder = ""
        self._fence = 0
        self._deadline = 0.0
        self._near: Coordination | None = None
        self._running: asyncio.Task[None] | None = None
        self._changed = asyncio.Event()
        self._alarm: Handle | None = None
        self._guards: set[Guard] = set()
        self._silent_until = 0.0
        self._pid = os.getpid()
        #: What the history does not have yet.
        self._untold: deque[LeaseEvent] = deque(maxlen=_UNTOLD)
        self._telling = asyncio.Lock()

    def __repr__(self) -> str:
        return f"<LeaderElection {self.name!r}>"

    # -- life ------------------------------------------------------------------------------------

    def start(self, near: Coordination) -> None:
        """Stand for election; `TaskManager.add_task` calls this."""
        if self.is_running():
            _log.warning("%r runs already; it is started once, by one manager", self)
            return
        backend = self._spec.backend
        self._near = near if backend is None else near._replace(backend=backend)
        self._pid, self._fence, self._changed = os.getpid(), 0, asyncio.Event()  # a fork may have left us others
        self._holder = new_holder(self._spec.worker)
        self._running = asyncio.create_task(self._run(self._near), name=f"outlive: {self!r}")

    async def stop(self) -> None:
        """Stand no longer; another process leads as soon as it is told."""
        running, self._running = self._running, None
        if running is not None:
            running.cancel()
            await asyncio.wait([running])

    def is_running(self) -> bool:
        """Whether this process stands for election."""
        return self._running is not None and not self._running.done() and self._pid == os.getpid()

    # -- asking ----------------------------------------------------------------------------------

    def is_leader(self) -> bool:
        """Whether this process leads; certain, as far as its clock can be trusted. Callable from any thread."""
        if self._fence == 0 or self._near is None or self._pid != os.getpid():
            return False
        return self._near.clock.now() < self._deadline

    @property
    def fencing_token(self) -> int:
        """A number that grows with every change of leadership; `LockHeldError` where this process does not lead."""
        self.guard()
        return self._fence

    def guard(self) -> None:
        """Nothing where this process leads, else `LockHeldError` (an `anyio.WouldBlock`).

        Raises `ElectionNotRunningError` where the election was not started: nobody would ever lead.
        """
        self._require_running()
        if not self.is_leader():
            raise LockHeldError(f"this process does not lead {self.name!r}; wait_for_leader() waits until it does")

    async def wait_for_leader(self) -> None:
        """Return when this process leads."""
        while not self.is_leader():
            self._require_running()
            await self._changed.wait()

    async def wait_lose_leader(self) -> None:
        """Return when this process does not lead."""
        while self.is_leader():
            await self._changed.wait()

    @asynccontextmanager
    async def lead(self) -> AsyncGenerator[int]:
        """Wait until this process leads, give the token, and cancel the body when it leads no more.

        A body that was cancelled for that ends in `LeadershipLostError`.
        """
        await self.wait_for_leader()
        guard = Guard()
        self._guards.add(guard)
        error: BaseException | None = None
        try:
            yield self._fence
        except BaseException as raised:
            error = raised
            raise
        finally:
            self._guards.discard(guard)
            if await guard.close(error):
                raise LeadershipLostError(
                    f"this process leads {self.name!r} no more; what the block did last may have run beside a new "
                    "leader: check it by the token that lead() gave"
                ) from error

    async def holder(self) -> Lease | None:
        """Who leads, until when, and who would be next; None where nobody does."""
        return await self._spec.lease()

    async def force_release(self, reason: str) -> bool:
        """Take the leadership from whoever has it, who notices at its next renewal; False where nobody has."""
        return await self._spec.force(reason)

    async def __aenter__(self) -> Self:
        await self.wait_for_leader()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Nothing: leadership lasts beyond the block."""

    # -- standing --------------------------------------------------------------------------------

    async def _run(self, near: Coordination) -> None:
        try:
            while True:
                again = await self._ask(near)
                if self._fence and near.is_off_duty():
                    await self._give_way(near)
                if self._untold:  # in the background: leading does not depend on it
                    in_background(self._note_changes(near), f"noting what became of {self._spec.key}")
                await self._pause(near, again)
        finally:
            self._lose("stopped", "released")  # before anybody else can lead
            with suppress(BackendError, TimeoutError):  # the log has it, and the lease ends by itself
                await finish(partial(self._step_down, near), f"giving up {self._spec.key}", self._backend_timeout)

    async def _give_way(self, near: Coordination) -> None:
        """Let whoever waits have a leadership that no block needs; what fails is tried again at the next turn."""
        leases = near.backend.leases
        with suppress(BackendError, TimeoutError):
            async with asyncio.timeout(self._backend_timeout):
                held = await leases.held(near.clock.now(), self._spec.key)
                if not self._guards and any(one.waiting for one in held):
                    self._lose("its instance takes no new work", "released")
                    await leases.drop(self._spec.key, self._holder, near.clock.now())

    async def _step_down(self, near: Coordination) -> None:
        await self._note_changes(near)
        await near.backend.leases.drop(self._spec.key, self._holder, near.clock.now())

    async def _note_changes(self, near: Coordination) -> None:
        """Put what has happened into the history; what cannot be written now is written later."""
        async with self._telling:
            with suppress(BackendError):
                while self._untold:
                    await near.backend.leases.note(self._untold[0])
                    self._untold.popleft()

    async def _ask(self, near: Coordination) -> float:
        """Take or renew the lease, and say when to ask again."""
        # All that follows counts from the request: the lease may have begun long before the answer is here.
        asked = near.clock.now()
        again = asked + self._retry
        wait = 0.0 if near.is_off_duty() else self._seconds
        try:
            async with asyncio.timeout(self._backend_timeout):
                lease = await near.backend.leases.take(self._spec.key, self._holder, self._seconds, asked, wait)
        except Exception as error:  # noqa: BLE001 - whatever it is, the next try may succeed; the deadline runs on
            self._report(asked, error)
            return again
        if lease.holder == self._holder:
            self._win(near, lease, asked)
            return again
        self._lose("somebody else leads")
        return min(again, lease.expires_at)

    async def _pause(self, near: Coordination, until: float) -> None:
        called = asyncio.Event()
        handles = [near.clock.call_at(until, called.set)]
        if self._fence == 0:
            handles.append(near.backend.leases.watch(self._holder, called.set))
        try:
            await called.wait()
        finally:
            for handle in handles:
                handle.cancel()

    def _win(self, near: Coordination, lease: Lease, asked: float) -> None:
        if lease.fence != self._fence:
            self._lose("it had passed to others or was forced away")
            _log.info("this process leads %r with token %d", self.name, lease.fence)
            self._untold.append(LeaseEvent(lease.key, lease.holder, lease.fence, near.clock.now(), "acquired"))
        self._rest()
        self._fence, self._deadline = lease.fence, asked + self._renew_deadline
        self._alarm = near.clock.call_at(self._deadline, self._run_out)
        self._tell()

    def _run_out(self) -> None:
        self._lose(f"it could not be renewed for {self._renew_deadline:g} s")

    def _lose(self, reason: str, event: Literal["released", "lost"] = "lost") -> None:
        self._rest()
        if self._fence == 0 or self._near is None:
            self._tell()
            return
        now = self._near.clock.now()
        self._untold.append(LeaseEvent(self._spec.key, self._holder, self._fence, now, event, reason))
        self._fence = 0
        level = logging.INFO if event == "released" else logging.WARNING
        _log.log(level, "this process leads %r no more: %s", self.name, reason)
        for guard in self._guards:
            guard.cancel()
        self._tell()

    def _tell(self) -> None:
        changed, self._changed = self._changed, asyncio.Event()
        changed.set()

    def _rest(self) -> None:
        if self._alarm is not None:
            self._alarm.cancel()
            self._alarm = None

    def _report(self, now: float, error: Exception) -> None:
        if now >= self._silent_until:
            self._silent_until = now + self._error_interval
            _log.error("the election %r could not reach its backend (%r); it tries again", self.name, error)

    def _require_running(self) -> None:
        if not self.is_running():
            raise ElectionNotRunningError(
                f"the election {self.name!r} does not run, so nobody would ever lead; call manager.add_task(leader) "
                "and start the manager"
            )


def _below(option: str, value: float, other: str, most: float) -> float:
    if check_seconds(option, value) >= most:
        raise ConfigError(f"{option}={value!r} must be less than {other}={most!r}")
    return float(value)
