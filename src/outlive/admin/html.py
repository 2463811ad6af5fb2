"""Turns templates into answers: one environment, one set of headers, addresses that work under any prefix."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from importlib.resources import files
from typing import Any, cast
from urllib.parse import parse_qsl, quote, unquote, urlencode

from fastapi import HTTPException, Request
from fastapi.responses import HTMLResponse, RedirectResponse
from jinja2 import DictLoader, Environment, StrictUndefined

from outlive.admin import words
from outlive.admin.access import Access, AdminUser
from outlive.admin.assets import Assets
from outlive.admin.parts import in_parts
from outlive.core.record import TaskRecord, moment

#: No script but our own files, no style but our own files, nothing from anywhere else, in no other page's frame.
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; form-action 'self'; "
    "frame-ancestors 'none'; base-uri 'none'"
)
HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    # With less than this an older browser sends no Origin, by which its forms are told from those of other sites.
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cache-Control": "no-store",
}

#: What the next page tells about what was just done.
_FLASH = "outlive_flash"
_FLASH_SECONDS = 30
_FLASH_LONGEST = 1000
_THEME = "outlive_theme"

#: A form is no larger than this.
_FORM_BYTES = 1_000_000

NAVIGATION = (
    ("overview", "", "Overview"),
    ("tasks", "/tasks", "Tasks"),
    ("requests", "/requests", "Requests"),
    ("errors", "/errors", "Errors"),
    ("dead", "/dead-letters", "Dead letters"),
    ("schedules", "/schedules", "Schedules"),
    ("functions", "/functions", "Functions"),
    ("slots", "/queues", "Queues"),
    ("instances", "/instances", "Instances"),
    ("locks", "/locks", "Locks"),
    ("audit", "/audit", "Audit"),
)


@dataclass(frozen=True, slots=True)
class Frame:
    """What is the same on all pages of one admin."""

    path: str
    title: str
    poll_interval: float
    has_login: bool
    access: Access
    assets: Assets


class Pages:
    """Renders the pages of one admin."""

    def __init__(self, frame: Frame) -> None:
        self.frame = frame
        self._environment = _environment()  # read now: a page must not wait for a disk

    async def render(
        self, request: Request, template: str, user: AdminUser | None, *, code: int = 200, **values: Any
    ) -> HTMLResponse:
        """One page."""
        now = datetime.now(UTC)
        flash = _read_flash(request)
        pieces = self._environment.get_template(template).generate(
            values | {"page": _Page(self.frame, request, user, now), "now": now, "flash": flash}
        )
        response = HTMLResponse("".join(await in_parts(pieces)), code, HEADERS)
        if flash is not None:
            response.delete_cookie(_FLASH, self.base(request))
        return response

    def base(self, request: Request) -> str:
        """The address of the admin as the browser knows it, without host."""
        return quote(str(request.scope.get("root_path", "")).rstrip("/") + self.frame.path)

    def back(self, request: Request, to: str, told: str, *, bad: bool = False) -> RedirectResponse:
        """Send the browser on to another page, which tells what was done. `to` is below the dashboard."""
        response = RedirectResponse(f"{self.base(request)}/dashboard{to}", 303, HEADERS)
        text = quote(f"{'bad' if bad else 'good'}:{told[:_FLASH_LONGEST]}")
        secure = is_secure(request)
        response.set_cookie(
            _FLASH, text, _FLASH_SECONDS, path=self.base(request), secure=secure, httponly=True, samesite="lax"
        )
        return response


@dataclass(frozen=True, slots=True)
class _Page:
    """What templates ask about the request."""

    frame: Frame
    request: Request
    user: AdminUser | None
    now: datetime

    @property
    def base(self) -> str:
        return quote(str(self.request.scope.get("root_path", "")).rstrip("/") + self.frame.path)

    @property
    def theme(self) -> str | None:
        theme = self.request.cookies.get(_THEME)
        return theme if theme in ("light", "dark") else None

    @property
    def here(self) -> str:
        """Where this page is, below the dashboard."""
        path = self.request.url.path.partition("/dashboard")[2]
        return f"{path}?{self.request.url.query}" if self.request.url.query else path

    def url(self, place: str = "", **query: Any) -> str:
        """The address of a place below the dashboard."""
        given = [(name, value) for name, value in query.items() if value not in (None, "")]
        return f"{self.base}/dashboard{quote(place)}" + (f"?{urlencode(given)}" if given else "")

    def asset(self, name: str) -> str:
        return f"{self.base}/dashboard/{self.frame.assets.path(name)}"

    def may(self, action: str) -> bool:
        return self.user is not None and self.frame.access.may(self.user, action)

    def ago(self, moment: datetime) -> str:
        return words.ago(moment, self.now)


@cache
def _environment() -> Environment:
    """One for all admins of a process: a template is compiled when its page is shown for the first time."""
    environment = Environment(
        loader=DictLoader(_sources()),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=StrictUndefined,
    )
    environment.filters |= {
        "seconds": words.seconds,
        "number": words.number,
        "percent": words.percent,
        "clock": words.clock,
    }
    cast("dict[str, Any]", environment.globals).update(navigation=NAVIGATION, name_of=name_of, moment_of=moment)
    return environment


def _sources() -> dict[str, str]:
    folder = files("outlive.admin") / "templates"
    return {one.name: one.read_text(encoding="utf-8") for one in folder.iterdir() if one.name.endswith(".html")}


def name_of(record: TaskRecord) -> str:
    """What a person calls a run."""
    return f"{record.func_name}: {record.label}" if record.label else record.func_name


def is_secure(request: Request) -> bool:
    """Whether the browser came by TLS, as far as this side or the proxy in front of it can tell."""
    forwarded = request.headers.get("x-forwarded-proto", "").partition(",")[0].strip()
    return "https" in (request.url.scheme, forwarded)


async def read_form(request: Request) -> Mapping[str, list[str]]:
    """The fields of a form as a browser sends it."""
    body = b""
    async for chunk in request.stream():
        body += chunk
        if len(body) > _FORM_BYTES:
            raise HTTPException(413, f"a form may have {_FORM_BYTES:,} bytes")
    try:
        fields = parse_qsl(body.decode("ascii"), keep_blank_values=True, max_num_fields=20_000)
    except ValueError as error:
        raise HTTPException(400, "this is no form as a browser sends it") from error
    form: dict[str, list[str]] = {}
    for name, value in fields:
        form.setdefault(name, []).append(value)
    return form


def field(form: Mapping[str, list[str]], name: str, default: str = "") -> str:
    """One field of a form."""
    return form.get(name, [default])[0]


def place(form: Mapping[str, list[str]], default: str) -> str:
    """Where a form wants to go afterwards: a place below the dashboard, and never another site."""
    wanted = field(form, "next", default)
    return wanted if wanted == "" or wanted[0] in "/?" else default


def _read_flash(request: Request) -> tuple[str, str] | None:
    if "hx-request" in request.headers:
        return None
    kind, colon, text = unquote(request.cookies.get(_FLASH, "")).partition(":")
    return (kind, text[:_FLASH_LONGEST]) if colon and kind in ("good", "bad") else None
