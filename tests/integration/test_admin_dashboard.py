"""What the pages and the API of the admin say and do, without a browser; each known fault of older admins once more."""

import csv
import io
import re
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from fastapi.testclient import TestClient
from support.showcase import Showcase
from uuid_utils import uuid7

from outlive import SqliteBackend
from outlive.admin.assets import Assets
from outlive.core.moves import Enqueue, Fire, Settle
from outlive.core.states import Event, TaskStatus

DASHBOARD = "/tasks/dashboard"


class Site:
    """A filled showcase and its client."""

    def __init__(self, showcase: Showcase, client: TestClient) -> None:
        self.showcase = showcase
        self.client = client
        self.ids: dict[str, str] = self.call(showcase.fill)

    def call(self, func: Any, *args: Any) -> Any:
        assert self.client.portal is not None
        return self.client.portal.call(func, *args)

    def page(self, place: str, code: int = 200) -> str:
        answer = self.client.get(f"{DASHBOARD}{place}")
        assert answer.status_code == code, answer.text
        return answer.text

    def failed(self, *errors: str) -> list[str]:
        """Records that ended with these errors, as another instance would have left them."""
        now = time.time()
        ids = [f"0{number:035x}" for number in range(1, len(errors) + 1)]
        for task_id, error in zip(ids, errors, strict=True):
            moves = [
                Enqueue(task_id, "m:f", "f", now, now, "x", now),
                Settle(task_id, 1, Event.FAIL, TaskStatus.FAILED, now, error=error),
            ]
            assert all(self.call(self.showcase.manager.backend.apply, moves))
        return ids


@pytest.fixture(params=["memory", "sqlite"])
def site(request, tmp_path) -> Iterator[Site]:
    backend = None if request.param == "memory" else SqliteBackend(tmp_path / "tasks.db", synchronous="NORMAL")
    showcase = Showcase(backend)
    with TestClient(showcase.app) as client:
        yield Site(showcase, client)


# -- pages -------------------------------------------------------------------------------------------


def test_every_page_says_how_soon_it_may_be_asked_for_again(site):
    told = site.client.get(DASHBOARD).headers["server-timing"]
    assert re.fullmatch(r"page;dur=[\d.]+, again;dur=\d+", told)


def test_every_page_says_what_there_is(site):
    ids = site.ids
    assert "BankClosedError" in site.page("")
    assert "spring prices" in site.page("/tasks?q=status:running")
    assert "charging 9.5 for order 0" in site.page(f"/tasks/{ids['failed']}")
    assert "the bank is closed" in site.page("/errors")
    assert site.page("/dead-letters").count('class="main-link"') == 3
    assert "at 02:30 every day" in site.page("/schedules")
    assert "shop:weekly_stock" in site.page("/functions")
    assert "retries" in site.page("/functions/shop:send_receipt")
    assert "default" in site.page("/queues")
    assert "this process" in site.page("/instances")
    assert "Nothing is held" in site.page("/locks")
    assert "Nobody has done anything" in site.page("/audit")


@pytest.mark.parametrize(
    ("place", "code", "told"),
    [
        ("/tasks/unknown", 404, "there is no task"),
        ("/tasks?q=colour:red", 400, "is not known; known are"),
        ("/errors/000000000000", 404, "No failure of this kind"),
        ("/schedules/unknown", 404, "there is no schedule"),
        ("/functions/unknown", 404, "There is no function"),
        ("/dead-letters?window=2y", 400, "window"),
        ("/static/0000000000000000/admin.css", 404, "there is no such file"),
    ],
)
def test_what_is_not_there_is_said_on_a_page(site, place, code, told):
    text = site.page(place, code).replace("&#39;", "'")
    assert told in text
    assert "<!doctype html>" in text


def test_pages_of_the_list_hold_every_record_once(site):
    site.failed(*(f"error {number}" for number in range(120)))
    seen, place = [], "/tasks?q=status:failed"
    while place:
        text = site.page(place)
        seen += re.findall(r'<tr id="t-([0-9a-f-]+)"', text)
        older = re.search(r'rel="next" href="/tasks/dashboard([^"]+)"', text)
        place = older[1].replace("&amp;", "&") if older else ""
    assert len(seen) == len(set(seen)) == 123


def test_a_search_that_looks_at_many_goes_on_where_it_stopped(site, monkeypatch):
    monkeypatch.setattr("outlive.admin.search.search.__defaults__", (None, 7))
    found, place, pages = 0, "/tasks?q=attempts:2", 0
    while place:
        text = site.page(place)
        found, pages = found + text.count('class="main-link"'), pages + 1
        older = re.search(r'rel="next" href="/tasks/dashboard([^"]+)"', text)
        place = older[1].replace("&amp;", "&") if older else ""
    assert (found, pages > 1) == (3, True)


def test_drop_down_lists_write_the_query_that_says_the_same(site):
    answer = site.client.get(
        f"{DASHBOARD}/tasks/filter?q=status:failed+fn:old&fn=shop:send_receipt&source=manual", follow_redirects=False
    )
    assert answer.headers["location"].endswith("/tasks?q=status%3Afailed+fn%3Ashop%3Asend_receipt+source%3Amanual")


def test_what_is_shown_is_text(site):
    (task_id,) = site.failed("<script>alert(1)</script>")
    for place in ("", "/tasks", f"/tasks/{task_id}", "/errors", "/dead-letters"):
        text = site.page(place)
        assert "<script>alert" not in text
        assert "&lt;script&gt;alert" in text


def test_no_page_asks_for_anything_elsewhere_or_runs_a_script_of_its_own(site):
    for place in ("", "/tasks", f"/tasks/{site.ids['failed']}", "/schedules", "/locks", "/functions"):
        text = site.page(place)
        assert re.findall(r'(?:src|href|action)="(?!/tasks/|#)([^"]*)"', text) == []
        assert re.findall(r"<script(?![^>]*\bsrc=)", text) == []
        assert re.findall(r'<style|\sstyle="|\son[a-z]+="|hx-on|hx-vals', text) == []


def test_files_are_kept_for_ever_under_a_name_of_their_content(site):
    text = site.page("")
    files = set(re.findall(r'(?:src|href)="(/tasks/dashboard/static/[^"]+)"', text))
    assert len(files) == 7
    for path in files:
        answer = site.client.get(path)
        assert "immutable" in answer.headers["Cache-Control"]
        again = site.client.get(path, headers={"If-None-Match": answer.headers["ETag"]})
        assert (again.status_code, again.content) == (304, b"")
    assert Assets().path("admin.css") in text


def test_a_queue_in_which_tasks_wait_in_vain_says_why(site):
    assert "none starts until" not in site.page("/queues")
    post(site, "/queues/default/pause")
    assert re.search(r"\d tasks? waits?, and none starts until it is resumed", site.page("/queues"))
    post(site, "/queues/default/resume")
    assert "none starts until" not in site.page("/queues")


def test_a_queue_that_no_instance_runs_says_so(tmp_path):
    showcase = Showcase(SqliteBackend(tmp_path / "tasks.db"))
    showcase.manager.run_as(run_tasks=True, run_queues=["mail"])
    with TestClient(showcase.app) as client:
        assert client.portal is not None
        client.portal.call(showcase.manager.enqueue, showcase.send_receipt, "ann@example.org", 1)
        assert "1 task waits, and no instance runs this queue" in client.get(f"{DASHBOARD}/queues").text


# -- actions -----------------------------------------------------------------------------------------


def post(site: Site, place: str, **form: Any) -> str:
    answer = site.client.post(f"{DASHBOARD}{place}", data=form)
    assert answer.status_code == 200, answer.text
    return answer.text.replace("&#39;", "'")


def test_what_was_done_is_told_once(site):
    site.showcase.bank_is_open = True
    assert "runs again" in post(site, f"/tasks/{site.ids['failed']}/retry")
    assert "runs again" not in site.page(f"/tasks/{site.ids['failed']}")
    assert "already ended" in post(site, f"/tasks/{site.ids['cancelled']}/cancel")


def test_a_count_that_was_shown_holds_although_more_arrives(site):
    site.showcase.bank_is_open = True
    preview = post(site, "/bulk", action="retry", scope="all", q="status:failed")
    assert "Retry 3 tasks?" in preview
    until = re.search(r'name="until" value="([^"]+)"', preview)
    assert until is not None
    late = site.call(site.showcase.manager.enqueue, site.showcase.charge_card, 1, 1.0)
    site.call(late.finished.wait)
    told = post(site, "/bulk/run", action="retry", scope="all", q="", until=until[1])
    assert "tasks run again" in told


def test_bulk_leaves_what_cannot_run_again(site):
    (foreign,) = site.failed("of a function that is gone")
    site.showcase.bank_is_open = True
    told = post(site, "/bulk/run", action="retry", scope="all", q="status:failed")
    assert "3 tasks run again. 1 were left" in told
    assert site.client.get(f"/tasks/{foreign}").json()["status"] == "failed"


def test_bulk_cancel_and_a_wrong_action(site):
    assert "2 tasks were cancelled" in post(site, "/bulk/run", action="cancel", scope="all", q="")
    assert site.client.post(f"{DASHBOARD}/bulk", data={"action": "explode"}).status_code == 400


def test_who_did_what_to_what_is_kept(site):
    site.showcase.bank_is_open = True
    failed = site.ids["failed"]
    post(site, f"/tasks/{failed}/retry")
    post(site, "/schedules/shop:nightly_report/pause")
    post(site, "/queues/default/change", concurrency="5")
    post(site, "/history/delete", value="1", unit="day")
    entries = site.client.get("/tasks/audit").json()

    assert [entry["action"] for entry in entries] == ["history.delete", "queue.change", "schedule.pause", "task.retry"]
    assert entries[-1]["target"] == failed
    assert entries[-1]["detail"] == {"before": "failed", "after": "pending"}
    assert entries[1]["detail"]["after"]["concurrency"] == 5
    assert "task.retry" in site.page(f"/tasks/{failed}")
    pages = site.client.get("/tasks/api/v1/audit?limit=3").json()
    rest = site.client.get(f"/tasks/api/v1/audit?limit=3&before={pages['next']}").json()
    assert [*pages["items"], *rest["items"]] == entries
    assert rest["next"] is None


def test_what_was_done_survives_a_restart(tmp_path):
    for actions in (1, 2):
        showcase = Showcase(SqliteBackend(tmp_path / "tasks.db"))
        with TestClient(showcase.app) as client:
            client.request("DELETE", "/tasks/history?value=1&unit=day")
            assert len(client.get("/tasks/audit").json()) == actions


def test_deleting_history_leaves_what_waits_for_a_person(site):
    site.failed("long ago")
    old = time.time() - 3 * 86_400
    moves = [
        Enqueue("0" * 36, "m:f", "f", old, old, "x", old),
        Settle("0" * 36, 1, Event.FAIL, TaskStatus.FAILED, old),
        Enqueue("1" * 36, "m:f", "f", old, old, "x", old),
        Settle("1" * 36, 1, Event.INTERRUPT, TaskStatus.INTERRUPTED, old),
    ]
    assert all(site.call(site.showcase.manager.backend.apply, moves))
    answer = site.client.request("DELETE", "/tasks/history?value=2&unit=day")
    assert answer.json() == {"deleted": 1, "store": 0, "backend": 1}
    assert site.client.get(f"/tasks/{'0' * 36}").status_code == 404
    assert site.client.get(f"/tasks/{'1' * 36}").status_code == 200
    assert site.client.request("DELETE", "/tasks/history?value=0&unit=day").status_code == 422
    assert "Say how old" in site.client.post(f"{DASHBOARD}/history/delete", data={"value": "x"}).text


def test_an_export_holds_what_was_looked_for_and_no_formula(site):
    errors = ["=cmd|' /C calc'!A0", "+1", "-1", "@SUM(1)", "\t=1", 'quo"te, comma', "new\nline"]
    site.failed(*errors)
    answer = site.client.get(f"{DASHBOARD}/export.csv?q=status:failed+fn:f")
    rows = list(csv.reader(io.StringIO(answer.text)))

    assert answer.headers["content-disposition"].startswith('attachment; filename="tasks-20')
    assert rows[0] == ["ID", "Function", "Status", "Duration (ms)", "Retries", "Created", "Error"]
    assert sorted(row[6] for row in rows[1:]) == sorted(f"'{one}" if one[0] in "=+-@\t" else one for one in errors)


def test_an_export_has_more_than_a_page(site):
    site.failed(*(f"error {number}" for number in range(130)))
    text = site.client.get(f"{DASHBOARD}/export.csv?q=status:failed+fn:f").text
    assert text.count("\r\n") == 131


# -- arguments ---------------------------------------------------------------------------------------


def test_arguments_are_not_shown_unless_asked_for_and_secrets_never():
    for shows in (False, True):
        showcase = Showcase(display_func_args=shows)
        with TestClient(showcase.app) as client:
            site = Site(showcase, client)
            receipt, secret = (f"/tasks/{site.ids[name]}" for name in ("success", "secret"))
            texts = [site.page(receipt), client.get(receipt.replace(DASHBOARD, "")).text, site.page("/tasks")]
            assert any("ann@example.org" in text for text in texts[:1]) or not shows
            for place in (secret, "/tasks", "", "/functions/shop:sign_in"):
                assert "sesame" not in site.page(place)
            for path in (f"/tasks/{site.ids['secret']}", "/tasks", "/tasks/api/v1/tasks"):
                assert "sesame" not in client.get(path).text
            answer = client.get("/tasks/api/v1/tasks?q=arg.user:ann")
            assert answer.status_code == (200 if shows else 400)


# -- the API -----------------------------------------------------------------------------------------


def test_the_api_has_pages_with_a_cursor(site):
    seen, before = [], ""
    while before is not None:
        answer = site.client.get(
            f"/tasks/api/v1/tasks?limit=4&before={before}" if before else "/tasks/api/v1/tasks?limit=4"
        )
        seen += [task["task_id"] for task in answer.json()["items"]]
        before = answer.json()["next"]
    assert seen == [task["task_id"] for task in site.client.get("/tasks").json()]


@pytest.mark.parametrize(
    ("method", "path", "body", "code"),
    [
        ("GET", "/tasks/unknown", None, 404),
        ("GET", "/tasks?q=colour:red", None, 400),
        ("GET", "/tasks?limit=0", None, 422),
        ("POST", "/tasks/unknown/retry", None, 404),
        ("POST", "/tasks/bulk", {"action": "retry"}, 400),
        ("POST", "/tasks/bulk", {"action": "explode", "q": ""}, 422),
        ("POST", "/schedules/unknown/pause", None, 404),
        ("POST", "/schedules/unknown/reset", None, 404),
        ("DELETE", "/schedules/unknown", None, 404),
        ("DELETE", "/schedules/a%00b", None, 404),
        ("DELETE", "/schedules/shop:nightly_report", None, 409),
        ("PATCH", "/schedules/unknown", {"every": 60}, 404),
        ("PATCH", "/schedules/shop:nightly_report", {}, 400),
        ("PATCH", "/schedules/shop:nightly_report", {"cron": "60 * * * *"}, 400),
        ("PATCH", "/schedules/shop:nightly_report", {"every": 60, "cron": "@daily"}, 400),
        ("PATCH", "/schedules/shop:nightly_report", {"start": "9999-12-31T00:00:00Z"}, 400),
        ("PATCH", "/schedules/shop:nightly_report", {"start": "0001-01-01T00:00:00+14:00"}, 400),
        ("PATCH", "/schedules/shop:nightly_report", {"end": "9999-12-31T23:59:59-12:00"}, 400),
        ("PATCH", "/schedules/shop:nightly_report", {"overlap": "never"}, 422),
        ("PATCH", "/schedules/shop:nightly_report", {"paused": True}, 422),
        ("DELETE", "/scheduled/unknown", None, 404),
        ("DELETE", "/scheduled/a%00b", None, 400),
        ("PATCH", "/queues/default", {"concurrency": 0}, 422),
        ("PATCH", "/queues/default", {"concurrency": "3"}, 422),
        ("PATCH", "/queues/default", {"speed": 3}, 422),
    ],
)
def test_errors_of_the_api_are_problems(site, method, path, body, code):
    answer = site.client.request(method, f"/tasks/api/v1{path}", json=body)

    assert answer.status_code == code
    assert answer.headers["content-type"] == "application/problem+json"
    problem = answer.json()
    assert (problem["status"], problem["type"]) == (code, "about:blank")
    assert isinstance(problem["detail"], str)


def test_bulk_over_the_api_counts_before_it_acts(site):
    dry = site.client.post("/tasks/api/v1/tasks/bulk", json={"action": "retry", "q": "", "dry_run": True}).json()
    assert dry == {"matching": 4, "is_all": True}
    ids = [site.ids["failed"], site.ids["success"], "unknown", site.ids["failed"]]
    done = site.client.post("/tasks/api/v1/tasks/bulk", json={"action": "retry", "ids": ids}).json()
    assert done["done"] == [site.ids["failed"]]


def test_the_paths_of_older_clients(site):
    site.showcase.bank_is_open = True
    failed = site.ids["failed"]
    bulk = site.client.post("/tasks/bulk-retry", json={"task_ids": [failed, "unknown"]}).json()
    assert bulk == {"dispatched": 1, "skipped": 1, "results": [{"original_task_id": failed, "new_task_id": failed}]}
    retried = site.client.post("/tasks/retry-failed?since=6h&func_name=shop:charge_card").json()
    assert (retried["dispatched"], retried["skipped"]) == (2, 0)
    assert site.client.post("/tasks/retry-failed?since=yesterday").status_code == 400
    assert isinstance(site.client.get("/tasks/queues").json(), list)


def test_the_api_describes_itself_and_not_in_the_document_of_the_application(site):
    assert list(site.client.get("/openapi.json").json()["paths"]) == ["/orders"]
    paths = site.client.get("/tasks/api/v1/openapi.json").json()["paths"]
    assert "/tasks/api/v1/tasks/{task_id}/retry" in paths


def test_schedules_instances_locks_and_functions_as_data(site):
    get = site.client.get
    assert get("/tasks/api/v1/schedules").json()["items"][0]["name"] == "shop:clear_baskets"
    (instance,) = get("/tasks/api/v1/instances").json()["items"]
    assert (instance["alive"], instance["running"], instance["draining"]) == (True, 1, False)
    assert instance["slots"]["async"] == {"busy": 1, "limit": None}
    assert instance["slots"]["thread"] == {"busy": 0, "limit": 4}
    assert instance["version"].startswith("outlive ")
    assert get("/tasks/api/v1/locks").json() == {"items": []}
    figures = {one["func"]: one["figures"] for one in get("/tasks/api/v1/functions").json()["items"]}
    assert figures["shop:charge_card"]["failure_rate"] == 1.0
    (error,) = get("/tasks/api/v1/errors").json()["items"]
    assert (error["kind"], error["count"]) == ("BankClosedError", 3)


def test_lists_of_schedules_and_of_what_is_to_run_once_come_in_pages(site):
    def page(place: str, **params: Any) -> Any:
        return site.client.get(f"/tasks/api/v1/{place}", params=params).json()

    first = page("schedules", limit=2)
    rest = page("schedules", limit=2, after=first["next"])
    names = [one["name"] for one in (*first["items"], *rest["items"])]
    assert names == ["shop:clear_baskets", "shop:nightly_report", "shop:weekly_stock"]
    assert rest["next"] is None

    async def plan() -> None:
        for day in (1, 2, 3):
            at = datetime.now(UTC) + timedelta(days=day)
            await site.showcase.manager.schedule_once(site.showcase.clear_baskets, run_at=at, run_key=f"day {day}")

    site.call(plan)
    found = page("scheduled", limit=2)
    assert ([one["run_key"] for one in found["items"]], found["more"]) == (["day 1", "day 2"], True)
    assert page("scheduled", limit=3)["more"] is False


# -- instances ---------------------------------------------------------------------------------------


def test_an_instance_is_drained_and_works_again(site):
    here = site.showcase.manager.runtime.process.instance.id
    assert ">Drain</button>" in site.page("/instances")

    answer = site.client.post(f"{DASHBOARD}/instances/{here}/drain")
    assert "It takes no new work" in answer.text
    assert "draining" in answer.text
    assert "it finishes 1 that runs" in answer.text
    assert ">Drain</button>" not in answer.text
    (instance,) = site.client.get("/tasks/api/v1/instances").json()["items"]
    assert instance["draining"]
    waits = site.client.post("/orders").json()
    assert "Every instance was asked to take no new work" in site.page(f"/tasks/{waits}")

    assert site.client.post(f"/tasks/api/v1/instances/{here}/resume").json() == {"changed": True}
    assert site.client.post(f"/tasks/api/v1/instances/{here}/resume").json() == {"changed": False}
    assert "draining" not in site.page("/instances")
    assert [one["action"] for one in site.client.get("/tasks/audit").json()[:2]] == ["instance.resume"] * 2


def test_a_schedule_shows_how_late_its_runs_start(site):
    manager = site.showcase.manager
    slot = time.time() - 300
    state = next(one for one in site.call(manager.backend.schedules) if one.name == "shop:clear_baskets")
    task_id = str(uuid7())
    moves = [
        Fire(task_id, state.name, state.next_at, state.next_at, slot, slot),
        Enqueue(task_id, state.name, state.name, slot, slot, "x", slot + 2, source="scheduled", schedule=state.name),
        Settle(task_id, 1, Event.SUCCEED, TaskStatus.SUCCESS, slot + 3),
    ]
    assert all(site.call(manager.backend.apply, moves))
    page = site.page(f"/schedules/{state.name}")
    assert "2 s at most in the last 1 run" in page
    runs = site.client.get(f"/tasks/schedules/{state.name}").json()["last_runs"]
    assert [one["late_seconds"] for one in runs] == [2.0]
