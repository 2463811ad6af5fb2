"""Looking at an application's tasks, and acting on them: pages and JSON over HTTP."""

from outlive.admin.access import AdminUser
from outlive.admin.admin import TaskAdmin
from outlive.admin.credentials import TaskAuthBackend, hash_password

__all__ = ["AdminUser", "TaskAdmin", "TaskAuthBackend", "hash_password"]
