"""Looking at an application's tasks, and acting on them, over HTTP."""

from outlive.admin.admin import TaskAdmin

__all__ = ["TaskAdmin"]
