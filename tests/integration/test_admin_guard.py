"""Who is let in: this machine, or whom the application's own dependency lets in; never another site's page."""

from collections.abc import Callable
from typing import Annotated, Any

import httpx
import pytest
from fastapi import Depends, FastAPI, Header, HTTPException
from fastapi.routing import APIRoute
from fastapi.security import HTTPBearer
from fastapi.testclient import TestClient
from uuid_utils import uuid7

from outlive import ConfigError, TaskAdmin, TaskManager

STRANGER = ("203.0.113.5", 1)
NEIGHBOUR = ("127.0.0.1", 1)


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


#: What each route answers to somebody it serves: there are no records and no schedules, and nothing is sent along.
SERVED = [200, 200, 200, 404, 200, 422, 200, 422, 200, 422, 200, *[404] * 5, 422, *[404] * 4]


class Site:
    """An application with an admin, and clients that reach it from different places."""

    def __init__(self, **options: Any) -> None:
        self.manager = TaskManager()
        self.app = FastAPI()
        self.admin = TaskAdmin(self.app, self.manager, **options)

    @property
    def routes(self) -> list[tuple[str, str]]:
        """Every route of the admin as method and path, with an id that nothing has."""
        return [
            (
                method,
                route.path.replace("{task_id}", str(uuid7()))
                .replace("{name:path}", "none")
                .replace("{run_key:path}", "none"),
            )
            for route in self.admin.router.routes
            if isinstance(route, APIRoute)
            for method in sorted(route.methods or ())
        ]

    def client(self, peer: Any = NEIGHBOUR, base_url: str = "http://localhost") -> httpx.AsyncClient:
        return httpx.AsyncClient(transport=httpx.ASGITransport(self.app, client=peer), base_url=base_url)

    async def statuses(self, peer: Any = NEIGHBOUR, base_url: str = "http://localhost", **request: Any) -> list[int]:
        async with self.manager, self.client(peer, base_url) as client:
            return [(await client.request(method, path, **request)).status_code for method, path in self.routes]


def test_the_walk_sees_every_route():
    site = Site()
    shapes = {(method, len(path.split("/")) - 1) for method, path in site.routes}

    assert len(site.routes) == len(site.admin.router.routes) == len(SERVED)
    shapes_of_reading = {("GET", 1), ("GET", 2), ("GET", 3)}
    shapes_of_changes = {("POST", 2), ("DELETE", 2), ("DELETE", 3), ("PATCH", 3), ("POST", 3), ("POST", 4)}
    assert shapes == shapes_of_reading | shapes_of_changes


# -- without auth ------------------------------------------------------------------------------------


@pytest.mark.parametrize("peer", [("127.0.0.1", 1), ("127.8.9.10", 1), ("::1", 1), ("::ffff:127.0.0.1", 1)])
@pytest.mark.parametrize(
    "host", ["localhost", "localhost:8000", "LOCALHOST", "localhost.", "127.0.0.1:8000", "127.9.9.9", "[::1]:8000"]
)
async def test_this_machine_is_served_everywhere(peer, host):
    assert await Site().statuses(peer, headers={"Host": host}) == SERVED


def test_a_test_client_is_this_machine():
    site = Site()
    with TestClient(site.app) as client:
        answers = [client.request(method, path).status_code for method, path in site.routes]
    assert answers == SERVED


@pytest.mark.parametrize("peer", [STRANGER, ("192.168.1.7", 1), ("::ffff:203.0.113.5", 1), ("2001:db8::1", 1), None])
async def test_another_machine_is_refused_everywhere(peer):
    assert await Site().statuses(peer) == [403] * len(SERVED)


@pytest.mark.parametrize(
    "host",
    [
        "example.com",
        "localhost.example.com",
        "127.0.0.1.example.com",
        "evil@localhost",
        "localhost:8000@evil.example",
        "localhost/",
        "[::1",
        "10.0.0.1",
        "testserver",
        "",
    ],
)
async def test_another_host_name_is_refused_everywhere(host):
    assert await Site().statuses(headers={"Host": host}) == [403] * len(SERVED)


@pytest.mark.parametrize(
    "header",
    [
        "Forwarded",
        "X-Forwarded-For",
        "X-Forwarded-Host",
        "X-Forwarded-Proto",
        "X-Forwarded-Anything",
        "X-Real-IP",
        "X-Original-Host",
        "Via",
        "CF-Connecting-IP",
        "True-Client-IP",
    ],
)
async def test_what_came_through_a_proxy_is_refused_everywhere(header):
    assert await Site().statuses(headers={header: "127.0.0.1"}) == [403] * len(SERVED)


@pytest.mark.parametrize(
    ("peer", "headers", "reason"),
    [
        (STRANGER, {}, "peer address 203.0.113.5"),
        (NEIGHBOUR, {"Host": "tasks.example.com"}, "Host header tasks.example.com"),
        (NEIGHBOUR, {"X-Forwarded-For": "127.0.0.1"}, "header x-forwarded-for"),
    ],
)
async def test_a_refusal_says_why_and_what_to_do(peer, headers, reason):
    async with Site().client(peer) as client:
        detail = (await client.get("/tasks", headers=headers)).json()["detail"]

    assert reason in detail
    assert "auth=" in detail
    assert "auth=False" in detail


async def test_a_stranger_learns_nothing_from_a_wrong_query():
    async with Site().client(STRANGER) as client:
        assert (await client.get("/tasks?limit=none")).status_code == 403


async def test_false_opens_it_to_everybody():
    statuses = await Site(auth=False).statuses(STRANGER, "http://example.com", headers={"X-Forwarded-For": "1.2.3.4"})
    assert statuses == SERVED


# -- with a dependency of the application ------------------------------------------------------------


async def a_coroutine(key: Annotated[str, Header()] = "") -> None:
    if key != "secret":
        raise HTTPException(401, "who are you?")


def a_function(key: Annotated[str, Header()] = "") -> None:
    if key != "secret":
        raise HTTPException(401, "who are you?")


def with_a_dependency(_: Annotated[None, Depends(a_coroutine)]) -> str:
    return "an operator"


class AnObject:
    async def __call__(self, key: Annotated[str, Header()] = "") -> None:
        await a_coroutine(key)


DEPENDENCIES = [a_coroutine, a_function, with_a_dependency, AnObject()]


@pytest.mark.parametrize("auth", DEPENDENCIES)
async def test_a_dependency_guards_every_route(auth: Callable[..., Any]):
    for place in [NEIGHBOUR, STRANGER]:
        assert await Site(auth=auth).statuses(place) == [401] * len(SERVED)
        assert await Site(auth=auth).statuses(place, headers={"key": "wrong"}) == [401] * len(SERVED)


@pytest.mark.parametrize("auth", DEPENDENCIES)
async def test_whom_a_dependency_lets_in_comes_from_anywhere(auth: Callable[..., Any]):
    statuses = await Site(auth=auth).statuses(
        STRANGER, "https://example.com", headers={"key": "secret", "X-Forwarded-For": "198.51.100.1"}
    )
    assert statuses == SERVED


async def test_a_security_scheme_of_fastapi_is_a_dependency():
    site = Site(auth=HTTPBearer())

    assert all(status in (401, 403) for status in await site.statuses(STRANGER))
    assert await site.statuses(STRANGER, headers={"Authorization": "Bearer x"}) == SERVED


async def test_a_stranger_to_the_dependency_learns_nothing_from_a_wrong_query():
    async with Site(auth=a_function).client() as client:
        assert (await client.get("/tasks?limit=none")).status_code == 401


@pytest.mark.parametrize("auth", [True, "admin", 3, Depends(a_function)])
def test_anything_else_is_refused_with_the_choices(auth):
    app = FastAPI()
    with pytest.raises(ConfigError, match=r"none of None .* False .* a FastAPI dependency"):
        TaskAdmin(app, TaskManager(), auth=auth)
    assert TestClient(app).get("/tasks").status_code == 404


# -- another site ------------------------------------------------------------------------------------

FOREIGN = [
    {"Sec-Fetch-Site": "cross-site"},
    {"Sec-Fetch-Site": "same-site"},
    {"Sec-Fetch-Site": "cross-site", "Origin": "http://localhost:8000"},
    {"Origin": "https://evil.example"},
    {"Origin": "http://localhost"},
    {"Origin": "http://localhost:9000"},
    {"Origin": "http://localhost:8000.evil.example"},
    {"Origin": "null"},
    {"Origin": ""},
    {"Origin": "ftp://localhost:8000"},
]
OWN = [
    {},
    {"Sec-Fetch-Site": "same-origin"},
    {"Sec-Fetch-Site": "same-origin", "Origin": "https://outside.example"},
    {"Sec-Fetch-Site": "none"},
    {"Origin": "http://localhost:8000"},
    {"Origin": "http://LOCALHOST:8000"},
    {"Origin": "https://localhost:8000"},
]


@pytest.mark.parametrize("auth", [None, False, a_coroutine])
@pytest.mark.parametrize("headers", FOREIGN)
async def test_another_site_can_do_nothing(auth, headers):
    site = Site(auth=auth)
    statuses = await site.statuses(base_url="http://localhost:8000", headers={"key": "secret", **headers})
    seen = [served if method == "GET" else 403 for (method, _), served in zip(site.routes, SERVED, strict=True)]
    assert statuses == seen


@pytest.mark.parametrize("auth", [None, False, a_coroutine])
@pytest.mark.parametrize("headers", OWN)
async def test_the_own_site_and_what_is_no_browser_can_act(auth, headers):
    statuses = await Site(auth=auth).statuses(base_url="http://localhost:8000", headers={"key": "secret", **headers})
    assert statuses == SERVED


@pytest.mark.parametrize(
    ("origin", "host"),
    [
        ("https://example.com", "example.com:443"),
        ("http://example.com:80", "example.com"),
        ("http://[::1]", "[::1]:80"),
    ],
)
async def test_a_port_that_goes_without_saying_is_the_same(origin, host):
    statuses = await Site(auth=False).statuses(headers={"Origin": origin, "Host": host})
    assert statuses == SERVED


async def test_a_refused_action_changes_nothing():
    site = Site()

    @site.manager.task()
    async def work() -> None: ...

    async with site.manager, site.client() as client:
        task = await site.manager.using(run_in=3600).enqueue(work)
        answer = await client.post(f"/tasks/{task.id}/cancel", headers={"Origin": "https://evil.example"})
        assert answer.status_code == 403
        assert "another site" in answer.json()["detail"]
        assert "Host header" in answer.json()["detail"]
        assert (await client.get(f"/tasks/{task.id}")).json()["status"] == "pending"
