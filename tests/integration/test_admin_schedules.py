"""What people do to schedules and to runs that come once, over the API and on the pages of the admin."""

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import pytest
from fastapi.testclient import TestClient
from support.showcase import Showcase

from outlive import SqliteBackend
from outlive.core.schedule import ScheduleEntry

NIGHTLY = "shop:nightly_report"
DASHBOARD = "/tasks/dashboard"
API = ["/tasks", "/tasks/api/v1"]


class Site:
    """A showcase that runs, and its client."""

    def __init__(self, showcase: Showcase, client: TestClient) -> None:
        self.showcase = showcase
        self.client = client

    def call(self, func: Any, *args: Any) -> Any:
        assert self.client.portal is not None
        return self.client.portal.call(func, *args)

    def json(self, method: str, path: str, body: Any = None, code: int = 200) -> Any:
        answer = self.client.request(method, path, json=body)
        assert answer.status_code == code, answer.text
        return answer.json()

    def page(self, place: str) -> str:
        answer = self.client.get(f"{DASHBOARD}{place}")
        assert answer.status_code == 200, answer.text
        return answer.text

    def post(self, path: str, **form: str) -> Any:
        """Send a form and follow where it leads."""
        answer = self.client.post(path, data=form)
        assert answer.status_code == 200, answer.text
        return answer

    def audit(self) -> list[tuple[str, str | None, dict[str, Any]]]:
        return [(one["action"], one["target"], one["detail"]) for one in self.json("GET", "/tasks/audit")]

    def add(self, name: str, **options: Any) -> None:
        async def add() -> None:
            await self.showcase.manager.add_schedule(self.showcase.sign_off, name=name, every=3600, **options)

        self.call(add)

    def plan(self, run_key: str) -> str:
        async def plan() -> str:
            manager, at = self.showcase.manager, datetime.now(UTC) + timedelta(hours=3)
            task = await manager.schedule_once(self.showcase.send_receipt, "ann", 1, run_at=at, run_key=run_key)
            return task.id

        return str(self.call(plan))


@pytest.fixture(params=["memory", "sqlite"])
def site(request, tmp_path) -> Iterator[Site]:
    backend = None if request.param == "memory" else SqliteBackend(tmp_path / "tasks.db", synchronous="NORMAL")
    showcase = Showcase(backend)
    with TestClient(showcase.app) as client:
        yield Site(showcase, client)


# -- over the API ------------------------------------------------------------------------------------


@pytest.mark.parametrize("base", API)
def test_a_schedule_is_changed_and_reset(site, base):
    changed = site.json("PATCH", f"{base}/schedules/{NIGHTLY}", {"cron": "0 4 * * *", "overlap": "wait", "grace": None})
    assert (changed["trigger"], changed["timezone"]) == ("at 04:00 every day (Europe/Berlin)", "Europe/Berlin")
    assert (changed["overlap"], changed["changed"]) == ("wait", True)

    reset = site.json("POST", f"{base}/schedules/{NIGHTLY}/reset")
    assert (reset["trigger"], reset["overlap"], reset["changed"]) == (
        "at 02:30 every day (Europe/Berlin)",
        "allow",
        False,
    )
    was = {"trigger": "at 02:30 every day (Europe/Berlin)", "overlap": "allow"}
    now = {"trigger": "at 04:00 every day (Europe/Berlin)", "overlap": "wait"}
    assert site.audit() == [
        ("schedule.reset", NIGHTLY, {"before": now, "after": was}),
        ("schedule.change", NIGHTLY, {"before": was, "after": now}),
    ]


@pytest.mark.parametrize("base", API)
def test_a_schedule_that_was_added_is_removed(site, base):
    site.add("team/hourly")
    assert site.json("DELETE", f"{base}/schedules/team/hourly")["removed"] is True

    problem = site.json("DELETE", f"{base}/schedules/team/hourly", code=404)
    assert "there is no schedule 'team/hourly'" in problem["detail"]
    detail = {"func": "shop:sign_off", "trigger": "every hour"}
    assert site.audit() == [("schedule.remove", "team/hourly", detail)]


@pytest.mark.parametrize("base", API)
def test_what_code_declares_is_not_removed_and_what_it_does_not_is_not_reset(site, base):
    site.add("hourly")
    assert "pause it" in site.json("DELETE", f"{base}/schedules/{NIGHTLY}", code=409)["detail"]
    assert "no way back" in site.json("POST", f"{base}/schedules/hourly/reset", code=409)["detail"]
    assert site.audit() == []


@pytest.mark.parametrize("base", API)
def test_a_run_that_was_to_come_once_is_cancelled(site, base):
    task_id = site.plan("orders/7")
    site.plan("orders/8")
    site.json("DELETE", f"{base}/scheduled/orders/7")

    listed = site.json("GET", f"{base}/scheduled")
    assert [one["run_key"] for one in (listed if base == "/tasks" else listed["items"])] == ["orders/8"]
    assert site.json("GET", f"/tasks/{task_id}")["status"] == "cancelled"
    assert "orders/7" in site.json("DELETE", f"{base}/scheduled/orders/7", code=404)["detail"]
    assert site.audit() == [("scheduled.cancel", "orders/7", {})]


# -- on the pages ------------------------------------------------------------------------------------


def forms(page: str, end: str) -> list[str]:
    """The addresses of the forms whose addresses end so."""
    return [action for action in re.findall(r'action="([^"]+)"', page) if action.endswith(end)]


def test_a_schedule_that_was_added_fires_and_can_be_run_and_removed(site):
    site.add("hourly", overlap="wait")
    assert "added at run time" in site.page("/schedules")
    page = site.page("/schedules/hourly")
    assert "it was added at run time and fires until it is removed" in page
    assert "nobody here fires it" not in page
    assert "the newest slot waits for its end" in page
    (run,), (remove,) = forms(page, "/run"), forms(page, "/remove")
    assert site.post(run).url.path.startswith("/tasks/dashboard/tasks/")

    assert "hourly is removed; its records stay." in site.post(remove, next="/schedules").text
    assert site.client.get(f"{DASHBOARD}/schedules/hourly").status_code == 404


def test_a_schedule_whose_function_nobody_knows_is_not_fired_here(site):
    entry = ScheduleEntry("foreign", "other:work", "every 60.0", 4e9, None, "{}")
    site.call(partial(site.showcase.manager.backend.put, entry, new=True))

    assert "not fired here" in site.page("/schedules")
    page = site.page("/schedules/foreign")
    assert "nobody here fires it" in page
    assert (forms(page, "/run"), len(forms(page, "/remove"))) == ([], 1)
    known = {one["name"]: one["fires_here"] for one in site.json("GET", "/tasks/schedules")}
    assert (known["foreign"], known[NIGHTLY]) == (False, True)


def test_a_schedule_that_was_changed_goes_back_to_the_code(site):
    site.json("PATCH", f"/tasks/schedules/{NIGHTLY}", {"every": 60, "overlap": "cancel_previous"})
    page = site.page(f"/schedules/{NIGHTLY}")
    assert "it is cancelled, and the next one runs after its end" in page
    (reset,) = forms(page, "/reset")
    assert forms(page, "/remove") == []

    assert "as the code says" in site.post(reset, next=f"/schedules/{NIGHTLY}").text
    page = site.page(f"/schedules/{NIGHTLY}")
    assert "the next one runs beside it" in page
    assert forms(page, "/reset") == []


def test_what_is_to_run_once_is_shown_and_cancelled(site):
    assert "To run once" not in site.page("/schedules")
    task_id = site.plan("<7>")
    page = site.page("/schedules")
    assert "&lt;7&gt;" in page
    assert f"/tasks/{task_id}" in page
    (cancel,) = forms(page, "/scheduled/cancel")

    assert "&lt;7&gt; is cancelled." in site.post(cancel, run_key="<7>").text
    assert "To run once" not in site.page("/schedules")
    again = site.client.post(cancel, data={"run_key": "<7>"})
    assert (again.status_code, "nothing waits under" in again.text) == (404, True)
