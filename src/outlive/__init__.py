"""Background tasks for FastAPI that outlive the request, the process and the machine."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from outlive.backends.memory import MemoryBackend
from outlive.backends.sqlite import SqliteBackend
from outlive.core.config import TaskConfig, TaskErrorHandler
from outlive.core.events import LifecycleEvent, LogEvent
from outlive.core.filter import Page, TaskFilter
from outlive.core.progress import Progress
from outlive.core.queues import QueueConfig
from outlive.core.record import TaskRecord
from outlive.core.states import TaskStatus
from outlive.definitions.context import TaskContext, cancelled, get_task_context, progress, task_log
from outlive.definitions.registry import TaskRegistry
from outlive.definitions.task import Task
from outlive.errors import (
    BackendUnavailableError,
    ConfigError,
    DefinitionError,
    EncryptionError,
    JournalFullError,
    MissingExtraError,
    NotInitializedError,
    OutliveError,
    QueueFullError,
    ScheduleConflictError,
    TaskArgumentError,
    TaskFailed,
    TaskStateError,
    UnknownQueueError,
    UnknownScheduleError,
    UnknownTaskError,
    WouldDeadlockError,
)
from outlive.manager import TaskManager, add_tasks
from outlive.observers.attach import TaskLogHandler
from outlive.observers.file import FileLogger
from outlive.observers.memory import InMemoryLogger
from outlive.observers.observer import TaskObserver
from outlive.observers.stdout import StdoutLogger
from outlive.ports import Backend
from outlive.router import TaskRouter
from outlive.runtime.logger_chain import LoggerChain
from outlive.runtime.planner import ScheduledOnce
from outlive.runtime.queue_control import QueueInfo
from outlive.runtime.schedule_info import ScheduleInfo
from outlive.web.tasks import ManagedBackgroundTasks, Tasks

if TYPE_CHECKING:
    from outlive.admin import AdminUser, TaskAdmin, TaskAuthBackend, hash_password
    from outlive.backends.postgres import PostgresBackend
    from outlive.backends.redis import RedisBackend
    from outlive.status import StatusRouter

#: The name of taskflow's backend protocol; subclasses of the old protocol cannot promise what a `Backend` does.
SnapshotBackend = Backend

__all__ = [
    "AdminUser",
    "Backend",
    "BackendUnavailableError",
    "ConfigError",
    "DefinitionError",
    "EncryptionError",
    "FileLogger",
    "InMemoryLogger",
    "JournalFullError",
    "LifecycleEvent",
    "LogEvent",
    "LoggerChain",
    "ManagedBackgroundTasks",
    "MemoryBackend",
    "MissingExtraError",
    "NotInitializedError",
    "OutliveError",
    "Page",
    "PostgresBackend",
    "Progress",
    "QueueConfig",
    "QueueFullError",
    "QueueInfo",
    "RedisBackend",
    "ScheduleConflictError",
    "ScheduleInfo",
    "ScheduledOnce",
    "SnapshotBackend",
    "SqliteBackend",
    "StatusRouter",
    "StdoutLogger",
    "Task",
    "TaskAdmin",
    "TaskArgumentError",
    "TaskAuthBackend",
    "TaskConfig",
    "TaskContext",
    "TaskErrorHandler",
    "TaskFailed",
    "TaskFilter",
    "TaskLogHandler",
    "TaskManager",
    "TaskObserver",
    "TaskRecord",
    "TaskRegistry",
    "TaskRouter",
    "TaskStateError",
    "TaskStatus",
    "Tasks",
    "UnknownQueueError",
    "UnknownScheduleError",
    "UnknownTaskError",
    "WouldDeadlockError",
    "add_tasks",
    "cancelled",
    "get_task_context",
    "hash_password",
    "progress",
    "task_log",
]

#: What not every process needs, and where it is: drivers that may be missing, and what makes pages and streams.
_ON_DEMAND = {
    "AdminUser": "outlive.admin",
    "PostgresBackend": "outlive.backends.postgres",
    "RedisBackend": "outlive.backends.redis",
    "StatusRouter": "outlive.status",
    "TaskAdmin": "outlive.admin",
    "TaskAuthBackend": "outlive.admin",
    "hash_password": "outlive.admin",
}


def __getattr__(name: str) -> Any:
    if name in _ON_DEMAND:
        return getattr(import_module(_ON_DEMAND[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
