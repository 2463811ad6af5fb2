"""Coroutine functions, on the event loop."""

import asyncio

from outlive.core.failure import failed, timed_out
from outlive.core.settle import Failed, Outcome, Succeeded
from outlive.ports import Call


class AsyncExecutor:
    """Awaits the body where it is called.

    `limit`: how many may run at once, None for no limit (the seeds' `max_concurrent_tasks`).
    """

    can_interrupt = True

    def __init__(self, limit: int | None = None) -> None:
        self.limit = limit

    async def call(self, call: Call) -> Outcome:
        """Run the body; whatever it raises, `SystemExit` included, is its own failure and nobody else's."""
        try:
            if call.timeout is not None:
                return await _call_in_time(call, call.timeout)
            return Succeeded(await call.body(*call.args, **call.kwargs))
        except KeyboardInterrupt:
            raise
        except BaseException as error:  # noqa: BLE001 - also SystemExit is only this task's end
            return failed(error)

    def shutdown(self) -> None:
        """Nothing to let go of."""


async def _call_in_time(call: Call, seconds: float) -> Outcome:
    limit = asyncio.timeout(seconds)
    outcome: Outcome
    try:
        async with limit:
            outcome = Succeeded(await call.body(*call.args, **call.kwargs))
    except TimeoutError as error:
        outcome = timed_out(seconds) if limit.expired() else failed(error)
    if isinstance(outcome, Failed) and limit.expired():
        call.request_stop()
    return outcome
