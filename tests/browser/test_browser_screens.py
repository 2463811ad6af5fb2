"""Every screen in a real browser: under prefixes, dark and light, on a phone; nothing to complain about for anybody."""

import pytest
from axe_playwright_python.sync_playwright import Axe
from fastapi import FastAPI
from playwright.sync_api import Page
from support.browsing import is_live, looking, served
from support.showcase import Showcase


def screens(ids: dict[str, str]) -> list[str]:
    return [
        "",
        "/tasks",
        "/tasks?q=status:failed",
        "/tasks?q=nothing-has-this",
        *(f"/tasks/{ids[name]}" for name in ("failed", "running", "pending", "secret")),
        "/requests",
        "/errors",
        "/dead-letters?window=1h",
        "/schedules",
        "/schedules/shop:nightly_report",
        "/functions",
        "/functions/shop:charge_card",
        "/queues?edit=default",
        "/instances",
        "/locks",
        "/audit",
    ]


RULES = {"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]}


def faults_for_some(page: Page) -> list[str]:
    """What somebody who cannot see, point or tell colours apart would stumble over."""
    found = Axe().run(page, options=RULES).response["violations"]
    return [f"{one['id']} at {node['target']}: {node['failureSummary']}" for one in found for node in one["nodes"]]


def mounted(showcase: Showcase) -> FastAPI:
    outer = FastAPI(lifespan=lambda _: showcase.app.router.lifespan_context(showcase.app))
    outer.mount("/shop", showcase.app)
    return outer


PLACES = {
    "plain": (Showcase, None, ""),
    "elsewhere": (lambda: Showcase(path="/ops/background-tasks"), None, ""),
    "mounted": (Showcase, mounted, "/shop"),
}
LOOKS = {
    "plain": {"color_scheme": "light"},
    "elsewhere": {"color_scheme": "dark"},
    "mounted": {"color_scheme": "light", "viewport": {"width": 360, "height": 740}, "has_touch": True},
}


@pytest.mark.parametrize("half", [0, 1])
@pytest.mark.parametrize("place", PLACES)
def test_every_screen_is_whole_and_accessible(browser, place, half):
    make, wrap, prefix = PLACES[place]
    showcase = make()
    with served(showcase, wrap and wrap(showcase), prefix) as site, looking(browser, **LOOKS[place]) as page:
        ids = site.call(showcase.fill())
        site.call(showcase.hold_locks())
        faults: list[str] = []
        for screen in screens(ids)[half::2]:
            answer = page.goto(f"{site.address}{screen}")
            assert answer is not None
            assert answer.status == 200, screen
            is_live(page)
            faults += [f"{screen}: {fault}" for fault in faults_for_some(page)]
            if page.evaluate("document.documentElement.scrollWidth > document.documentElement.clientWidth"):
                faults.append(f"{screen}: wider than the window")
            for link in page.eval_on_selector_all("a[href]", "all => all.map(one => one.getAttribute('href'))"):
                assert link.startswith((f"{prefix}{showcase.admin.path}", "#")), (screen, link)
        assert faults == []


@pytest.mark.parametrize("look", LOOKS)
def test_a_request_leads_to_its_tasks_and_back(browser, look):
    with served(Showcase()) as site, looking(browser, **LOOKS[look]) as page:
        assert page.request.post(f"{site.host}/orders").ok
        page.goto(f"{site.address}/requests")
        is_live(page)
        assert faults_for_some(page) == []
        page.get_by_role("link", name="POST /orders").click()
        page.get_by_role("heading", name="after_response").wait_for()
        assert faults_for_some(page) == []
        assert not page.evaluate("document.documentElement.scrollWidth > document.documentElement.clientWidth")
        page.get_by_role("link", name="send_receipt").click()
        page.get_by_role("link", name="POST /orders").click()
        page.get_by_role("heading", name="after_response").wait_for()


def test_behind_a_proxy_that_cuts_the_prefix_off(browser):
    showcase = Showcase()
    with served(showcase, root_path="/outside") as site, looking(browser) as page:
        # What the browser asks for below /outside the proxy hands on without it.
        page.route("**/outside/**", lambda route: route.continue_(url=route.request.url.replace("/outside/", "/")))
        page.goto(f"{site.host}/outside/tasks/dashboard")
        page.get_by_role("link", name="Schedules", exact=True).click()
        page.get_by_role("heading", name="Schedules").wait_for()
        assert page.url == f"{site.host}/outside/tasks/dashboard/schedules"
        is_live(page)
        actions = page.eval_on_selector_all("form", "all => all.map(one => one.getAttribute('action'))")
        assert all(action.startswith("/outside/tasks/") for action in actions)


def test_the_login_and_a_problem_are_accessible(browser):
    with served(Showcase(auth=("ann", "sesame"))) as site, looking(browser) as page:
        page.goto(site.address)
        assert page.url == f"{site.host}/tasks/auth/login"
        assert faults_for_some(page) == []
        page.get_by_label("Name").fill("ann")
        page.get_by_label("Password").fill("sesame")
        page.get_by_role("button", name="Sign in").click()
        page.get_by_role("heading", name="Overview").wait_for()
        is_live(page)
        page.get_by_role("button", name="Sign out").click()
        page.get_by_role("heading", name="Sign in").wait_for()
        page.goto(site.address)
        page.get_by_role("heading", name="Sign in").wait_for()


def test_dark_and_light_by_hand(site, page):
    page.emulate_media(color_scheme="light")
    page.goto(site.address)
    page.get_by_role("button", name="Theme").click()
    assert page.locator("html").get_attribute("data-theme") == "dark"
    page.reload()
    assert page.locator("html").get_attribute("data-theme") == "dark"
    page.get_by_role("button", name="Theme").click()
    assert page.locator("html").get_attribute("data-theme") == "light"


def test_the_charts_are_drawn_from_their_tables(site, page):
    site.call(site.showcase.fill())
    page.goto(site.address)
    page.locator("#throughput canvas").wait_for()
    page.locator("#durations canvas").wait_for()
    page.locator("#throughput + details summary").click()
    assert page.locator("#throughput-table tbody tr").count() == 60
