"""Who gets through which door: every route of the admin, for everybody, in every role."""

import re
import time
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx2
import pytest
from fastapi import FastAPI, Header, HTTPException
from fastapi.routing import APIRoute
from fastapi.testclient import TestClient
from uuid_utils import uuid7

from outlive import AdminUser, SqliteBackend, TaskAdmin, TaskManager
from outlive.admin.sessions import ATTEMPTS, COOKIE, PREFIX

PEOPLE = [("vera", "see", "viewer"), ("oscar", "mend", "operator"), ("ada", "all")]
PASSWORDS: dict[str, str] = {person[0]: person[1] for person in PEOPLE}


class Site:
    """An application with an admin, and clients that reach it from elsewhere."""

    def __init__(self, backend: Any = None, **options: Any) -> None:
        self.manager = TaskManager(backend)
        self.manager.task(name="add")(self.add)
        self.app = FastAPI()
        self.admin = TaskAdmin(self.app, self.manager, **options)

    async def add(self, x: int) -> int:
        return x + 1

    def client(self, base_url: str = "https://tasks.example", peer: str = "203.0.113.5") -> TestClient:
        return TestClient(self.app, base_url=base_url, client=(peer, 1), follow_redirects=False)

    def sign_in(self, client: TestClient, name: str) -> None:
        answer = client.post("/tasks/auth/login", data={"username": name, "password": PASSWORDS[name]})
        assert answer.status_code == 303, answer.text

    def routes(self, *, guarded: bool = True) -> list[tuple[str, str]]:
        admin = self.admin
        routers = [admin.router, admin.api, admin.screens] if guarded else [admin.entrance]
        return [
            (method, re.sub(r"{[^}]+}", lambda _: str(uuid7()), route.path))
            for router in routers
            for route in router.routes
            if isinstance(route, APIRoute)
            for method in sorted(route.methods or ())
            if not route.path.endswith("/stream")
        ]

    def actions(self) -> list[tuple[str, str]]:
        """The routes that do something; the theme is the visitor's own."""
        return [(method, path) for method, path in self.routes() if method != "GET" and not path.endswith("/theme")]


FORM = {"action": "retry", "scope": "all", "key": "lock:x", "reason": "test", "value": "1", "unit": "day"}
USUAL: dict[str, dict[str, Any]] = {"POST": {"data": FORM}, "PATCH": {"json": {"concurrency": 1}}}
TIMING: dict[str, Any] = {"json": {"every": 60}}
#: What is sent to the routes that take no form, by how their paths end.
BODIES: dict[str, dict[str, Any]] = {
    "/api/v1/tasks/bulk": {"json": {"action": "retry", "q": ""}},
    "/api/v1/locks/release": {"json": {"key": "lock:x", "reason": "test"}},
    "/bulk-retry": {"json": {"task_ids": ["x"]}},
    "/tasks/history": {"params": {"value": 1, "unit": "day"}},
}


def send(client: TestClient, method: str, path: str) -> httpx2.Response:
    """A request that would do something if it were let in."""
    usual = TIMING if method == "PATCH" and "/schedules/" in path else USUAL.get(method, {})
    return client.request(method, path, **next((body for end, body in BODIES.items() if path.endswith(end)), usual))


def test_the_walk_sees_every_route():
    site = Site(auth=PEOPLE)
    guarded = site.routes()

    assert len(guarded) > 50
    assert {method for method, _ in guarded} == {"GET", "POST", "DELETE", "PATCH"}
    assert len(site.actions()) > 20
    assert [path.split("/")[2] for _, path in site.routes(guarded=False)] == ["dashboard", "auth", "auth", "auth"]


# -- without credentials -----------------------------------------------------------------------------


@pytest.mark.parametrize("cookie", [None, "", "x" * 43, "%E2%98%83", "a;b"])
def test_nobody_gets_through_without_signing_in(cookie):
    site = Site(auth=PEOPLE)
    with site.client() as client:
        if cookie is not None:
            client.headers["Cookie"] = f"{COOKIE}={cookie}"
        for method, path in site.routes():
            answer = send(client, method, path)
            to_login = answer.status_code == 303 and "/tasks/auth/login" in answer.headers["location"]
            assert answer.status_code == 401 or to_login, (method, path, answer.status_code)
            assert to_login is (method == "GET" and "/dashboard" in path)


def test_the_stream_is_guarded_like_the_page():
    site = Site(auth=PEOPLE)
    with site.client() as client:
        assert client.get("/tasks/dashboard/stream").status_code == 401
    with Site().client() as stranger:
        assert stranger.get("/tasks/dashboard/stream").status_code == 403


def test_without_auth_another_machine_gets_through_no_door():
    site = Site()
    with site.client() as client:
        for method, path in [*site.routes(), *site.routes(guarded=False)]:
            assert send(client, method, path).status_code == 403, (method, path)


def test_a_dependency_of_the_application_guards_every_door():
    def by_key(key: str = Header("")) -> AdminUser:
        if key != "secret":
            raise HTTPException(401, "who are you?", {"WWW-Authenticate": "Basic"})
        return AdminUser("kim", "viewer")

    site = Site(auth=by_key)
    with site.client() as client:
        for method, path in site.routes():
            answer = send(client, method, path)
            assert (answer.status_code, answer.headers["WWW-Authenticate"]) == (401, "Basic"), (method, path)
        client.headers["key"] = "secret"
        page = client.get("/tasks/dashboard")
        assert page.status_code == 200
        assert "kim" in page.text


# -- in every role -----------------------------------------------------------------------------------


FOR_ADMINS = ("/history", "/history/delete", "/release", "/change", "/reset", "/remove")


@pytest.mark.parametrize("name", PASSWORDS)
def test_roles_at_every_door(name):
    site = Site(auth=PEOPLE)
    with site.client() as client:
        site.sign_in(client, name)
        for method, path in site.routes():
            status = send(client, method, path).status_code
            assert status not in (401, 500), (method, path)
            is_action = method != "GET" and not path.endswith("/theme")
            needs_admin = (
                method == "PATCH" or path.endswith(FOR_ADMINS) or (method == "DELETE" and "/schedules/" in path)
            )
            denied = {"vera": is_action, "oscar": needs_admin, "ada": False}[name]
            assert (status == 403) is denied, (method, path, status)


def test_read_only_closes_every_action():
    site = Site(auth=PEOPLE, read_only=True)
    with site.client() as client:
        site.sign_in(client, "ada")
        for method, path in site.actions():
            assert send(client, method, path).status_code == 403, (method, path)
        for method, path in site.routes():
            if method == "GET":
                assert send(client, method, path).status_code != 403, (method, path)
        assert "read-only" in client.get("/tasks/dashboard").text


def test_the_hook_is_asked_about_every_action():
    asked = set()

    def authorize(user: AdminUser, action: str, target: str | None) -> bool:
        asked.add(action)
        return False

    site = Site(auth=PEOPLE, authorize=authorize)
    with site.client() as client:
        site.sign_in(client, "ada")
        for method, path in site.actions():
            assert send(client, method, path).status_code == 403, (method, path)
    assert asked == {
        *("task.retry", "task.cancel", "task.edit", "schedule.run", "schedule.pause", "schedule.resume"),
        *("schedule.change", "schedule.reset", "schedule.remove", "scheduled.cancel"),
        *(
            "queue.pause",
            "queue.resume",
            "queue.change",
            "instance.drain",
            "instance.resume",
            "lock.release",
            "history.delete",
        ),
    }


def test_pages_offer_no_button_that_would_be_refused():
    site = Site(auth=PEOPLE)
    with site.client() as client:
        site.sign_in(client, "vera")
        task_id = client.portal.call(enqueue, site)
        for path in [f"/tasks/{task_id}", "/tasks", "/schedules", "/dead-letters", "/locks"]:
            page = client.get(f"/tasks/dashboard{path}").text
            actions = set(re.findall(r'action="([^"]+)"', page))
            assert {one.rpartition("/")[2] for one in actions} <= {"theme", "logout", "tasks", "filter"}


async def enqueue(site: Site) -> str:
    at = datetime.now(UTC) + timedelta(hours=1)
    return (await site.manager.schedule_once(site.add, 1, run_at=at, run_key="once")).id


# -- another site ------------------------------------------------------------------------------------

FOREIGN = [
    {"Origin": "https://evil.example"},
    {"Sec-Fetch-Site": "cross-site"},
    {"Sec-Fetch-Site": "same-site"},
    {"Origin": "null"},
]


@pytest.mark.parametrize("headers", FOREIGN)
@pytest.mark.parametrize("auth", [PEOPLE, False])
def test_another_site_acts_through_no_door(headers, auth):
    site = Site(auth=auth)
    with site.client() as client:
        if auth:
            site.sign_in(client, "ada")
        client.headers.update(headers)
        for method, path in [*site.routes(), *site.routes(guarded=False)]:
            if method != "GET":
                assert send(client, method, path).status_code == 403, (method, path)


# -- what answers carry ------------------------------------------------------------------------------


def test_every_answer_is_closed_to_frames_guesses_and_other_scripts():
    site = Site(auth=PEOPLE)
    with site.client() as client:
        site.sign_in(client, "ada")
        for method, path in site.routes():
            answer = send(client, method, path)
            if answer.headers.get("content-type") == "application/json" and answer.status_code >= 400:
                continue  # FastAPI's own
            policy = answer.headers["Content-Security-Policy"]
            assert "default-src 'none'" in policy
            assert "frame-ancestors 'none'" in policy
            assert "unsafe" not in policy
            assert answer.headers["X-Content-Type-Options"] == "nosniff"
            assert answer.headers["Cache-Control"] == "no-store"


def test_titles_and_names_are_text():
    site = Site(auth=[("<b>ann</b>", "pass")], title="<script>alert(1)</script>")
    with site.client() as client:
        login = client.get("/tasks/auth/login").text
        client.post("/tasks/auth/login", data={"username": "<b>ann</b>", "password": "pass"})
        page = client.get("/tasks/dashboard").text
    for text in (login, page):
        assert "<script>alert" not in text
        assert "&lt;script&gt;alert" in text
    assert "&lt;b&gt;ann" in page


# -- signing in and out ------------------------------------------------------------------------------


def test_signing_in_leads_where_one_wanted_to_go():
    site = Site(auth=PEOPLE)
    with site.client() as client:
        asked = client.get("/tasks/dashboard/tasks?q=status%3Afailed")
        login = client.get(asked.headers["location"])
        after = re.search(r'name="next" value="([^"]*)"', login.text)
        assert after is not None
        data = {"username": "ada", "password": "all", "next": after[1]}
        answer = client.post("/tasks/auth/login", data=data)
        assert answer.headers["location"] == "/tasks/dashboard/tasks?q=status%3Afailed"
        assert client.get(answer.headers["location"]).status_code == 200


@pytest.mark.parametrize("place", ["https://evil.example", "//evil.example", "evil", "\\\\evil.example", "/\r\nX: y"])
def test_signing_in_never_leads_to_another_site(place):
    site = Site(auth=PEOPLE)
    with site.client() as client:
        data = {"username": "ada", "password": "all", "next": place}
        answer = client.post("/tasks/auth/login", data=data)
        assert answer.headers["location"].startswith("/tasks/dashboard")
        assert "X" not in answer.headers


def test_the_cookie_is_for_this_server_and_no_script():
    site = Site(auth=PEOPLE, token_expiry=3600)
    for base_url, headers, secure in [
        ("https://tasks.example", {}, True),
        ("http://tasks.example", {"X-Forwarded-Proto": "https"}, True),
        ("http://tasks.example", {}, False),
    ]:
        with site.client(base_url) as client:
            data = {"username": "ada", "password": "all"}
            cookie = client.post("/tasks/auth/login", data=data, headers=headers).headers["set-cookie"]
            assert "HttpOnly" in cookie
            assert "SameSite=lax" in cookie
            assert "Path=/tasks" in cookie
            assert "Max-Age=3600" in cookie
            assert ("Secure" in cookie) is secure


def test_signing_out_ends_the_session_and_not_only_the_cookie():
    site = Site(auth=PEOPLE)
    with site.client() as client:
        site.sign_in(client, "ada")
        token = client.cookies[COOKIE]
        assert client.get("/tasks/metrics").status_code == 200
        assert client.get("/tasks/auth/logout").status_code == 405  # an image on another page must not sign out
        assert client.post("/tasks/auth/logout").headers["location"] == "/tasks/auth/login"
        assert client.get("/tasks/metrics", headers={"Cookie": f"{COOKIE}={token}"}).status_code == 401


def test_a_session_holds_in_every_process_without_a_secret(tmp_path):
    first, second = (Site(SqliteBackend(tmp_path / "tasks.db"), auth=PEOPLE) for _ in range(2))
    with first.client() as client, second.client() as other:
        first.sign_in(client, "ada")
        headers = {"Cookie": f"{COOKIE}={client.cookies[COOKIE]}"}
        assert other.get("/tasks/metrics", headers=headers).status_code == 200
        other.post("/tasks/auth/logout", headers=headers)
        assert client.get("/tasks/metrics").status_code == 401


def test_with_auth_each_process_shows_what_all_have_and_opens_no_door_for_the_others(tmp_path):
    first, second = (Site(SqliteBackend(tmp_path / "tasks.db"), auth=PEOPLE) for _ in range(2))
    with first.client() as client, second.client() as other:
        assert client.portal is not None
        task = client.portal.call(first.manager.enqueue, first.add, 1)
        client.portal.call(task.durable)
        assert other.get("/tasks").status_code == 401
        second.sign_in(other, "vera")
        for path in ("/tasks", "/tasks/api/v1/tasks", "/tasks/dashboard/tasks"):
            assert task.id in other.get(path).text
        # Processes meet in the backend alone: what anybody may fetch is the login and the files of its page.
        open_to_all = {path for _, path in second.routes(guarded=False)}
        assert all(path.startswith(("/tasks/auth/", "/tasks/dashboard/static/")) for path in open_to_all)


def test_a_session_lasts_over_a_restart_unless_the_secret_key_is_another(tmp_path):
    def site(key: str) -> Site:
        return Site(SqliteBackend(tmp_path / "tasks.db"), auth=PEOPLE, secret_key=key)

    with site("one").client() as client:
        site("one").sign_in(client, "ada")
        headers = {"Cookie": f"{COOKIE}={client.cookies[COOKIE]}"}
    for key, status in [("one", 200), ("two", 401)]:
        with site(key).client() as client:
            assert client.get("/tasks/metrics", headers=headers).status_code == status


def test_a_session_ends_by_itself(monkeypatch):
    site = Site(auth=PEOPLE, token_expiry=60)
    with site.client() as client:
        site.sign_in(client, "ada")
        headers = {"Cookie": f"{COOKIE}={client.cookies[COOKIE]}"}
        now = time.time()
        monkeypatch.setattr(time, "time", lambda: now + 61)
        assert client.get("/tasks/metrics", headers=headers).status_code == 401


def test_who_reads_the_backend_cannot_sign_in():
    site = Site(auth=PEOPLE)
    with site.client() as client:
        site.sign_in(client, "ada")
        held = client.portal.call(site.manager.backend.leases.held, time.time())
        assert client.cookies[COOKIE] not in str(held)
        assert [lease.key.startswith(PREFIX) for lease in held] == [True]
        assert client.get("/tasks/api/v1/locks").json() == {"items": []}
        assert client.portal.call(site.manager.leases) == []
        assert "session" not in client.get("/tasks/dashboard/locks").text


def test_guessing_is_slowed_down():
    site = Site(auth=PEOPLE)
    with site.client() as client:
        statuses = [
            client.post("/tasks/auth/login", data={"username": "ada", "password": guess}).status_code
            for guess in ["a", "\N{SNOWMAN}", "", "x" * 100_000, "e", "f", "all"]
        ]
    assert statuses == [401] * ATTEMPTS + [429] * 2


def test_a_form_is_no_larger_than_it_need_be():
    site = Site(auth=PEOPLE)
    with site.client() as client:
        assert client.post("/tasks/auth/login", content=b"x" * 2_000_000).status_code == 413
        assert client.post("/tasks/auth/login", content="username=\N{SNOWMAN}".encode()).status_code == 400
