"""JSON answers, and routes whose errors say what the errors of outlive say."""

import json
from collections.abc import Callable, Coroutine
from http import HTTPStatus
from typing import Any

from fastapi import HTTPException, Request, Response
from fastapi.encoders import jsonable_encoder
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from fastapi.routing import APIRoute

from outlive.admin.html import HEADERS
from outlive.admin.problems import ANSWERED, as_http

Handler = Callable[[Request], Coroutine[Any, Any, Response]]


class Json(JSONResponse):
    """JSON in ASCII, so that no text in a record (a lone surrogate in a tag) can keep the others from being shown."""

    def render(self, content: Any) -> bytes:
        """The body."""
        return json.dumps(content, allow_nan=False, separators=(",", ":")).encode("ascii")


class Problem(Json):
    """An error as RFC 9457 has it."""

    media_type = "application/problem+json"


class AdminRoute(APIRoute):
    """A route whose answer to an error of outlive is the status code that says the same."""

    def get_route_handler(self) -> Handler:
        """Wrap FastAPI's handler."""
        handle = super().get_route_handler()

        async def answer(request: Request) -> Response:
            try:
                return _with_headers(await handle(request))
            except ANSWERED as error:
                raise as_http(error) from error

        return answer


class ProblemRoute(APIRoute):
    """The same, with every error as problem+json."""

    def get_route_handler(self) -> Handler:
        """Wrap FastAPI's handler."""
        handle = super().get_route_handler()

        async def answer(request: Request) -> Response:
            try:
                return _with_headers(await handle(request))
            except ANSWERED as error:
                return _with_headers(_problem(as_http(error)))
            except RequestValidationError as error:
                return _with_headers(_invalid(error))
            except HTTPException as error:
                return _with_headers(_problem(error))

        return answer


def _problem(error: HTTPException, **more: Any) -> Problem:
    status = HTTPStatus(error.status_code)
    content = {"type": "about:blank", "title": status.phrase, "status": status.value, "detail": str(error.detail)}
    return Problem(content | more, status, dict(error.headers or {}))


def _invalid(error: RequestValidationError) -> Problem:
    faults = [{"loc": list(one["loc"]), "msg": one["msg"]} for one in error.errors()]
    told = "; ".join(f"{fault['loc'][-1]}: {fault['msg']}" for fault in faults)
    return _problem(HTTPException(422, told), errors=jsonable_encoder(faults))


def _with_headers(response: Response) -> Response:
    for name, value in HEADERS.items():
        response.headers.setdefault(name, value)
    return response
