"""Long work in parts, between which the event loop does what else there is to do."""

import asyncio
import time
from collections.abc import Callable, Iterable
from typing import TypeVar

T = TypeVar("T")

#: Seconds that a part may take, and of the pause after it. In a pause of none a request would get one turn of the many
#: that it needs, and so wait for all parts.
_PART = 0.0003


async def in_parts(steps: Iterable[T], clock: Callable[[], float] = time.perf_counter) -> list[T]:
    """What all steps give; nobody waits for the event loop longer than a part takes, or one step that takes longer."""
    found: list[T] = []
    end = clock() + _PART
    for step in steps:
        found.append(step)
        if clock() >= end:
            await asyncio.sleep(_PART)
            end = clock() + _PART
    return found
