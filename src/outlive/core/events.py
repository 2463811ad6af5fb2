"""What the runtime reports. It emits these values; `observers` turn them into log lines and the like."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from outlive.core.states import TaskStatus


@dataclass(frozen=True, slots=True)
class LogEvent:
    """A task has called `task_log`."""

    task_id: str
    func_name: str
    message: str
    #: debug, info, warning or error.
    level: str
    timestamp: datetime
    #: 0 for the first attempt.
    attempt: int
    tags: Mapping[str, str] = field(default_factory=dict[str, str])
    #: What `task_log` was given beside the message.
    extra: Mapping[str, Any] = field(default_factory=dict[str, Any])


@dataclass(frozen=True, slots=True)
class LifecycleEvent:
    """A task has begun its first attempt, or has ended: success, failed, cancelled while it ran, or interrupted."""

    task_id: str
    func_name: str
    status: TaskStatus
    timestamp: datetime
    #: 0 for the first attempt.
    attempt: int
    retries_used: int
    #: Seconds that the last attempt took, None while it runs.
    duration: float | None = None
    error: str | None = None
    stacktrace: str | None = None
    tags: Mapping[str, str] = field(default_factory=dict[str, str])
    queue: str = "default"


@dataclass(frozen=True, slots=True)
class EventsDropped:
    """An observer was so far behind that it will never be told of so many events."""

    observer: str
    count: int


@dataclass(frozen=True, slots=True)
class ObserverFailed:
    """An observer raised; nobody but itself is touched by it."""

    observer: str
    #: What it was told, or `startup` or `close`.
    during: str
    error: BaseException


@dataclass(frozen=True, slots=True)
class AttemptFailed:
    """An attempt raised; `will_retry_in` is None after the last one."""

    task_id: str
    func_name: str
    label: str | None
    attempt: int
    error: BaseException
    will_retry_in: float | None


@dataclass(frozen=True, slots=True)
class ErrorHandlerFailed:
    """An `on_error` handler raised; the task's own fate is not touched by it."""

    task_id: str
    func_name: str
    error: BaseException


@dataclass(frozen=True, slots=True)
class AttemptOverran:
    """A thread went past its timeout; its attempt ends when the body does, since a thread cannot be killed."""

    task_id: str
    func_name: str
    timeout: float


@dataclass(frozen=True, slots=True)
class LeaseLost:
    """A move of this instance was refused because the record has moved on (rescued, started elsewhere)."""

    task_id: str
    func_name: str


@dataclass(frozen=True, slots=True)
class TurnSkipped:
    """An interval did not run this time, since somebody else leads or has its task lock."""

    interval: str
    reason: str


@dataclass(frozen=True, slots=True)
class TurnLost:
    """An interval lost the leadership or the task lock while it ran; its run was cancelled."""

    interval: str
    error: BaseException


@dataclass(frozen=True, slots=True)
class InstanceRescued:
    """A dead instance's records were taken from it."""

    instance: str
    requeued: int
    interrupted: int


@dataclass(frozen=True, slots=True)
class CannotRun:
    """A record stays pending because this process cannot run it."""

    task_id: str
    func: str
    reason: str


@dataclass(frozen=True, slots=True)
class NotRepeated:
    """A record is interrupted, because instance after instance has died while it ran."""

    task_id: str
    func_name: str
    reason: str


@dataclass(frozen=True, slots=True)
class BackendTrouble:
    """The backend refuses writes; those that must not be lost are held and tried again."""

    error: BaseException
    waiting: int


@dataclass(frozen=True, slots=True)
class BackendRecovered:
    """The backend takes writes again."""


@dataclass(frozen=True, slots=True)
class ServiceFailed:
    """A step of a background service raised; it goes on after a pause."""

    service: str
    error: BaseException


@dataclass(frozen=True, slots=True)
class SlotsMissed:
    """Slots of a schedule became no run."""

    schedule: str
    missed: int
    reason: str


@dataclass(frozen=True, slots=True)
class ScheduleFailed:
    """A schedule could not be fired; it is tried again, and the others go on."""

    schedule: str
    error: BaseException


RuntimeEvent = (
    AttemptFailed
    | ErrorHandlerFailed
    | AttemptOverran
    | LeaseLost
    | TurnSkipped
    | TurnLost
    | InstanceRescued
    | CannotRun
    | NotRepeated
    | BackendTrouble
    | BackendRecovered
    | ServiceFailed
    | SlotsMissed
    | ScheduleFailed
    | LogEvent
    | LifecycleEvent
    | EventsDropped
    | ObserverFailed
)
