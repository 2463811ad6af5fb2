"""Every error that outlive raises. One root; each message names the value that was wrong and the remedy."""

from collections.abc import Awaitable, Callable, Sequence


class OutliveError(Exception):
    """Root of all errors of outlive."""


class ConfigError(OutliveError, ValueError):
    """An option has a value that cannot work; raised where the option is given."""


class DefinitionError(OutliveError, ValueError):
    """A function cannot be declared as a task in this way; raised at declaration."""


class NotInitializedError(OutliveError, RuntimeError):
    """The application or the manager was not prepared for background tasks; call `manager.init_app(app)`."""


class FrameworkChangedError(OutliveError, RuntimeError):
    """FastAPI no longer offers the one seam through which `Tasks` is injected."""


class TaskArgumentError(OutliveError, ValueError):
    """An argument of a task cannot be stored and brought back unchanged; nothing was accepted."""


class EncryptionError(TaskArgumentError):
    """What is stored of a task is encrypted, and no key that is there decrypts it; nothing was changed."""


class ResultNotStoredError(OutliveError, LookupError):
    """The function has returned something that is not there any more; the message says why."""


class MissingExtraError(OutliveError, ImportError):
    """A library that an option needs is not installed; the message names the extra that brings it."""


class BackendError(OutliveError):
    """A backend could not do what was asked of it."""


class BackendUnavailableError(BackendError):
    """The backend cannot be written at the moment (disk full, locked, read-only, gone); nothing was changed."""


class BackendInDoubtError(BackendUnavailableError):
    """The connection broke while moves were applied, and nobody can say yet whether they were.

    `ask_again` finds out: it applies them unless that has happened, once, and has their answers in either case; it
    raises this error again while the backend is away.
    """

    def __init__(self, message: str, ask_again: Callable[[], Awaitable[Sequence[bool]]]) -> None:
        super().__init__(message)
        self.ask_again = ask_again


class BackendLockedError(BackendUnavailableError):
    """Another transaction keeps the database locked; nothing was changed."""


class BackendCorruptError(BackendError):
    """The database file is damaged or is not a database of outlive."""


class QueueFullError(OutliveError):
    """A queue has no room for another task."""


class UnknownQueueError(ConfigError):
    """The manager declares its queues, and none has this name."""


class JournalFullError(QueueFullError):
    """More writes are waiting than the journal may hold; the task was not accepted and left no record."""


class TaskFailed(OutliveError):  # noqa: N818 - names what happened to the task, as the awaiting code reads it
    """The awaited task ended without success; the original exception is the cause where there is one."""


class WouldDeadlockError(OutliveError, RuntimeError):
    """Code waits for what can only happen after it has gone on, e.g. an endpoint for a task that starts after it."""


class IllegalTransitionError(OutliveError):
    """The state table has no such move."""


class UnknownTaskError(OutliveError, KeyError):
    """No record has this id."""

    def __str__(self) -> str:
        return str(self.args[0]) if self.args else ""


class UnknownScheduleError(OutliveError, KeyError):
    """No schedule has this name, or none that can do what was asked."""

    def __str__(self) -> str:
        return str(self.args[0]) if self.args else ""


class ScheduleConflictError(OutliveError):
    """The name of a schedule is taken, or code declares what was to be changed at run time."""


class TaskStateError(OutliveError):
    """The record is not in a state that allows what was asked."""


class TaskConflictError(TaskStateError):
    """The record has ended, but cannot run again: it cannot be rebuilt, or another one holds its idempotency key."""


class SyncError(OutliveError):
    """A lock, a task lock or an election could not do what was asked of it."""


class LockTimeoutError(SyncError, TimeoutError):
    """It did not become free within the time that the caller wanted to wait."""


class LockReentrantError(SyncError, RuntimeError):
    """The task or thread that asks has it already, and would wait for itself."""


class LockNotOwnedError(SyncError, RuntimeError):
    """The task or thread that gives it back, or asks for its token, does not have it."""


class LockLostError(LockNotOwnedError):
    """The lease ended under its holder: it could not be renewed in time, or somebody forced it away."""


class BackendNotChosenError(SyncError, NotInitializedError):
    """Nothing says which backend a lock or an election is to use."""


class ElectionNotRunningError(SyncError, RuntimeError):
    """Somebody asks who leads, but the election was not started in this process or has been stopped."""


class LeadershipLostError(LockLostError):
    """The process led when the block began and leads no more."""
