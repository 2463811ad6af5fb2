"""What belongs to no screen: files, and the choice between light and dark."""

from fastapi import APIRouter, Request, Response
from fastapi.responses import RedirectResponse

from outlive.admin.access import Visitor
from outlive.admin.desk import Desk
from outlive.admin.html import HEADERS, is_secure, place, read_form

_A_YEAR = 31_536_000


class FramePages:
    """Files for everybody, the theme for visitors."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    def add_to(self, router: APIRouter) -> None:
        """Its route behind the guard."""
        router.add_api_route("/theme", self.theme, methods=["POST"])

    async def file(self, request: Request, digest: str, name: str) -> Response:
        """A style, a script or an icon."""
        return self._desk.pages.frame.assets.serve(request, digest, name)

    async def theme(self, request: Request, _: Visitor) -> Response:
        """The other theme than now; the script does the same without a new page."""
        form = await read_form(request)
        chosen = "light" if request.cookies.get("outlive_theme") == "dark" else "dark"
        base = self._desk.pages.base(request)
        response = RedirectResponse(f"{base}/dashboard{place(form, '')}", 303, HEADERS)
        response.set_cookie("outlive_theme", chosen, _A_YEAR, path=base, secure=is_secure(request), samesite="lax")
        return response
