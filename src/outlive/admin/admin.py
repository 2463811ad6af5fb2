"""`TaskAdmin`: gives an application its tasks, and the pages and routes to look after them."""

import re

from fastapi import FastAPI

from outlive.admin.access import Access, Authorize
from outlive.admin.actions import Actions
from outlive.admin.api import AdminApi
from outlive.admin.api_v1 import ApiV1
from outlive.admin.assets import Assets
from outlive.admin.desk import Desk
from outlive.admin.guard import Auth, guards, password_backend, place_guards, who_is_let_in
from outlive.admin.html import Frame, Pages
from outlive.admin.pages.routers import guarded_router, open_router
from outlive.admin.sampler import Sampler
from outlive.admin.sessions import Sessions
from outlive.errors import ConfigError
from outlive.manager import TaskManager
from outlive.web.traces import Traces

_PATH = re.compile(r"(/[^/?#{}\s]+)+")
_STATE = "outlive_admin"


class TaskAdmin:
    """Serves a dashboard at `path`/dashboard and the same as JSON at `path`; the manager lives with the application.

    `auth`: None answers only this machine itself, which is right for development. `("name", "password")`, a list of
    such pairs (a third part is the role: `viewer`, `operator` or `admin`; `hash_password` makes what may stand for a
    password) or a `TaskAuthBackend` gives the admin a login of its own. A FastAPI dependency of yours guards every
    route: it raises `HTTPException` for whom it does not let in, and may return an `AdminUser`. False lets everybody
    in. Whichever it is, another site's page cannot act through a visitor's browser.

    `title`: what pages call themselves. `token_expiry`: seconds that a login lasts, default a day. `secret_key`: mixed
    into what is kept of a login; another key ends all logins. `display_func_args`: show the arguments of tasks, which
    may be personal or secret. `poll_interval`: seconds after which a page looks again also where nothing was heard.
    `read_only`: look, but do nothing. `authorize`: called before every action as `authorize(user, action, target)`,
    False refuses it. `auto_install`: plain `BackgroundTasks` annotations of this application receive `Tasks` too.
    `retention_days`: delete finished records after so many days, as `TaskManager(retention_days=...)` does.

    The routes are added in their turn, after those declared above and before those declared below. An application has
    one `TaskAdmin`; a second raises `ConfigError`.
    """

    def __init__(  # noqa: PLR0913 - the options of the product, one name each
        self,
        app: FastAPI,
        manager: TaskManager,
        path: str = "/tasks",
        *,
        auth: Auth = None,
        title: str = "Tasks",
        secret_key: str | bytes | None = None,
        token_expiry: float = 86_400.0,
        display_func_args: bool = False,
        poll_interval: float = 30.0,
        retention_days: float | None = None,
        auto_install: bool = False,
        read_only: bool = False,
        authorize: Authorize | None = None,
    ) -> None:
        _check(app, path)
        _check_seconds(token_expiry=token_expiry, poll_interval=poll_interval)
        passwords = password_backend(auth)
        sessions = Sessions(lambda: manager.backend.leases, token_expiry, secret_key)
        access = Access(read_only=read_only, authorize=authorize)
        frame = Frame(path, title, poll_interval, passwords is not None, access, Assets())
        desk = Desk(
            manager, Actions(manager, access), Pages(frame), Sampler(manager), sessions, passwords, display_func_args
        )
        if retention_days is not None:
            manager.set_retention(retention_days)
        manager.traces = manager.traces or Traces()
        manager.init_app(app, install=auto_install)
        self.app = app
        self.manager = manager
        self.path = path
        #: Who is let in, and whether they see arguments; for `outlive doctor`.
        self.lets_in = who_is_let_in(auth)
        self.shows_arguments = display_func_args
        guarding = guards(auth, sessions, passwords)
        #: The JSON at `path`, the versioned JSON and the screens: only for those whom the guard lets in.
        self.router = AdminApi(desk).router(path, guarding)
        self.api = ApiV1(desk).router(path, guarding)
        self.screens = guarded_router(desk, path, guarding)
        #: The login and the files that its page needs.
        self.entrance = open_router(desk, path, place_guards(auth))
        for router in (self.entrance, self.screens, self.api, self.router):
            app.include_router(router, include_in_schema=False)
        setattr(app.state, _STATE, self)


def admin_of(app: FastAPI) -> TaskAdmin | None:
    """The admin of an application, None where it has none."""
    admin: TaskAdmin | None = getattr(app.state, _STATE, None)
    return admin


def _check(app: FastAPI, path: str) -> None:
    if _PATH.fullmatch(path) is None:
        raise ConfigError(f"path={path!r} does not name a place of the admin's own; give one such as '/tasks'")
    other = admin_of(app)
    if other is not None:
        raise ConfigError(f"this application has a TaskAdmin already, at {other.path!r}; create only one")


def _check_seconds(**options: float) -> None:
    for name, value in options.items():
        if value <= 0:
            raise ConfigError(f"{name}={value!r} must be more than 0 seconds")
