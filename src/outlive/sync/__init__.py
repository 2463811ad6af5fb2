"""Locks between tasks, processes and machines, on the backend that keeps the tasks."""

from outlive.errors import (
    BackendNotChosenError,
    LockLostError,
    LockNotOwnedError,
    LockReentrantError,
    LockTimeoutError,
    SyncError,
)
from outlive.sync.lock import Lock, ThreadLock
from outlive.sync.refusal import LockHeldError

__all__ = [
    "BackendNotChosenError",
    "Lock",
    "LockHeldError",
    "LockLostError",
    "LockNotOwnedError",
    "LockReentrantError",
    "LockTimeoutError",
    "SyncError",
    "ThreadLock",
]
