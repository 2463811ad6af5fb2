"""Locks between tasks, processes and machines, on the backend that keeps the tasks."""

from outlive.errors import (
    BackendNotChosenError,
    ElectionNotRunningError,
    LeadershipLostError,
    LockLostError,
    LockNotOwnedError,
    LockReentrantError,
    LockTimeoutError,
    SyncError,
)
from outlive.ports import Lease, LeaseEvent
from outlive.sync.election import LeaderElection
from outlive.sync.lock import Lock, ThreadLock
from outlive.sync.refusal import LockHeldError
from outlive.sync.task_lock import TaskLock, ThreadTaskLock

__all__ = [
    "BackendNotChosenError",
    "ElectionNotRunningError",
    "LeaderElection",
    "LeadershipLostError",
    "Lease",
    "LeaseEvent",
    "Lock",
    "LockHeldError",
    "LockLostError",
    "LockNotOwnedError",
    "LockReentrantError",
    "LockTimeoutError",
    "SyncError",
    "TaskLock",
    "ThreadLock",
    "ThreadTaskLock",
]
