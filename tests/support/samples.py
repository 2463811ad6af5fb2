"""Runs samples of documentation: code as text, together with the names that its page takes for granted."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from fastapi import BackgroundTasks, Depends, FastAPI
from fastapi.testclient import TestClient
from support.waiting import until_sync

from outlive import TaskManager, TaskRecord

BEGINS, SENT = "-- the response begins", "-- the response is sent"


class Page:
    """One page: its samples share their names, and what they print is in `said`, between the parts of responses."""

    def __init__(self, **supplied: Any) -> None:
        self.said: list[str] = []
        self.names: dict[str, Any] = {
            "__name__": "page",
            "print": lambda *words: self.said.append(" ".join(map(str, words))),
            "BackgroundTasks": BackgroundTasks,
            "Depends": Depends,
            **supplied,
        }

    def run(self, sample: str) -> "Page":
        exec(compile(sample, "sample", "exec"), self.names)
        return self

    def speaking(self, *names: str) -> "Page":
        """Supply functions that print their name and arguments."""
        for name in names:
            self.names[name] = self._speaker(name)
        return self

    def _speaker(self, name: str) -> Any:
        def speak(*args: Any) -> None:
            self.said.append(" ".join(map(str, (name, *args))))

        speak.__name__ = speak.__qualname__ = name
        return speak

    @property
    def app(self) -> FastAPI:
        app: FastAPI = self.names["app"]
        return app

    @property
    def manager(self) -> TaskManager:
        """The manager that serves the page's application."""
        hosts = [one.kwargs.get("host") for one in self.app.user_middleware]
        return next(host for host in hosts if isinstance(host, TaskManager))

    @contextmanager
    def served(self) -> Iterator["Served"]:
        with TestClient(self._watched) as client:
            yield Served(self, client)

    async def _watched(self, scope: Any, receive: Any, send: Any) -> None:
        async def watched_send(message: Any) -> None:
            if message["type"] == "http.response.start":
                self.said.append(BEGINS)
            await send(message)
            if message["type"] == "http.response.body" and not message.get("more_body"):
                self.said.append(SENT)

        await self.app(scope, receive, watched_send)


class Served:
    """A page's running application."""

    def __init__(self, page: Page, client: TestClient) -> None:
        self.page = page
        self.client = client

    def post(self, path: str, **options: Any) -> Any:
        answer = self.client.post(path, **options)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def get(self, path: str, **options: Any) -> Any:
        answer = self.client.get(path, **options)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def records(self, count: int) -> dict[str, TaskRecord]:
        """The newest record of each function, once there are `count` records and all have ended."""
        assert self.client.portal is not None
        call = self.client.portal.call

        def have_ended() -> bool:
            found = call(self.page.manager.find)
            return len(found) == count and all(record.is_final for record in found)

        until_sync(have_ended)
        return {record.func_name: record for record in reversed(call(self.page.manager.find))}
