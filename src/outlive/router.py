"""Declaring tasks, schedules and intervals, on a manager or on routers that it includes."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, TypeVar, Unpack

from outlive.core.cipher import Cipher
from outlive.core.codec import NO_CIPHER
from outlive.core.config import UNSET, TaskConfig, TaskOptions, config_of
from outlive.core.schedule import Misfire, Overlap
from outlive.definitions.definition import name_of
from outlive.definitions.registry import TaskRegistry
from outlive.definitions.schedule import (
    Plan,
    RunOnStartup,
    Schedule,
    Timing,
    TimingOptions,
    check_jitter,
    check_options,
    seconds_between,
    timing_of,
)
from outlive.errors import DefinitionError
from outlive.sync.election import LeaderElection
from outlive.sync.lock import Lock
from outlive.sync.task_lock import TaskLock
from outlive.sync.turns import LEASE_INTERVALS, TurnRules, deprecated

F = TypeVar("F", bound=Callable[..., Any])


@dataclass(frozen=True, slots=True)
class _Declaration:
    """One use of a decorator; `timing` is None for a task, and a number of seconds for an interval."""

    func: Callable[..., Any]
    config: TaskConfig
    timing: Timing | float | None = None
    rules: TurnRules | None = None
    jitter: float = 0.0

    def within(self, prefix: str, defaults: TaskConfig) -> "_Declaration":
        """The same, below a router's prefix and options."""
        config = defaults.merge(self.config)
        if defaults.tags and self.config.tags:
            config = replace(config, tags={**defaults.tags, **self.config.tags})
        if prefix:
            config = replace(config, name=f"{prefix}{config.name or name_of(self.func)}")
        return replace(self, config=config)


class Declarations:
    """What decorators have declared, in the order of their use, and who is told of it."""

    def __init__(
        self,
        base: TaskConfig = UNSET,
        *,
        prefix: str = "",
        defaults: TaskConfig = UNSET,
        cipher: Cipher = NO_CIPHER,
    ) -> None:
        self.registry = TaskRegistry(base, cipher)
        self._plan = Plan()
        self._prefix = prefix
        self._defaults = defaults
        self._made: list[_Declaration] = []
        self._included: list[Declarations] = []
        self._listeners: list[Callable[[_Declaration], None]] = []

    def task(self, **options: Unpack[TaskOptions]) -> Callable[[F], F]:
        """Declare a function as a task, with any option of `TaskConfig`; gives back the function itself.

        Raises `DefinitionError` where the executor does not suit the function or its name is taken, `ConfigError`
        for an option that cannot work; both are `ValueError`s.
        """
        return self._decorator(config_of(options), None)

    def schedule(  # noqa: PLR0913 - the options of the product, one name each
        self,
        *,
        every: float | None = None,
        cron: str | None = None,
        timezone: str = "UTC",
        start: datetime | None = None,
        end: datetime | None = None,
        run_on_startup: RunOnStartup = False,
        paused: bool = False,
        misfire: Misfire = "skip",
        grace: float | None = None,
        overlap: Overlap = "allow",
        jitter: float = 0.0,
        **options: Unpack[TaskOptions],
    ) -> Callable[[F], F]:
        """Run a function without arguments by itself, and declare it as a task if it is not one yet.

        Give `every` (seconds, a fixed rate) or `cron` (five fields or an alias such as `@daily`, in `timezone`). Each
        slot fires once, however many instances share the backend. The first comes after `every` seconds or at the
        first cron slot; `run_on_startup=True` fires at once too, one time for the instances that start together,
        `"each"` in every one of them. No slot is before `start` and none after `end` (datetimes; naive ones are UTC);
        a fixed rate begins at `start`. `paused=True` lets it wait for `resume_schedule`.

        `misfire` is for slots that came while no instance ran, or that are more than `grace` seconds late (default:
        until the next slot, at least 1 and at most 60): `"skip"` drops them, `"latest"` fires the newest, `"all"`
        every one. While an earlier run has not ended, `overlap="allow"` fires beside it, `"skip"` drops the slot,
        `"wait"` fires after it, and `"cancel_previous"` has it cancelled and fires when it has ended; of slots that
        wait together the newest fires, with `misfire="all"` every one. `jitter` fires each slot up to so many seconds
        later, by chance. What is dropped is listed with the schedule, with the reason. Other options are those of
        `task`. Runs are always stored.

        Raises `ConfigError` or `DefinitionError`, both `ValueError`s, for what cannot work.
        """
        given = TimingOptions(
            every=every,
            cron=cron,
            timezone=timezone,
            start=start,
            end=end,
            misfire=misfire,
            grace=grace,
            overlap=overlap,
            jitter=jitter,
        )
        timing = timing_of(given, run_on_startup=run_on_startup, paused=paused)
        return self._decorator(config_of(options), timing)

    def interval(
        self,
        *,
        seconds: float,
        leader: LeaderElection | None = None,
        max_lock_seconds: float | None = None,
        min_lock_seconds: float | None = None,
        sync: Lock | TaskLock | LeaderElection | None = None,
        jitter: float = 0.0,
        **options: Unpack[TaskOptions],
    ) -> Callable[[F], F]:
        """Run a function without arguments again and again in every instance, from its start on.

        `seconds` is the time between the end of one run and the start of the next, `jitter` (seconds) the most by
        which each comes later, by chance. Other options are those of `task`, where `name` also names the task lock.

        With `max_lock_seconds` or `leader` instances take turns: one runs it, the others skip it. `leader`: only where
        this election is won; it must be added to the manager. `max_lock_seconds`: others may run it so long after the
        process that did has crashed (at least `seconds`; with a leader 5 times `seconds` if left out); during a run
        the lock is renewed. `min_lock_seconds`: nobody runs it for so long after a run (`seconds` if left out).
        `sync`: a `Lock` that each run waits for and holds. They are taken in the order leader, task lock, lock, each
        only where the one before was had.

        Raises `ConfigError` or `DefinitionError`, both `ValueError`s, for what cannot work.
        """
        between = seconds_between(seconds)
        rules = TurnRules(between, leader, max_lock_seconds, min_lock_seconds, sync)
        return self._decorator(config_of(options), between, rules, check_jitter(jitter))

    def scheduled(
        self,
        *,
        seconds: float,
        max_lock_seconds: float | None = None,
        leader: LeaderElection | None = None,
        **options: Unpack[TaskOptions],
    ) -> Callable[[F], F]:
        """Deprecated: `interval(seconds=N, max_lock_seconds=5 * N, min_lock_seconds=N)`."""
        deprecated("scheduled() is deprecated; use interval() with max_lock_seconds or leader")
        between = seconds_between(seconds)
        most = between * LEASE_INTERVALS if max_lock_seconds is None else max_lock_seconds
        return self._decorator(config_of(options), between, TurnRules(between, leader, most, between, None))

    def include_router(self, router: "TaskRouter", *, prefix: str = "", **defaults: Unpack[TaskOptions]) -> None:
        """Take over what `router` declares, now and later.

        With `prefix` its tasks are named by it and their own name; `defaults` are options below those of the router.
        Raises `DefinitionError` for a name that is taken here, and for a router that would include itself.
        """
        if router is self or router.includes(self):
            raise DefinitionError(f"{router!r} would include itself; include it from one side only")
        options = config_of(defaults)

        def take_over(declaration: _Declaration) -> None:
            self._declare(declaration.within(prefix, options))

        for declaration in router.declarations():
            take_over(declaration)
        self._included.append(router)
        router.tell(take_over)

    # -- what happens then -----------------------------------------------------------------------

    def _decorator(
        self, config: TaskConfig, timing: Timing | float | None, rules: TurnRules | None = None, jitter: float = 0.0
    ) -> Callable[[F], F]:
        def declare(func: F) -> F:
            self._declare(_Declaration(func, config, timing, rules, jitter))
            return func

        return declare

    def _declare(self, declaration: _Declaration) -> None:
        declaration = declaration.within(self._prefix, self._defaults)
        check_options(declaration.config)
        if declaration.timing is None:
            self.registry.register(declaration.func, declaration.config)
        else:
            self._schedule(declaration, declaration.timing)
        self._made.append(declaration)
        for listener in self._listeners:
            listener(declaration)

    def _schedule(self, declaration: _Declaration, timing: Timing | float) -> None:
        func, options = declaration.func, declaration.config
        is_new = not self.registry.is_registered(func)
        if is_new and options.name is not None:
            self._plan.check(options.name)
        definition = self.registry.register(func, options, implied=True) if is_new else self.registry.of(func)
        definition.check_schedulable()
        if options.retention_days is not None and not is_new:
            raise DefinitionError(f"{definition.display_name}: give retention_days to the decorator that declares it")
        name = options.name or definition.identity
        label = None if name == definition.identity else options.name
        options = UNSET if is_new else replace(options, name=label)
        turn = None if declaration.rules is None else declaration.rules.turn(name)
        self._plan.add(Schedule(name, func, timing, options, turn, declaration.jitter))


class TaskRouter(Declarations):
    """Declares tasks, schedules and intervals of one module, for a manager or another router to include.

    `prefix` stands before the names of all of them; one without a name gets that of its function. Any option of
    `TaskConfig` may be given as a default for all of them; `tags` add up.
    """

    def __init__(self, *, prefix: str = "", **defaults: Unpack[TaskOptions]) -> None:
        super().__init__(prefix=prefix, defaults=config_of(defaults))

    def declarations(self) -> list[_Declaration]:
        """What was declared here and on included routers, in its order."""
        return list(self._made)

    def includes(self, other: Declarations) -> bool:
        """Whether `other` was included here, directly or not."""
        return any(
            router is other or (isinstance(router, TaskRouter) and router.includes(other)) for router in self._included
        )

    def tell(self, listener: Callable[[_Declaration], None]) -> None:
        """Tell somebody of what is declared from now on."""
        self._listeners.append(listener)
