"""Makes a picture of every screen of the dashboard, light and dark: `python scripts/screenshots.py`.

Serves the application of tests/support/showcase.py and looks at it with the Chromium of the system. `--only tasks`
makes those whose name begins so, `--folder` puts them elsewhere.
"""

import argparse
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import Browser, sync_playwright

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests"))

from support.browsing import CHROMIUM  # noqa: E402 - after the path to it
from support.browsing import served as running  # noqa: E402
from support.showcase import Showcase  # noqa: E402

WIDE, PHONE = {"width": 1360, "height": 900}, {"width": 390, "height": 844}


def main() -> int:
    """Make them."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, default=ROOT / "docs" / "screenshots")
    parser.add_argument("--only", default="")
    options = parser.parse_args()
    options.folder.mkdir(parents=True, exist_ok=True)
    with served() as (address, ids, login), sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM)
        for theme in ("light", "dark"):
            for name, place in screens(ids).items():
                if name.startswith(options.only):
                    shoot(browser, f"{address}{place}", theme, options.folder / f"{name}-{theme}.png")
            if "login".startswith(options.only):
                shoot(browser, f"{login}/tasks/auth/login", theme, options.folder / f"login-{theme}.png")
        for name in ("overview", "tasks", "task-failed"):
            if f"phone-{name}".startswith(options.only):
                place = screens(ids)[name]
                shoot(browser, f"{address}{place}", "light", options.folder / f"phone-{name}.png", PHONE)
        browser.close()
    print(f"{len(list(options.folder.glob('*.png')))} pictures in {options.folder}")
    return 0


def screens(ids: dict[str, str]) -> dict[str, str]:
    """Each screen by the name of its picture."""
    start = "/tasks/dashboard"
    return {
        "overview": start,
        "tasks": f"{start}/tasks",
        "tasks-failed": f"{start}/tasks?q=status:failed",
        "tasks-empty": f"{start}/tasks?q=status:rejected",
        "task-failed": f"{start}/tasks/{ids['failed']}",
        "task-waiting": f"{start}/tasks/{ids['pending']}",
        "errors": f"{start}/errors",
        "dead-letters": f"{start}/dead-letters",
        "schedules": f"{start}/schedules",
        "schedule": f"{start}/schedules/shop:nightly_report",
        "functions": f"{start}/functions",
        "function": f"{start}/functions/shop:charge_card",
        "queues": f"{start}/queues",
        "instances": f"{start}/instances",
        "locks": f"{start}/locks",
        "audit": f"{start}/audit",
    }


def shoot(browser: Browser, url: str, theme: str, path: Path, size: dict[str, int] = WIDE) -> None:
    """One picture of a whole page."""
    context = browser.new_context(
        viewport={"width": size["width"], "height": size["height"]},
        color_scheme="dark" if theme == "dark" else "light",
        reduced_motion="reduce",
        device_scale_factor=1,
    )
    page = context.new_page()
    page.goto(url)
    page.wait_for_load_state("load")
    if "/auth/" not in url:
        page.wait_for_selector("#live[data-state=live]", timeout=10_000)
    page.screenshot(path=path, full_page=True)
    context.close()


@contextmanager
def served() -> Iterator[tuple[str, dict[str, str], str]]:
    """The showcase behind a server, filled, and one with a login."""
    showcase, closed = Showcase(), Showcase(auth=("ann", "sesame"))
    with running(showcase) as site, running(closed) as login:
        yield site.host, site.call(prepare(showcase)), login.host


async def prepare(showcase: Showcase) -> dict[str, str]:
    """Tasks in every status, and two who want one lock."""
    ids: dict[str, str] = await showcase.fill()
    await showcase.hold_locks()
    return ids


if __name__ == "__main__":
    sys.exit(main())
