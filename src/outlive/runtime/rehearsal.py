"""What the tests of an application change in how an instance runs: doors in the one path, no second one."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from outlive.definitions.context import current
from outlive.definitions.task import Task
from outlive.errors import ConfigError


class Rehearsal:
    """Lets tests hold tasks back, see what was accepted, and wait at the end of each request.

    Arguments that can be stored reach a task as they come back from the store, in the process that accepted it, too.
    """

    def __init__(self, *, holds: bool, on_request_end: Callable[[], Awaitable[object]] | None = None) -> None:
        #: Whether no task starts until it is let go; a response then waits for none either.
        self.holds = holds
        #: What was accepted, oldest first.
        self.accepted: list[Task[Any]] = []
        self._on_request_end = on_request_end

    def begin_request(self, loop: asyncio.AbstractEventLoop) -> None:
        """A request has come; raise `ConfigError` where the manager was started on a loop that has ended."""
        if loop.is_closed():
            raise ConfigError(
                "the event loop that the task manager was started on is closed: a TestClient has one for each request, "
                "unless the test says `with TestClient(app) as client:`"
            )

    async def end_request(self) -> None:
        """The response was sent; whoever asked for it still waits."""
        # A request that comes from inside a task must not wait for that task.
        if self._on_request_end is not None and current.get() is None:
            await self._on_request_end()
