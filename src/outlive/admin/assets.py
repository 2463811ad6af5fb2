"""The style, scripts and icons of the pages: read once, addressed by what they contain, kept by browsers for ever."""

import hashlib
from importlib.resources import files
from typing import NamedTuple

from fastapi import HTTPException, Request, Response

_TYPES = {"css": "text/css; charset=utf-8", "js": "text/javascript; charset=utf-8", "svg": "image/svg+xml"}
_NAMES = (
    "admin.css",
    "admin.js",
    "charts.js",
    "icon.svg",
    "vendor/htmx.min.js",
    "vendor/uPlot.iife.min.js",
    "vendor/uPlot.min.css",
)
_FOR_EVER = "public, max-age=31536000, immutable"


class Asset(NamedTuple):
    """One file."""

    content: bytes
    digest: str
    media_type: str


class Assets:
    """All of them."""

    def __init__(self) -> None:
        folder = files("outlive.admin") / "static"
        self._files = {name: _asset(name, folder.joinpath(name).read_bytes()) for name in _NAMES}

    def path(self, name: str) -> str:
        """Where a file is, below the dashboard; another content has another address."""
        return f"static/{self._files[name].digest}/{name}"

    def serve(self, request: Request, digest: str, name: str) -> Response:
        """The answer to a request for a file."""
        asset = self._files.get(name)
        if asset is None or asset.digest != digest:
            raise HTTPException(404, "there is no such file")
        headers = {"Cache-Control": _FOR_EVER, "ETag": f'"{digest}"', "X-Content-Type-Options": "nosniff"}
        if request.headers.get("if-none-match") == headers["ETag"]:
            return Response(status_code=304, headers=headers)
        return Response(asset.content, media_type=asset.media_type, headers=headers)


def _asset(name: str, content: bytes) -> Asset:
    return Asset(content, hashlib.sha256(content).hexdigest()[:16], _TYPES[name.rpartition(".")[2]])
