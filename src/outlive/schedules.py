"""What an application asks of its schedules while it runs; `TaskManager` has all of it."""

from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime
from typing import Any, ParamSpec, TypeVar, Unpack, overload

from outlive.core.config import TaskConfig
from outlive.definitions.schedule import ScheduleOptions, TimingOptions, split_options, timing_of
from outlive.definitions.task import Task
from outlive.router import Declarations
from outlive.runtime.planner import ScheduledOnce
from outlive.runtime.runtime import Runtime
from outlive.runtime.schedule_info import ScheduleInfo

P = ParamSpec("P")
R = TypeVar("R")


class Schedules(Declarations):
    """Looks at schedules, changes them at run time, and plans runs that come once.

    What is changed here is kept in the backend: it reaches the other instances within their `poll_interval`, and
    outlives restarts.
    """

    @property
    def runtime(self) -> Runtime:
        """The running parts; `NotInitializedError` before start-up."""
        raise NotImplementedError

    # -- once ------------------------------------------------------------------------------------

    @overload
    async def schedule_once(
        self,
        func: Callable[P, Awaitable[R]],
        /,
        *args: Any,
        run_at: datetime,
        run_key: str,
        idempotency_key: str | None = None,
        tags: Mapping[str, str] | None = None,
        priority: int | None = None,
        queue: str | None = None,
        **kwargs: Any,
    ) -> Task[R]: ...
    @overload
    async def schedule_once(
        self,
        func: Callable[P, R],
        /,
        *args: Any,
        run_at: datetime,
        run_key: str,
        idempotency_key: str | None = None,
        tags: Mapping[str, str] | None = None,
        priority: int | None = None,
        queue: str | None = None,
        **kwargs: Any,
    ) -> Task[R]: ...
    async def schedule_once(
        self,
        func: Callable[..., Any],
        /,
        *args: Any,
        run_at: datetime,
        run_key: str,
        idempotency_key: str | None = None,
        tags: Mapping[str, str] | None = None,
        priority: int | None = None,
        queue: str | None = None,
        **kwargs: Any,
    ) -> Task[Any]:
        """Run `func` once, not before `run_at` (a naive datetime is UTC, one that has passed is now).

        Another one with the same `run_key` takes its place, in one transaction, as long as it has not started; the
        replaced record is cancelled. It is stored whatever `persist` says and needs a declared function. Functions
        with parameters named as these are run by `using(run_at=...).enqueue`. Raises `DefinitionError`, `ConfigError`,
        `TaskArgumentError`, or what `enqueue` raises.
        """
        options = TaskConfig(
            run_at=run_at,
            idempotency_key=idempotency_key,
            tags=tags,
            priority=priority,
            queue=queue,
            persist=True,
        )
        return await self.runtime.planner.plan(func, args, kwargs, run_key, options)

    async def cancel_scheduled(self, run_key: str) -> bool:
        """Cancel what `schedule_once` planned under this key; False where nothing waits under it (any more)."""
        return await self.runtime.planner.cancel(run_key)

    async def list_scheduled(self, before: datetime | None = None, *, limit: int = 1000) -> list[ScheduledOnce]:
        """What `schedule_once` planned and has not started, earliest first, up to `limit`; default a year ahead."""
        return await self.runtime.planner.list(before, limit)

    # -- looking ---------------------------------------------------------------------------------

    async def schedules(
        self, *, runs: int = 0, limit: int | None = None, after: str | None = None
    ) -> list[ScheduleInfo]:
        """All schedules and intervals, by name: when they fire, when they last did, what was missed, and why.

        With `runs` each has so many of its newest records and gaps. `limit` and `after` (a name) make pages.
        """
        return await self.runtime.schedules.list(runs, limit, after)

    async def schedule_info(self, name: str, *, runs: int = 20) -> ScheduleInfo:
        """One schedule with its newest records and gaps, 20 of each by default.

        Raises `UnknownScheduleError` where there is none of this name.
        """
        return await self.runtime.schedules.one(name, runs)

    # -- acting ----------------------------------------------------------------------------------

    async def pause_schedule(self, name: str) -> bool:
        """Let a schedule fire no more, in all instances and over restarts; False where it is paused already.

        Raises `UnknownScheduleError` where there is none of this name.
        """
        return await self.runtime.schedules.pause(name)

    async def resume_schedule(self, name: str) -> bool:
        """Let a paused schedule go on with its next slot; False where it is not paused.

        Raises `UnknownScheduleError` where there is none of this name.
        """
        return await self.runtime.schedules.resume(name)

    async def trigger_schedule(self, name: str) -> Task[Any]:
        """Run the function of a schedule or interval now, beside its slots, as a manual run.

        Raises `UnknownScheduleError` where there is none of this name, or nobody here declares its function.
        """
        return await self.runtime.schedules.trigger(name)

    # -- changing --------------------------------------------------------------------------------

    async def add_schedule(
        self,
        func: Callable[..., Any],
        *,
        paused: bool = False,
        **options: Unpack[ScheduleOptions],
    ) -> ScheduleInfo:
        """Add a schedule that no code declares, for all instances and until it is removed.

        `func` is a declared task without arguments; the options are those of `schedule` except `run_on_startup`, and
        `name` is the function's if it is left out. Raises `ScheduleConflictError` for a name that is taken,
        `ConfigError` or `DefinitionError` for what cannot work.
        """
        given, config = split_options(options)
        return await self.runtime.schedules.add(func, timing_of(given, paused=paused), config)

    async def change_schedule(self, name: str, **timing: Unpack[TimingOptions]) -> ScheduleInfo:
        """Give a schedule another timing; what is not given stays as it is.

        The change holds over restarts, until `reset_schedule` or until the code declares the schedule otherwise than
        before. Another trigger begins anew, a change of the policies alone keeps the slots. Raises
        `UnknownScheduleError` where there is none of this name, `ConfigError` for what cannot work.
        """
        return await self.runtime.schedules.change(name, timing)

    async def reset_schedule(self, name: str) -> ScheduleInfo:
        """Let a schedule that was changed fire as this application declares it.

        Raises `UnknownScheduleError`, or `ScheduleConflictError` where this application does not declare it.
        """
        return await self.runtime.schedules.reset(name)

    async def remove_schedule(self, name: str) -> None:
        """Forget a schedule that was added at run time, or that no code declares any more; its records stay.

        Raises `UnknownScheduleError`, or `ScheduleConflictError` where this application declares it: pause it instead.
        """
        await self.runtime.schedules.remove(name)
