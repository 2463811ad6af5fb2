"""SQLite: the embedded backend, one file shared by the processes of one host."""

from outlive.backends.sqlite.backend import SqliteBackend

__all__ = ["SqliteBackend"]
