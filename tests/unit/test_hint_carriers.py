"""Hints: what a process sends, what it hears, and what an instance does about it."""

import pytest
from support.recording import Gate, Trail
from support.waiting import ended, turns, until

from outlive import BackendUnavailableError, MemoryBackend, TaskManager
from outlive.backends.hints import Hints
from outlive.ports import CANCEL, SCHEDULES, WORK
from outlive.testing import ManualClock


class Wire:
    """What a server does: everybody who is connected gets everything."""

    def __init__(self):
        self.ends = []
        self.sent = []
        self.is_up = True

    def connect(self) -> Hints:
        self.ends.append(Hints(self.send))
        return self.ends[-1]

    async def send(self, texts):
        if not self.is_up:
            raise BackendUnavailableError("the wire is cut")
        self.sent.append(texts)
        for end in self.ends:
            for text in texts:
                end.received(text)


async def test_what_is_signalled_at_a_time_is_sent_once():
    wire = Wire()
    ours, theirs = wire.connect(), wire.connect()
    heard = []
    theirs.listen(WORK, heard.append)
    theirs.listen(CANCEL, heard.append)

    for _ in range(100):
        ours.signal(WORK)
        ours.signal(CANCEL, "t1")
    await ours.close()

    assert heard == ["", "t1"]
    assert len(wire.sent) == 1


async def test_a_server_that_is_away_is_no_trouble():
    wire = Wire()
    ours, theirs = wire.connect(), wire.connect()
    heard = []
    theirs.listen(WORK, heard.append)

    wire.is_up = False
    ours.signal(WORK)
    await ours.close()
    wire.is_up = True
    theirs.missed()

    assert heard == [None]


class Carrying:
    """A memory backend that several managers share, as they would a server's."""

    durable = True

    def __init__(self, memory, wire):
        self.memory = memory
        self.notifier = wire.connect()

    def __getattr__(self, name):
        if name in ("apply_now", "holder_of", "forget"):
            raise AttributeError(name)
        return getattr(self.memory, name)

    async def close(self):
        await self.notifier.close()


@pytest.fixture
async def two():
    """Two instances by a clock that stands still: what happens, happens by hints alone."""
    memory, wire, trail, gate = MemoryBackend(), Wire(), Trail(), Gate()

    def instance(**options):
        clock = ManualClock()
        manager = TaskManager(Carrying(memory, wire), clock=clock, shutdown_grace=0.0, **options)

        @manager.task(name="work")
        async def work(word: str = "") -> None:
            trail.mark(word)
            await gate.wait()

        return manager

    async with instance(room=1) as small, instance() as large:
        await turns()
        yield small, large, trail, gate
        gate.open.set()


async def test_what_one_instance_has_no_room_for_is_taken_by_another_at_once(two):
    small, large, trail, gate = two
    work = small.registry.find("work").func

    await small.enqueue(work, "first")
    second = await small.enqueue(work, "second")
    await until(lambda: "second" in trail)

    assert second.id in large.store
    gate.open.set()
    await ended(large, second.id)


async def test_a_cancel_through_another_instance_is_noticed_at_once(two):
    small, large, _trail, gate = two
    task = await small.enqueue(small.registry.find("work").func, "word")
    await gate.entered.wait()

    assert await large.cancel(task.id)

    assert (await ended(large, task.id)).status == "cancelled"


async def test_a_requeued_record_is_run_by_another_instance_at_once(two):
    small, large, trail, gate = two
    gate.open.set()
    task = await large.enqueue(large.registry.find("work").func, "word")
    await ended(large, task.id)

    await small.requeue(task.id)

    await until(lambda: trail.count("word") == 2)


async def test_a_hint_about_schedules_makes_the_others_look(two):
    small, large, trail, _gate = two
    large.backend.notifier.listen(SCHEDULES, lambda about: trail.mark("heard"))

    small.schedule(every=60, name="often")(small.registry.find("work").func)
    await until(small.schedules)
    assert await small.pause_schedule("often")
    assert await small.resume_schedule("often")

    await until(lambda: "heard" in trail)
