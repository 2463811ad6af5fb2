"""What became of the slots of schedules, for tests that move time by hand."""

from support.waiting import turns, until

from outlive import Page, TaskFilter


async def runs(manager):
    """All scheduled runs, oldest slot first, once all of them have ended."""

    async def all_ended():
        found = await manager.find(TaskFilter(source="scheduled"), Page(limit=1000))
        return found if all(record.is_final for record in found) else None

    await until(lambda: settled(manager))
    while (found := await all_ended()) is None:
        await turns()
    return sorted(found, key=lambda record: record.run_at)


async def settled(manager):
    """Whether every slot that has come was dealt with."""
    now = manager._clock.now()
    return all(state.paused or (state.next_at or now + 1) > now for state in await manager.backend.schedules())


async def advance(manager, clock, *steps):
    for step in steps:
        clock.advance(step)
        await until(lambda: settled(manager))
