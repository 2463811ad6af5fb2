"""The options of a task and the one rule that merges them."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any, Self, TypedDict

from outlive.core.checks import CHECKS
from outlive.core.queues import DEFAULT_QUEUE, parse_rate
from outlive.core.retry import RetryOn, RetryPolicy
from outlive.errors import ConfigError

#: Called as `handler(task, exception)` once, after the last attempt failed.
TaskErrorHandler = Callable[[Any, BaseException], Awaitable[Any] | Any]
#: Text, or a function of the task's arguments.
ConcurrencyKey = str | Callable[..., str | None]


@dataclass(frozen=True, slots=True)
class TaskConfig:
    """Options of a task; None means "not said here", and what is said nearer to the call wins.

    The order is: call over definition over router over manager over `DEFAULTS`.
    """

    #: On a definition its identity, on a call a label that screens show.
    name: str | None = None
    #: Additional attempts after the first failure. Default 0.
    retries: int | None = None
    #: Seconds before the first retry. Default 0.
    delay: float | None = None
    #: Factor on the delay for each further retry. Default 1.
    backoff: float | None = None
    #: Longest wait in seconds between two attempts. Default: none.
    max_delay: float | None = None
    #: Share of the delay (0 to 1) that is drawn by chance. Default 0.
    retry_jitter: float | None = None
    #: Exception types, or a predicate, that are retried. Default: every `Exception`.
    retry_on: RetryOn | None = None
    #: Seconds that one attempt may take. Default: no limit.
    timeout: float | None = None
    #: `"async"`, `"thread"` or `"process"`. Default: async or thread, by the function's signature.
    executor: str | None = None
    #: Higher runs first. Default: 0, and on `add_task` the route of the seeds.
    priority: int | None = None
    #: Queue the task waits in. Default `"default"`.
    queue: str | None = None
    #: Tasks with the same key run one at a time, or `concurrency_limit` at a time, in all instances together: text, or
    #: a function of the task's arguments that gives it (None: no limit for this one).
    concurrency_key: ConcurrencyKey | None = None
    #: How many with one `concurrency_key` may run at once. Default 1.
    concurrency_limit: int | None = None
    #: How many runs of the function may start in which time, in all instances together: `"10/s"`, `"100/5m"`.
    rate_limit: str | None = None
    #: Labels, text to text.
    tags: Mapping[str, str] | None = None
    #: Store the record in the durable backend when it is accepted. Default: yes where there is one.
    persist: bool | None = None
    #: `add_task` starts the task at once instead of after the response. Default no.
    eager: bool | None = None
    #: The task may be run again if its process died while it ran. Default no.
    requeue_on_interrupt: bool | None = None
    #: Let the task finish at shutdown, up to the manager's `shutdown_timeout`. Default no.
    shield: bool | None = None
    #: Called with the task and the exception after the last attempt failed.
    on_error: TaskErrorHandler | None = None
    #: At most one live or successful record may hold it.
    idempotency_key: str | None = None
    #: Not before this moment; a naive datetime is UTC.
    run_at: datetime | None = None
    #: Not before this many seconds from acceptance.
    run_in: float | None = None
    #: Run `after_*` tasks even if the endpoint raised. Default no.
    even_on_error: bool | None = None
    #: Days that finished records of the function are kept; only on definitions and routers. Default: as the manager's.
    retention_days: float | None = None

    def __post_init__(self) -> None:
        _refuse_wrong(self)
        if self.tags is not None:
            object.__setattr__(self, "tags", dict(self.tags))  # the caller may go on to change its own

    @property
    def shielded(self) -> bool:
        """Whether `shield` is set."""
        return bool(self.shield)

    def merge(self, other: "TaskConfig | None") -> "TaskConfig":
        """A new config in which every option that `other` sets wins."""
        if other is None or other is UNSET:
            return self
        if self is UNSET:
            return other
        merged = object.__new__(type(self))  # not by `replace`: what either says was checked when it was made
        for name in OPTION_NAMES:
            value = getattr(other, name)
            object.__setattr__(merged, name, getattr(self, name) if value is None else value)
        _refuse_two_moments(merged)
        return merged

    def given(self) -> dict[str, Any]:
        """The options that are set here."""
        return {name: value for name in OPTION_NAMES if (value := getattr(self, name)) is not None}

    def effective(self) -> "EffectiveConfig":
        """What the runtime goes by: every option with its value."""
        return EffectiveConfig.of(DEFAULTS.merge(self))


OPTION_NAMES = tuple(field.name for field in fields(TaskConfig))
#: What a call says of its record, and not of how it runs.
OF_THE_RECORD = frozenset({"name", "idempotency_key"})


def _refuse_wrong(config: TaskConfig) -> None:
    for name, (suits, advice) in CHECKS.items():
        value = getattr(config, name)
        if value is not None and not suits(value):
            raise ConfigError(f"{name}={value!r} {advice}")
    if config.rate_limit is not None:
        parse_rate(config.rate_limit)
    _refuse_two_moments(config)


def _refuse_two_moments(config: TaskConfig) -> None:
    if config.run_at is not None and config.run_in is not None:
        raise ConfigError("run_at and run_in say the same thing twice; give one of them")


UNSET = TaskConfig()


class TaskOptions(TypedDict, total=False):
    """The options of `TaskConfig` as keyword arguments; a test holds the two together."""

    name: str | None
    retries: int | None
    delay: float | None
    backoff: float | None
    max_delay: float | None
    retry_jitter: float | None
    retry_on: RetryOn | None
    timeout: float | None
    executor: str | None
    priority: int | None
    queue: str | None
    concurrency_key: ConcurrencyKey | None
    concurrency_limit: int | None
    rate_limit: str | None
    tags: Mapping[str, str] | None
    persist: bool | None
    eager: bool | None
    requeue_on_interrupt: bool | None
    shield: bool | None
    on_error: TaskErrorHandler | None
    idempotency_key: str | None
    run_at: datetime | None
    run_in: float | None
    even_on_error: bool | None
    retention_days: float | None


def config_of(options: TaskOptions) -> TaskConfig:
    """The config of keyword arguments; `ConfigError` names one that does not exist."""
    for name in options:
        if name not in OPTION_NAMES:
            raise ConfigError(f"{name!r} is not an option of a task; known are {', '.join(OPTION_NAMES)}")
    return TaskConfig(**options) if options else UNSET


DEFAULTS = TaskConfig(
    retries=0,
    delay=0.0,
    backoff=1.0,
    retry_jitter=0.0,
    retry_on=Exception,
    queue=DEFAULT_QUEUE,
    tags={},
    eager=False,
    requeue_on_interrupt=False,
    shield=False,
    even_on_error=False,
)


@dataclass(frozen=True, slots=True)
class EffectiveConfig:
    """The merged options with concrete types."""

    merged: TaskConfig
    retry: RetryPolicy
    timeout: float | None
    queue: str
    concurrency_key: ConcurrencyKey | None
    concurrency_limit: int
    #: How many starts in how many seconds.
    rate: tuple[int, float] | None
    #: Whether starts of such a run have to be permitted.
    is_limited: bool
    priority: int | None
    tags: Mapping[str, str]
    persist: bool | None
    eager: bool
    requeue_on_interrupt: bool
    shield: bool
    on_error: TaskErrorHandler | None
    even_on_error: bool

    @classmethod
    def of(cls, merged: TaskConfig) -> Self:
        """Read a config that was merged over `DEFAULTS`."""
        return cls(
            merged=merged,
            retry=RetryPolicy(
                retries=merged.retries or 0,
                delay=merged.delay or 0.0,
                backoff=1.0 if merged.backoff is None else merged.backoff,
                max_delay=merged.max_delay,
                jitter=merged.retry_jitter or 0.0,
                retry_on=Exception if merged.retry_on is None else merged.retry_on,
            ),
            timeout=merged.timeout,
            queue=merged.queue or DEFAULT_QUEUE,
            concurrency_key=merged.concurrency_key,
            concurrency_limit=merged.concurrency_limit or 1,
            rate=None if merged.rate_limit is None else parse_rate(merged.rate_limit),
            is_limited=merged.concurrency_key is not None or merged.rate_limit is not None,
            priority=merged.priority,
            tags=merged.tags or {},
            persist=merged.persist,
            eager=bool(merged.eager),
            requeue_on_interrupt=bool(merged.requeue_on_interrupt),
            shield=bool(merged.shield),
            on_error=merged.on_error,
            even_on_error=bool(merged.even_on_error),
        )
