"""Locks and leaders: who holds what, with which token, for how long, and who waits; and taking it away."""

import time
from dataclasses import dataclass
from datetime import datetime

from fastapi import APIRouter, Request, Response

from outlive.admin.access import Visitor
from outlive.admin.desk import Desk
from outlive.admin.html import field, place, read_form
from outlive.admin.sessions import PREFIX
from outlive.core.record import moment
from outlive.ports import Lease, LeaseEvent

_KINDS = {"lock": "lock", "tasklock": "task lock", "leader": "leader"}
_EVENTS = 50
_LONGEST_REASON = 200


@dataclass(frozen=True, slots=True)
class LockView:
    """One lease, as its row shows it."""

    lease: Lease
    kind: str
    name: str
    taken: datetime
    left: float
    share: float


@dataclass(frozen=True, slots=True)
class EventView:
    """What happened to a lease."""

    event: LeaseEvent
    kind: str
    name: str
    at: datetime


class LocksPage:
    """`{path}/dashboard/locks`."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    def add_to(self, router: APIRouter) -> None:
        """Its routes."""
        router.add_api_route("/locks", self.show, methods=["GET"])
        router.add_api_route("/locks/release", self.release, methods=["POST"])

    async def show(self, request: Request, user: Visitor) -> Response:
        """What is held, and what happened."""
        leases, now = self._desk.manager.backend.leases, time.time()
        held = [_view(lease, now) for lease in await leases.held(now) if not lease.key.startswith(PREFIX)]
        history = [_event(event) for event in await leases.history(None, _EVENTS) if not event.key.startswith(PREFIX)]
        return await self._desk.pages.render(request, "locks.html", user, active="locks", locks=held, history=history)

    async def release(self, request: Request, user: Visitor) -> Response:
        """Take it from whoever holds it."""
        form = await read_form(request)
        key, reason = field(form, "key"), field(form, "reason").strip()[:_LONGEST_REASON] or "no reason given"
        released = await self._desk.actions.release(user, key, reason)
        told = f"{key} was taken from its holder." if released else f"Nobody holds {key} any more."
        return self._desk.pages.back(request, place(form, "/locks"), told, bad=not released)


def _view(lease: Lease, now: float) -> LockView:
    kind, name = _name(lease.key)
    taken = moment(lease.taken_at)
    assert taken is not None
    left = lease.time_left(now)
    whole = max(lease.expires_at - lease.taken_at, left, 0.001)
    return LockView(lease, kind, name, taken, left, min(left / whole, 1.0))


def _event(event: LeaseEvent) -> EventView:
    kind, name = _name(event.key)
    at = moment(event.at)
    assert at is not None
    return EventView(event, kind, name, at)


def _name(key: str) -> tuple[str, str]:
    kind, colon, name = key.partition(":")
    return (_KINDS[kind], name) if colon and kind in _KINDS else ("lease", key)
