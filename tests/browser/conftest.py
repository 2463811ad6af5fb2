from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright
from support.browsing import CHROMIUM, Served, looking, served
from support.showcase import Showcase

expect.set_options(timeout=20_000)


# Not for the whole session: as long as it is open, its event loop counts as running and no other can.
@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    if not CHROMIUM.exists():
        pytest.skip(f"there is no browser at {CHROMIUM}: apt-get install chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture
def site() -> Iterator[Served]:
    with served(Showcase()) as site:
        yield site


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    with looking(browser) as page:
        page.set_default_timeout(20_000)
        yield page
