"""Who somebody is to the admin, and what that lets them do."""

import inspect
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Annotated, Literal, cast

from fastapi import Depends, HTTPException, Request

Role = Literal["viewer", "operator", "admin"]

#: What each role may, from looking to everything.
RANKS: dict[str, int] = {"viewer": 0, "operator": 1, "admin": 2}

#: Every action, and the least role for it.
ACTIONS: dict[str, Role] = {
    "task.retry": "operator",
    "task.edit": "operator",
    "task.cancel": "operator",
    "schedule.run": "operator",
    "schedule.pause": "operator",
    "schedule.resume": "operator",
    "schedule.change": "admin",
    "schedule.reset": "admin",
    "schedule.remove": "admin",
    "scheduled.cancel": "operator",
    "queue.pause": "operator",
    "queue.resume": "operator",
    "queue.change": "admin",
    "instance.drain": "operator",
    "instance.resume": "operator",
    "lock.release": "admin",
    "history.delete": "admin",
}

#: The name of somebody who has not said it.
A_PERSON = "a person"

_SCOPE = "outlive_admin_user"


@dataclass(frozen=True, slots=True)
class AdminUser:
    """Somebody who uses the admin. The dependency that is given as `auth` may return one, to tell name and role."""

    name: str
    role: Role = "admin"


#: Asked before every action that the role allows: the person, the action, what it is done to (None: no single thing).
Authorize = Callable[[AdminUser, str, str | None], bool | Awaitable[bool]]


def remember(request: Request, user: AdminUser) -> None:
    """Let the endpoint know whom the guard has let in."""
    request.scope[_SCOPE] = user


def visitor(request: Request) -> AdminUser:
    """Whom the guard has let in."""
    return cast("AdminUser", request.scope[_SCOPE])


Visitor = Annotated[AdminUser, Depends(visitor)]


class Access:
    """Decides about actions: the read-only switch first, then the role, then the application's own hook."""

    def __init__(self, *, read_only: bool = False, authorize: Authorize | None = None) -> None:
        self.read_only = read_only
        self._authorize = authorize

    def may(self, user: AdminUser, action: str) -> bool:
        """Whether to offer an action at all."""
        return not self.read_only and RANKS[user.role] >= RANKS[ACTIONS[action]]

    async def check(self, user: AdminUser, action: str, target: str | None = None) -> None:
        """Raise a 403 unless this person may do this."""
        if self.read_only:
            raise HTTPException(403, "This admin is read-only: TaskAdmin(read_only=True).")
        if not self.may(user, action):
            raise HTTPException(403, f"{action} needs the role {ACTIONS[action]}; {user.name} has {user.role}.")
        if self._authorize is not None:
            allowed = self._authorize(user, action, target)
            if inspect.isawaitable(allowed):
                allowed = await allowed
            if not allowed:
                raise HTTPException(403, f"{user.name} may not do {action} here.")
