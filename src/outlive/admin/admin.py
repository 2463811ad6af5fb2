"""`TaskAdmin`: gives an application its tasks and the routes to look after them."""

import re

from fastapi import FastAPI

from outlive.admin.api import AdminApi
from outlive.admin.guard import Auth, guards
from outlive.errors import ConfigError
from outlive.manager import TaskManager

_PATH = re.compile(r"(/[^/?#{}\s]+)+")
_STATE = "outlive_admin"


class TaskAdmin:
    """Serves the records of `manager` as JSON below `path`, and starts and stops the manager with the application.

    `auth`: None answers only this machine itself, which is right for development. A FastAPI dependency of your own
    guards every route: it raises `HTTPException` for whom it does not let in. False lets everybody in.
    Whichever it is, another site's page cannot act through a visitor's browser.
    `auto_install`: plain `BackgroundTasks` annotations of this application receive `Tasks` too.
    `display_func_args`: show the arguments of tasks, which may be personal or secret, as `arguments`.
    `retention_days`: delete finished records after so many days, as `TaskManager(retention_days=...)` does.

    The routes are added in their turn, after those declared above and before those declared below. An application has
    one `TaskAdmin`; a second raises `ConfigError`.
    """

    def __init__(
        self,
        app: FastAPI,
        manager: TaskManager,
        path: str = "/tasks",
        *,
        display_func_args: bool = False,
        auto_install: bool = False,
        auth: Auth = None,
        retention_days: float | None = None,
    ) -> None:
        _check(app, path)
        router = AdminApi(manager, shows_arguments=display_func_args).router(path, guards(auth))
        if retention_days is not None:
            manager.set_retention(retention_days)
        manager.init_app(app, install=auto_install)
        app.include_router(router)
        self.app = app
        self.manager = manager
        self.path = path
        #: Every route of the admin; the guard stands on this router.
        self.router = router
        setattr(app.state, _STATE, self)


def _check(app: FastAPI, path: str) -> None:
    if _PATH.fullmatch(path) is None:
        raise ConfigError(f"path={path!r} does not name a place of the admin's own; give one such as '/tasks'")
    other = getattr(app.state, _STATE, None)
    if other is not None:
        raise ConfigError(f"this application has a TaskAdmin already, at {other.path!r}; create only one")
