"""Signing in and out."""

from collections.abc import Mapping

from fastapi import APIRouter, HTTPException, Request, Response
from fastapi.responses import RedirectResponse

from outlive.admin.credentials import TaskAuthBackend, authenticate
from outlive.admin.desk import Desk
from outlive.admin.html import HEADERS, field, is_secure, place, read_form
from outlive.admin.sessions import COOKIE, Brake

#: Longer ones are not looked at: deriving a key from a megabyte costs time.
_LONGEST = 1000


class LoginPage:
    """`{path}/auth/login` and `{path}/auth/logout`."""

    def __init__(self, desk: Desk, passwords: TaskAuthBackend) -> None:
        self._desk = desk
        self._passwords = passwords
        self._brake = Brake(lambda: desk.manager.backend.leases)

    def add_to(self, router: APIRouter) -> None:
        """Its routes."""
        router.add_api_route("/auth/login", self.show, methods=["GET"])
        router.add_api_route("/auth/login", self.sign_in, methods=["POST"])
        router.add_api_route("/auth/logout", self.sign_out, methods=["POST"])

    async def show(self, request: Request, next: str = "") -> Response:  # noqa: A002 - what the address says
        """The form."""
        return await self._form(request, after=next)

    async def sign_in(self, request: Request) -> Response:
        """Check name and password; a session, or the form again."""
        form = await read_form(request)
        name, password = field(form, "username")[:_LONGEST], field(form, "password")[:_LONGEST]
        sources = (f"name {name}", f"address {request.client.host if request.client else ''}")
        try:
            await self._brake.count(*sources)
        except HTTPException as error:
            response = await self._form(request, field(form, "next"), name, str(error.detail), error.status_code)
            response.headers.update(error.headers or {})
            return response
        user = await authenticate(self._passwords, name, password)
        if user is None:
            return await self._form(
                request, field(form, "next"), name, "That name and password do not belong together.", 401
            )
        await self._brake.forgive(*sources)
        return await self._signed_in(request, form, name)

    async def sign_out(self, request: Request) -> Response:
        """End the session, in every process."""
        token = request.cookies.get(COOKIE)
        if token:
            await self._desk.sessions.close(token)
        base = self._desk.pages.base(request)
        response = RedirectResponse(f"{base}/auth/login", 303, HEADERS)
        response.delete_cookie(COOKIE, base)
        return response

    async def _signed_in(self, request: Request, form: Mapping[str, list[str]], name: str) -> Response:
        sessions, base = self._desk.sessions, self._desk.pages.base(request)
        token = await sessions.open(name)
        response = RedirectResponse(f"{base}/dashboard{place(form, '')}", 303, HEADERS)
        response.set_cookie(
            COOKIE,
            token,
            int(sessions.seconds),
            path=base,
            secure=is_secure(request),
            httponly=True,
            samesite="lax",
        )
        return response

    async def _form(
        self, request: Request, after: str = "", username: str = "", problem: str | None = None, code: int = 200
    ) -> Response:
        return await self._desk.pages.render(
            request, "login.html", None, code=code, after=after, username=username, problem=problem
        )
