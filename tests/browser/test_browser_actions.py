"""What a person does on the screens of a running application, and what becomes of it."""

import re

import pytest
from playwright.sync_api import expect
from support.browsing import is_live, looking

from outlive.core.states import TaskStatus


@pytest.fixture
def ids(site) -> dict[str, str]:
    return site.call(site.showcase.fill())


def status_of(site, task_id: str) -> TaskStatus:
    return site.call(site.showcase.manager.get(task_id)).status


def test_filter_open_and_retry(site, ids, page):
    page.goto(f"{site.address}/tasks")
    page.get_by_role("searchbox").fill("status:failed fn:shop:charge_card")
    page.get_by_role("button", name="Search").click()
    expect(page.locator("tbody tr")).to_have_count(3)
    assert page.url.endswith("q=status%3Afailed+fn%3Ashop%3Acharge_card")

    page.locator(f"#t-{ids['failed']} a").first.click()
    expect(page.get_by_role("heading", name="shop:charge_card")).to_be_visible()
    expect(page.get_by_text("raise BankClosedError").first).to_be_visible()
    site.showcase.bank_is_open = True
    page.get_by_role("button", name="Retry").click()
    expect(page.get_by_text("shop:charge_card runs again.")).to_be_visible()
    expect(page.locator("#screen .badge").first).to_have_text("success")
    expect(page.get_by_role("heading", name="Attempt 3")).to_be_visible()
    page.go_back()
    expect(page.get_by_role("heading", name="shop:charge_card")).to_be_visible()


def test_cancel_what_runs_and_what_waits(site, ids, page):
    for name in ("running", "pending"):
        page.goto(f"{site.address}/tasks/{ids[name]}")
        page.get_by_role("button", name="Cancel").click()
        expect(page.locator("#screen .badge").first).to_have_text("cancelled")
        assert status_of(site, ids[name]) is TaskStatus.CANCELLED


def test_why_a_task_waits(site, ids, page):
    page.goto(f"{site.address}/tasks/{ids['pending']}")
    expect(page.get_by_role("heading", name="Why is it not running?")).to_be_visible()
    expect(page.get_by_text("It is not due yet")).to_be_visible()


def test_arguments_are_shown_and_secrets_are_not(site, ids, page):
    page.goto(f"{site.address}/tasks/{ids['secret']}")
    expect(page.get_by_text("(hidden)").first).to_be_visible()
    assert "sesame" not in page.content()


def test_edit_and_run(site, ids, page):
    page.goto(f"{site.address}/tasks/{ids['failed']}")
    site.showcase.bank_is_open = True
    page.get_by_text("Edit and run").click()
    page.get_by_label("Arguments as JSON").fill('{"order": 99, "amount": 1.5}')
    page.get_by_role("button", name="Run", exact=True).click()
    expect(page.get_by_text("This is the new run.")).to_be_visible()
    assert ids["failed"] not in page.url
    expect(page.get_by_role("cell", name="charging 1.5 for order 99")).to_be_visible()
    page.goto(f"{site.address}/tasks/{ids['failed']}")
    page.get_by_text("Edit and run").click()
    page.get_by_label("Arguments as JSON").fill('{"order": "many"}')
    page.get_by_role("button", name="Run", exact=True).click()
    expect(page.get_by_text("does not take these arguments")).to_be_visible()


def test_bulk_over_ticked_rows(site, ids, page):
    site.showcase.bank_is_open = True
    page.goto(f"{site.address}/tasks?q=status:failed")
    page.get_by_label(re.compile("^Tick shop:charge_card")).nth(0).check()
    page.get_by_label(re.compile("^Tick shop:charge_card")).nth(1).check()
    expect(page.locator("[data-ticked]")).to_have_text("2")
    page.get_by_role("button", name="Retry…").click()
    expect(page.get_by_role("heading", name="Retry 2 tasks?")).to_be_visible()
    page.get_by_role("button", name="Retry 2").click()
    expect(page.get_by_text("2 tasks run again.")).to_be_visible()
    expect(page.locator("tbody tr")).to_have_count(1)


def test_bulk_over_all_that_match(site, ids, page):
    site.showcase.bank_is_open = True
    page.goto(f"{site.address}/tasks?q=status:failed")
    page.get_by_label("all that match").check()
    page.get_by_role("button", name="Retry…").click()
    page.get_by_role("button", name="Retry 3").click()
    expect(page.get_by_text("3 tasks run again.")).to_be_visible()
    page.goto(f"{site.address}/audit")
    expect(page.get_by_role("cell", name="task.retry")).to_be_visible()


def test_a_group_of_failures_runs_again(site, ids, page):
    site.showcase.bank_is_open = True
    page.goto(f"{site.address}/errors")
    page.get_by_role("link", name="BankClosedError").click()
    page.get_by_role("button", name="Retry all…").click()
    page.get_by_role("button", name="Retry 3").click()
    expect(page.get_by_text("3 tasks run again.")).to_be_visible()


def test_dead_letters_are_replayed_by_window(site, ids, page):
    site.showcase.bank_is_open = True
    page.goto(f"{site.address}/dead-letters")
    page.get_by_role("link", name="6 hours").click()
    page.get_by_role("button", name="Replay last 6 hours…").click()
    page.get_by_role("button", name="Retry 3").click()
    expect(page.get_by_text("No dead letters")).to_be_visible()


def test_pause_resume_and_run_a_schedule(site, page):
    page.goto(f"{site.address}/schedules")
    page.get_by_role("link", name="shop:nightly_report").click()
    expect(page.get_by_role("cell", name="02:30:00").first).to_be_visible()
    main = page.locator(".top")
    main.locator("form").get_by_role("button", name="Pause").click()
    expect(page.get_by_text("is paused in all instances")).to_be_visible()
    main.get_by_role("button", name="Resume").click()
    expect(page.get_by_text("goes on with its next slot")).to_be_visible()
    main.get_by_role("button", name="Run now").click()
    expect(page.get_by_text("This is the run of shop:nightly_report")).to_be_visible()


def test_pause_and_limit_a_queue(site, ids, page):
    page.goto(f"{site.address}/queues")
    page.locator("td form").get_by_role("button", name="Pause").click()
    expect(page.locator("td .badge", has_text="paused")).to_be_visible()
    page.locator("td form").get_by_role("button", name="Resume").click()
    expect(page.get_by_text("default goes on.")).to_be_visible()
    page.get_by_role("link", name="Limits").click()
    page.get_by_label("At once in each instance").fill("3")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_text("default has new limits")).to_be_visible()
    expect(page.locator("td.num", has_text="3").first).to_be_visible()


def test_an_instance_is_drained_and_resumed(site, ids, page):
    page.goto(f"{site.address}/instances")
    expect(page.get_by_text("async 1")).to_be_visible()
    page.get_by_role("button", name="Drain").click()
    expect(page.get_by_text("It takes no new work, and finishes what it runs.")).to_be_visible()
    expect(page.locator(".badge", has_text="draining")).to_be_visible()
    page.goto(site.address)
    expect(page.locator(".badge", has_text="draining")).to_be_visible()
    page.get_by_role("link", name="All instances").click()
    page.get_by_role("button", name="Resume", exact=True).click()
    expect(page.get_by_text("It takes work again.")).to_be_visible()
    expect(page.locator(".badge", has_text="alive")).to_be_visible()


def test_a_lock_is_taken_away(site, page):
    site.call(site.showcase.hold_locks())
    page.goto(f"{site.address}/locks")
    holder, waiter = (page.locator(one).first.inner_text() for one in ("dd.mono", ".waiters li"))
    page.get_by_text("Take it away").first.click()
    page.get_by_label("Why (its holder can read it)").fill("it hangs")
    page.get_by_role("button", name="Take it away").click()
    expect(page.get_by_text("was taken from its holder")).to_be_visible()
    expect(page.get_by_role("cell", name=re.compile("it hangs"))).to_be_visible()
    expect(page.locator("dd.mono").first).to_have_text(waiter)
    assert holder != waiter


def test_history_is_deleted_and_exported(site, ids, page):
    page.goto(f"{site.address}/tasks?q=status:failed")
    with page.expect_download() as download:
        page.get_by_role("link", name="Export CSV").click()
    lines = download.value.path().read_text().splitlines()
    assert lines[0] == "ID,Function,Status,Duration (ms),Retries,Created,Error"
    assert len(lines) == 4
    page.get_by_text("Delete history").click()
    page.get_by_role("button", name="Delete", exact=True).click()
    expect(page.get_by_text("0 finished tasks were deleted.")).to_be_visible()


# -- live --------------------------------------------------------------------------------------------


def order(site, page) -> None:
    assert page.request.post(f"{site.host}/orders").ok


def test_what_happens_is_seen_without_a_reload(site, page):
    page.goto(f"{site.address}/tasks")
    expect(page.get_by_text("No tasks yet")).to_be_visible()
    is_live(page)
    order(site, page)
    expect(page.locator("tbody tr")).to_have_count(1)
    page.locator("tbody input").first.check()
    page.get_by_role("searchbox").focus()
    order(site, page)
    expect(page.locator("tbody tr")).to_have_count(2)
    expect(page.locator("tbody input").nth(1)).to_be_checked()
    expect(page.get_by_role("searchbox")).to_be_focused()


def test_a_paused_page_counts_and_catches_up(site, page):
    page.goto(f"{site.address}/tasks")
    is_live(page)
    page.get_by_role("button", name="Pause").click()
    order(site, page)
    expect(page.locator("#live")).to_contain_text(re.compile(r"Paused, \d+ change"))
    expect(page.locator("tbody tr")).to_have_count(0)
    page.get_by_role("button", name="Resume").click()
    expect(page.locator("tbody tr")).to_have_count(1)


def test_a_page_whose_server_is_gone_says_so(browser, site):
    context = browser.new_context()
    page = context.new_page()
    page.goto(f"{site.address}/tasks")
    is_live(page)
    site.stop()
    expect(page.locator("#live")).to_contain_text("Disconnected")
    expect(page.get_by_text("The connection is lost")).to_be_visible()
    context.close()


# -- without script, without a mouse -------------------------------------------------------------------


def test_everything_works_as_plain_pages(site, ids, browser):
    site.showcase.bank_is_open = True
    with looking(browser, java_script_enabled=False) as page:
        page.goto(f"{site.address}/tasks")
        page.get_by_role("searchbox").fill("status:failed")
        page.get_by_role("button", name="Search").click()
        page.locator("tbody input").first.check()
        page.get_by_role("button", name="Retry…").click()
        page.get_by_role("button", name="Retry 1").click()
        expect(page.get_by_text("1 tasks run again.")).to_be_visible()
        page.goto(f"{site.address}/schedules")
        page.locator("td form").get_by_role("button", name="Pause").first.click()
        expect(page.get_by_text("is paused in all instances")).to_be_visible()
        page.goto(site.address)
        page.get_by_role("button", name="Theme").click()
        assert page.locator("html").get_attribute("data-theme") == "dark"


def test_keys(site, ids, page):
    page.goto(f"{site.address}/tasks")
    page.keyboard.press("j")
    expect(page.locator("tbody .main-link").first).to_be_focused()
    page.keyboard.press("j")
    page.keyboard.press("x")
    expect(page.locator("tbody input").nth(1)).to_be_checked()
    page.keyboard.press("k")
    page.keyboard.press("Enter")
    page.wait_for_url(re.compile(r"/dashboard/tasks/[0-9a-f-]{36}"))
    page.goto(f"{site.address}/tasks")
    page.keyboard.press("/")
    expect(page.get_by_role("searchbox")).to_be_focused()
