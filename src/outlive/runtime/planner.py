"""Runs that come once, at a moment, and can be replaced and cancelled by their key until they start."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from uuid_utils import uuid7

from outlive.core.config import TaskConfig
from outlive.core.moves import Withdraw
from outlive.core.record import TaskRecord
from outlive.core.states import TaskStatus
from outlive.core.text import storable
from outlive.definitions.options import as_utc
from outlive.definitions.task import Task
from outlive.errors import ConfigError, DefinitionError
from outlive.ports import Backend
from outlive.runtime.control import Control
from outlive.runtime.intake import Intake
from outlive.runtime.journal import Journal, commit
from outlive.runtime.process import Process

_CANCELLED = "cancelled by its run_key"
#: How far ahead a list looks that is not told: a year.
AHEAD = 366 * 86_400.0


@dataclass(frozen=True, slots=True)
class ScheduledOnce:
    """A run that is to come once; moments are aware and in UTC."""

    run_key: str
    func_name: str
    fire_at: datetime
    created_at: datetime
    task_id: str
    #: Arguments, empty where this application does not declare the function.
    args: tuple[Any, ...] = ()
    kwargs: Mapping[str, Any] = field(default_factory=dict[str, Any])
    queue: str = "default"
    priority: int | None = None
    idempotency_key: str | None = None
    tags: Mapping[str, str] = field(default_factory=dict[str, str])

    def to_dict(self) -> dict[str, Any]:
        """The run as JSON-ready values, without its arguments."""
        return {
            "run_key": self.run_key,
            "func_name": self.func_name,
            "fire_at": self.fire_at.isoformat(),
            "queue": self.queue,
            "priority": self.priority,
            "tags": dict(self.tags),
            "created_at": self.created_at.isoformat(),
            "task_id": self.task_id,
        }


class Planner:
    """Keeps such runs as records that nobody owns until their time has come."""

    def __init__(self, process: Process, backend: Backend, journal: Journal, intake: Intake, control: Control) -> None:
        self._registry = process.registry
        self._clock = process.clock
        self._backend = backend
        self._journal = journal
        self._intake = intake
        self._store = process.store
        self._control = control

    async def plan(
        self,
        func: Callable[..., Any],
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        run_key: str,
        options: TaskConfig,
    ) -> Task[Any]:
        """Accept a run; what held its key is cancelled in the same transaction."""
        _check_key(run_key)
        definition = self._registry.of(func)
        if not definition.declared:
            raise DefinitionError(
                f"{definition.display_name} is not declared, so nobody could find it after a restart; declare it with "
                f"@manager.task()"
            )
        task = self._intake.build(func, args, kwargs, options, "schedule", "scheduled")
        if not task.facts.recoverable:
            definition.codec.encode(args, kwargs)  # says which argument cannot be stored
        task.facts.run_key = run_key
        self._intake.trace(task)
        self._intake.admit(task)
        reason = f"replaced by another run under run_key={run_key!r}"

        def landed(answers: Sequence[bool], _error: BaseException | None) -> None:
            if answers and answers[0]:
                self._let_go(run_key, reason)

        self._intake.follow_up(task, Withdraw(task.id, run_key, self._clock.now(), reason), landed)
        await task.durable()
        return task

    async def cancel(self, run_key: str) -> bool:
        """Cancel what holds the key; False where nothing does (any more)."""
        _check_key(run_key)
        (cancelled,) = await commit(self._journal, [Withdraw(str(uuid7()), run_key, self._clock.now(), _CANCELLED)])
        if cancelled:
            self._let_go(run_key, _CANCELLED)
        return cancelled

    def _let_go(self, run_key: str, reason: str) -> None:
        """What this process has claimed and not started ends at once; its record says so already."""
        for task in self._store:
            if task.facts.run_key == run_key and task.status is TaskStatus.PENDING and not task.attempts:
                self._control.forget(task, reason)

    async def list(self, before: datetime | None, limit: int) -> list[ScheduledOnce]:
        """Up to `limit` of what is to come before a moment, earliest first."""
        end = self._clock.now() + AHEAD if before is None else as_utc(before).timestamp()
        return [self._describe(record) for record in await self._backend.planned(end, limit)]

    def _describe(self, record: TaskRecord) -> ScheduledOnce:
        assert record.run_key is not None
        args, kwargs = self._arguments(record)
        return ScheduledOnce(
            run_key=record.run_key,
            func_name=record.func_name,
            fire_at=record.run_at,
            created_at=record.created_at,
            task_id=record.id,
            args=args,
            kwargs=kwargs,
            queue=record.queue,
            priority=record.priority,
            idempotency_key=record.idempotency_key,
            tags=dict(record.tags),
        )

    def _arguments(self, record: TaskRecord) -> tuple[tuple[Any, ...], dict[str, Any]]:
        definition = self._registry.find(record.func)
        if definition is None or record.arguments is None:
            return (), {}
        try:
            return definition.codec.decode(record.arguments)
        except (TypeError, ValueError):  # of a release whose function took other arguments
            return (), {}


def _check_key(run_key: str) -> None:
    key: object = run_key
    if not isinstance(key, str) or not key or storable(key) != key:  # pyright: ignore[reportUnnecessaryIsInstance]
        raise ConfigError(f"run_key={run_key!r} must be text that can be stored and is not empty")
