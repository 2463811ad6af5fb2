"""Makes a picture of every screen of the dashboard, light and dark: `python scripts/screenshots.py`.

Serves the application of tests/support/showcase.py and looks at it with the Chromium of the system. `--only tasks`
makes those whose name begins so, `--folder` puts them elsewhere.
"""

import argparse
import random
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import UUID

import httpx
from playwright.sync_api import Browser, sync_playwright
from uuid_utils import uuid7

from outlive.core.audit import AuditEntry
from outlive.core.moves import Enqueue, Fire, Move, Settle
from outlive.core.schedule import ScheduleState
from outlive.core.states import Event, TaskStatus

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
        "requests": f"{start}/requests",
        "request": f"{start}/requests/{ids['request']}",
        "errors": f"{start}/errors",
        "dead-letters": f"{start}/dead-letters",
        "schedules": f"{start}/schedules",
        "schedule": f"{start}/schedules/shop:nightly_report",
        "schedule-runs": f"{start}/schedules/shop:clear_baskets",
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
    page.screenshot(path=path, full_page="/tasks?" not in url and not url.endswith("/tasks"))
    context.close()


@contextmanager
def served() -> Iterator[tuple[str, dict[str, str], str]]:
    """The showcase behind a server, filled, and one with a login."""
    showcase, closed = Showcase(), Showcase(auth=("ann", "sesame"))
    with running(showcase) as site, running(closed) as login:
        ids = site.call(prepare(showcase))
        yield site.host, ids | {"request": requested(showcase, site.host)}, login.host


def requested(showcase: Showcase, host: str) -> str:
    """Some requests that start tasks; the newest one's id."""
    for path in ("/orders", "/checkout", "/orders", "/checkout"):
        httpx.post(f"{host}{path}").raise_for_status()
    traces = showcase.manager.traces
    if traces is None:
        raise SystemExit("the showcase notes no requests")
    newest: str = traces.newest()[0].id
    return newest


async def prepare(showcase: Showcase) -> dict[str, str]:
    """An hour of history, tasks in every status, two who want one lock, and something that somebody did."""
    await history(showcase)
    ids: dict[str, str] = await showcase.fill()
    await showcase.hold_locks()
    manager = showcase.manager
    await manager.pause_schedule("shop:weekly_stock")
    for action, target, detail in (
        ("schedule.pause", "shop:weekly_stock", {"changed": True}),
        ("task.retry", ids["failed"], {"before": "failed", "after": "pending"}),
        ("queue.change", "default", {"before": {"concurrency": None}, "after": {"concurrency": 8}}),
    ):
        await manager.backend.note(AuditEntry(str(uuid7()), time.time(), "ann", action, target, detail))
    return ids


async def history(showcase: Showcase) -> None:
    """Records that ended within the last hour."""
    chance = random.Random(7)  # noqa: S311 - pictures keep no secret
    moments = sorted(time.time() - chance.uniform(10, 3500) for _ in range(420))
    moves: list[Move] = []
    for at in moments:
        name, usual = chance.choice((("send_receipt", 0.2), ("resize_picture", 0.9), ("charge_card", 0.4)))
        task_id = str(UUID(int=int(at * 1000) << 80 | 0x7 << 76 | chance.getrandbits(62) | 1 << 63))
        started, ended = at + 0.004, at + 0.004 + usual * chance.lognormvariate(0, 0.5)
        moves.append(Enqueue(task_id, f"shop:{name}", f"shop:{name}", at, at, "earlier", started))
        error = "the bank is closed" if name == "charge_card" and chance.random() < 0.12 else None
        event, status = (Event.FAIL, TaskStatus.FAILED) if error else (Event.SUCCEED, TaskStatus.SUCCESS)
        trace = f"BankClosedError: {error}" if error else None
        moves.append(Settle(task_id, 1, event, status, ended, error=error, stacktrace=trace))
    for state in await showcase.manager.backend.schedules():
        if state.name == "shop:clear_baskets":
            moves += fired(state)
    await showcase.manager.backend.apply(moves)


def fired(state: ScheduleState) -> list[Move]:
    """Slots of the last hour, each with its run."""
    name, next_at = state.name, state.next_at
    assert next_at is not None  # noqa: S101 - it is declared with every=
    slots = [time.time() - 300 * back for back in range(11, 0, -1)]
    moves: list[Move] = [Fire("0", name, next_at, slots[0], slots[0])]
    for number, (slot, following) in enumerate(zip(slots, [*slots[1:], next_at], strict=True)):
        task_id = str(UUID(int=int(slot * 1000) << 80 | 0x7 << 76 | 1 << 63 | number))
        moves.append(Fire(task_id, name, slot, following, slot, slot))
        began = slot + 0.003 * (number % 4 + 1)
        accepted = Enqueue(task_id, name, name, slot, slot, "earlier", began)
        accepted.source, accepted.timing, accepted.schedule = "scheduled", "schedule", name
        moves.append(accepted)
        failed = number == 6
        event, status = (Event.FAIL, TaskStatus.FAILED) if failed else (Event.SUCCEED, TaskStatus.SUCCESS)
        moves.append(Settle(task_id, 1, event, status, slot + 0.7, error="no baskets were found" if failed else None))
    return moves


if __name__ == "__main__":
    sys.exit(main())
