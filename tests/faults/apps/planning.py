"""An application without any periodic schedule that plans runs for later: `python planning.py FILE [SECONDS AHEAD]`."""

import asyncio
import sys
from datetime import UTC, datetime, timedelta

from outlive import TaskManager

manager = TaskManager(sys.argv[1])


def say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


@manager.task(name="remind")
async def remind(word: str) -> None:
    """Say so."""
    say(word)


async def plan(ahead: float) -> None:
    """Three runs, of which one replaces another and one is cancelled."""
    at = datetime.now(UTC) + timedelta(seconds=ahead)
    for key, word in (("kept", "old"), ("kept", "new"), ("gone", "gone")):
        await manager.schedule_once(remind, word, run_at=at, run_key=key)
    await manager.cancel_scheduled("gone")


async def main() -> None:
    async with manager:
        if sys.argv[2:]:
            await plan(float(sys.argv[2]))
        say("up")
        await asyncio.Event().wait()


asyncio.run(main())
