"""Functions in processes of their own, which can be killed one by one."""

from outlive.executors.process.executor import ProcessExecutor

__all__ = ["ProcessExecutor"]
