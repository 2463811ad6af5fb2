"""A route whose errors are pages: what went wrong, and what can be done about it."""

import time
from collections.abc import Callable, Coroutine
from http import HTTPStatus
from typing import Any
from urllib.parse import urlencode

from fastapi import HTTPException, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import RedirectResponse
from fastapi.routing import APIRoute

from outlive.admin.html import HEADERS, Pages
from outlive.admin.problems import ANSWERED, as_http

#: A page asks again after so many times what the last answer took, half of which are pauses, so that watching costs
#: less than 1 %; and not more often, nor more seldom, than after so many milliseconds.
_THRIFT, _LEAST, _MOST = 150.0, 2000.0, 10_000.0

Handler = Callable[[Request], Coroutine[Any, Any, Response]]


def page_route(pages: Pages) -> type[APIRoute]:
    """The class of route for the pages of one admin."""

    class PageRoute(APIRoute):
        def get_route_handler(self) -> Handler:
            handle = super().get_route_handler()

            async def answer(request: Request) -> Response:
                start = time.perf_counter()
                response = await _answered(pages, request, handle)
                spent = (time.perf_counter() - start) * 1e3
                response.headers["Server-Timing"] = f"page;dur={spent:.1f}, again;dur={again(spent):.0f}"
                return response

            return answer

    return PageRoute


def again(spent: float) -> float:
    """Milliseconds after which a page that took so many may be asked for again."""
    return min(max(_THRIFT * spent, _LEAST), _MOST)


async def _answered(pages: Pages, request: Request, handle: Handler) -> Response:
    try:
        return await handle(request)
    except RequestValidationError as error:
        told = "; ".join(f"{one['loc'][-1]}: {one['msg']}" for one in error.errors())
        return await show_problem(pages, request, HTTPException(400, told))
    except ANSWERED as error:
        return await show_problem(pages, request, as_http(error))
    except HTTPException as error:
        return await show_problem(pages, request, error)


async def show_problem(pages: Pages, request: Request, error: HTTPException) -> Response:
    """The page of an error; somebody who is not signed in is sent to do so."""
    if error.status_code == HTTPStatus.UNAUTHORIZED and pages.frame.has_login:
        return _to_login(pages, request)
    status = HTTPStatus(error.status_code)
    response = await pages.render(
        request, "problem.html", None, code=status, phrase=status.phrase, told=str(error.detail), status=status.value
    )
    response.headers.update(error.headers or {})
    return response


def _to_login(pages: Pages, request: Request) -> Response:
    if request.method != "GET" or "hx-request" in request.headers or request.url.path.endswith("/stream"):
        return Response("Unauthorized", 401, HEADERS)
    after = request.url.path.partition("/dashboard")[2]
    query = f"?{urlencode({'next': f'{after}?{request.url.query}'.rstrip('?')})}" if after else ""
    return RedirectResponse(f"{pages.base(request)}/auth/login{query}", 303, HEADERS)
