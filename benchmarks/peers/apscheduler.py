"""APScheduler on the event loop, its jobs in memory."""

from datetime import UTC, datetime, timedelta

from apscheduler.schedulers.asyncio import AsyncIOScheduler

from benchmarks.peers.bursts import Starts


async def burst(count: int) -> float:
    """Microseconds a fire."""
    starts, scheduler = Starts(count), AsyncIOScheduler(timezone=UTC)
    scheduler.start(paused=True)
    at = datetime.now(UTC) + timedelta(seconds=1)
    for _ in range(count):
        scheduler.add_job(starts.body, "date", run_date=at, misfire_grace_time=30)
    scheduler.resume()
    try:
        return await starts.each(at.timestamp())
    finally:
        scheduler.shutdown(wait=False)
