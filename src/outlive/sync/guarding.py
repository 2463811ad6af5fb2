"""The body of an `async with`, which ends when what it stands on is lost."""

import asyncio
from collections.abc import Callable
from contextlib import suppress


class Guard:
    """Cancels the task it was made in, and tells that cancellation from all others.

    With `stop` that is called instead: for a body that cannot be interrupted.
    """

    __slots__ = ("_before", "_has_cancelled", "_stop", "_task")

    def __init__(self, stop: Callable[[], None] | None = None) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._task = task
        self._before = task.cancelling()
        self._has_cancelled = False
        self._stop = stop

    def cancel(self) -> None:
        """Interrupt the body, or ask it to end."""
        if self._stop is not None:
            self._stop()
            return
        self._has_cancelled = self._task.cancel() or self._has_cancelled

    async def close(self, error: BaseException | None) -> bool:
        """After the body: whether its end is owed to this guard alone."""
        if not self._has_cancelled:
            return False
        others = self._task.uncancel() > self._before
        if not isinstance(error, asyncio.CancelledError):
            await self._swallow()
            return error is None and not others
        return not others

    async def _swallow(self) -> None:
        # The body ended before its cancellation reached it: the next await would raise it.
        with suppress(asyncio.CancelledError):
            await asyncio.sleep(0)
        if self._task.cancelling() > self._before:
            raise asyncio.CancelledError
