"""Applications behind a real server, and pages of a real browser that tell what they complain about."""

import asyncio
import socket
import threading
import time
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import uvicorn
from playwright.sync_api import Browser, BrowserContext, Page
from support.showcase import Showcase

CHROMIUM = Path("/usr/bin/chromium")


class Served:
    """A showcase behind uvicorn, in a thread. `prefix` is what a proxy in front of it would cut off."""

    def __init__(self, showcase: Showcase, app: Any = None, prefix: str = "", root_path: str = "") -> None:
        self.showcase = showcase
        self.prefix = prefix
        # Without a signal, which a thread does not get, streams are not told that the server stops.
        config = uvicorn.Config(
            app or showcase.app, log_level="critical", ws="none", timeout_graceful_shutdown=1, root_path=root_path
        )
        self._server = uvicorn.Server(config)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._thread = threading.Thread(target=self._server.run, kwargs={"sockets": [self._listener]})

    @property
    def host(self) -> str:
        return f"http://127.0.0.1:{self._listener.getsockname()[1]}"

    @property
    def address(self) -> str:
        """The dashboard."""
        return f"{self.host}{self.prefix}{self.showcase.admin.path}/dashboard"

    def start(self) -> None:
        self._thread.start()
        deadline = time.monotonic() + 20
        while not self.showcase.manager.is_started:
            assert time.monotonic() < deadline, "the application did not start"
            time.sleep(0.01)  # noqa: TID251 - polls with a deadline

    def stop(self) -> None:
        self._server.should_exit = True
        self._thread.join(30)
        self._listener.close()
        assert not self._thread.is_alive()

    def call(self, work: Coroutine[Any, Any, Any]) -> Any:
        """Do something on the application's event loop."""
        return asyncio.run_coroutine_threadsafe(work, self.showcase.manager.runtime.loop).result(30)


@contextmanager
def served(showcase: Showcase, app: Any = None, prefix: str = "", root_path: str = "") -> Iterator[Served]:
    one = Served(showcase, app, prefix, root_path)
    one.start()
    try:
        yield one
    finally:
        one.stop()


@contextmanager
def looking(browser: Browser, **options: Any) -> Iterator[Page]:
    """A page of its own context; whatever the browser complains about fails the test."""
    context = browser.new_context(**({"viewport": {"width": 1280, "height": 860}} | options))
    complaints: list[str] = []
    page = context.new_page()
    watch(context, page, complaints)
    try:
        yield page
    finally:
        context.close()
    assert complaints == []


def watch(context: BrowserContext, page: Page, complaints: list[str]) -> None:
    """Note errors on the console (a violated policy is one), in scripts, and requests to anywhere else."""
    page.on("console", lambda one: complaints.append(one.text) if one.type in ("error", "warning") else None)
    page.on("pageerror", lambda one: complaints.append(str(one)))

    def is_ours(url: str) -> bool:
        return urlsplit(url).hostname in ("127.0.0.1", None)

    context.on("request", lambda one: None if is_ours(one.url) else complaints.append(f"asked for {one.url}"))


def is_live(page: Page) -> None:
    page.wait_for_selector("#live[data-state=live]")
