"""Two processes that share one backend, played by two managers in one event loop."""

import asyncio

from support.instances import LEASE, Shared, declare
from support.recording import Gate, Trail
from support.waiting import ended, record_of, turns, until

from outlive import TaskStatus
from outlive.core.events import InstanceRescued, LeaseLost
from outlive.core.moves import Enqueue


def watch_beats(*managers):
    """When each instance has last told the backend that it is alive."""
    beats: dict[str, float] = {}

    def watch(backend):
        tell = backend.beat

        async def beat(instance, now):
            answer = await tell(instance, now)
            beats[instance] = now
            return answer

        backend.beat = beat

    for manager in managers:
        watch(manager.backend)
    return beats


async def freeze(manager):
    """A process that stands still, as under SIGSTOP: its loops and heartbeats do nothing more."""
    for service in manager.runtime._services:
        await service.stop()


async def test_a_record_that_one_instance_has_no_room_for_is_run_by_another(shared):
    trail, gate, closed = Trail(), Gate(), Gate()
    gate.open.set()
    busy, idle = shared.instance(room=1), shared.instance()
    work, _ = declare(busy, trail, closed), declare(idle, trail, gate)

    async with busy, idle:
        own = await busy.enqueue(work, "own")
        await closed.entered.wait()
        other = await busy.enqueue(work, "other")
        assert (await record_of(busy, other.id)).owner != busy.runtime.process.instance.id

        async def is_taken():
            shared.clock.advance(0.2)  # the idle one may not have begun to look yet
            return (await record_of(busy, other.id)).owner is not None

        await until(is_taken)
        record = await ended(busy, other.id)
        assert (await record_of(busy, own.id)).status is TaskStatus.RUNNING
        assert record.owner == idle.runtime.process.instance.id
        closed.open.set()

    assert trail == ["own", "other"]


async def test_a_healthy_long_task_is_never_taken_from_its_instance(shared):
    trail, gate = Trail(), Gate()
    one, two = shared.instance(), shared.instance()
    work, _ = declare(one, trail, gate, requeue_on_interrupt=True), declare(two, trail, gate, requeue_on_interrupt=True)

    beats = watch_beats(one, two)

    async with one, two:
        task = await one.enqueue(work, "long")
        await gate.entered.wait()
        await until(lambda: len(beats) == 2)
        for _ in range(20):
            shared.clock.advance(5)
            await until(lambda: min(beats.values()) == shared.clock.now())
        gate.open.set()
        record = await ended(one, task.id)

    assert (record.status, record.fence) == (TaskStatus.SUCCESS, 1)
    assert shared.happened(InstanceRescued) == []
    assert trail == ["long"]


async def rescued_from_frozen(shared, frozen, other):
    await freeze(frozen)
    for _ in range(8):
        shared.clock.advance(3)
        await turns(50)
        await other.counts()
    await until(lambda: shared.happened(InstanceRescued))


async def test_what_a_dead_instance_ran_is_interrupted_and_what_it_held_runs_elsewhere(tmp_path, clock):
    shared, trail, gate, open_gate = Shared("memory", tmp_path, clock), Trail(), Gate(), Gate()
    open_gate.open.set()
    dead, alive = shared.instance(max_concurrent_tasks=1), shared.instance()
    work, _ = declare(dead, trail, gate), declare(alive, trail, open_gate)

    async with dead, alive:
        running = await dead.enqueue(work, "running")
        await gate.entered.wait()
        waiting = await dead.enqueue(work, "waiting")
        await rescued_from_frozen(shared, dead, alive)
        records = [await ended(alive, task.id) for task in (running, waiting)]
        gate.open.set()

    assert [record.status for record in records] == [TaskStatus.INTERRUPTED, TaskStatus.SUCCESS]
    assert "died" in str(records[0].reason)
    assert trail == ["running", "waiting"]
    (event,) = shared.happened(InstanceRescued)
    assert (event.requeued, event.interrupted) == (1, 1)


async def test_a_late_owner_cannot_overwrite_the_newer_attempt(tmp_path, clock):
    shared, trail, gate, other_gate = Shared("memory", tmp_path, clock), Trail(), Gate(), Gate()
    stopped, alive = shared.instance(), shared.instance()
    work = declare(stopped, trail, gate, requeue_on_interrupt=True)
    declare(alive, trail, other_gate, requeue_on_interrupt=True)

    async with stopped, alive:
        task = await stopped.enqueue(work, "safe to repeat")
        await gate.entered.wait()
        await rescued_from_frozen(shared, stopped, alive)
        await asyncio.wait_for(other_gate.entered.wait(), 5)
        gate.open.set()
        await until(lambda: shared.happened(LeaseLost))
        while_other_runs = await record_of(alive, task.id)
        other_gate.open.set()
        record = await ended(alive, task.id)

    assert (while_other_runs.status, while_other_runs.fence) == (TaskStatus.RUNNING, 2)
    assert (record.status, record.attempts, record.owner) == (
        TaskStatus.SUCCESS,
        1,
        while_other_runs.owner,
    )
    assert trail == ["safe to repeat"] * 2


async def test_an_instance_that_was_declared_dead_joins_again_and_goes_on(tmp_path, clock):
    shared, trail, gate = Shared("memory", tmp_path, clock), Trail(), Gate()
    gate.open.set()
    stopped, alive = shared.instance(), shared.instance()
    work = declare(stopped, trail, gate)

    async with stopped, alive:
        await rescued_from_frozen(shared, stopped, alive)
        for service in stopped.runtime._services:
            service.start()
        await turns(50)
        shared.events.clear()
        task = await stopped.enqueue(work, "after the pause")
        assert (await ended(stopped, task.id)).status is TaskStatus.SUCCESS
        for _ in range(10):
            clock.advance(5)
            await turns(50)

    assert shared.happened(InstanceRescued) == []


async def test_a_handle_follows_its_record_to_another_instance(shared):
    trail, gate, closed = Trail(), Gate(), Gate()
    gate.open.set()
    busy, idle = shared.instance(room=1), shared.instance()
    work, _ = declare(busy, trail, closed), declare(idle, trail, gate)

    async with busy, idle:
        await busy.enqueue(work, "own")
        await closed.entered.wait()
        other = await busy.enqueue(work, "other")
        waiting = asyncio.create_task(other.finished.wait())
        result = asyncio.create_task(other.control.follow(other))
        for _ in range(20):
            shared.clock.advance(1)
            await turns(50)
            await busy.counts()
        await asyncio.wait_for(asyncio.gather(waiting, result), 5)
        assert other.status is TaskStatus.SUCCESS
        closed.open.set()


async def test_the_instance_that_accepts_a_task_owns_it_from_the_first_write(tmp_path, clock):
    """The common case needs no claim and no notification."""
    written = []
    shared, trail, gate = Shared("memory", tmp_path, clock), Trail(), Gate()
    gate.open.set()
    manager = shared.instance()
    work = declare(manager, trail, gate)

    async with manager:
        apply_now = manager.backend.apply_now

        def watched(moves):
            written.extend(moves)
            return apply_now(moves)

        manager.runtime.journal._apply_now = watched
        await (await manager.enqueue(work, "word")).finished.wait()
        owner = manager.runtime.process.instance.id

    (enqueued,) = [move for move in written if isinstance(move, Enqueue)]
    assert enqueued.owner == owner
    assert enqueued.started_at is not None, "enqueue and start are one write"


async def test_an_instance_that_beats_again_before_it_is_rescued_keeps_its_work(shared):
    trail, gate = Trail(), Gate()
    slow, other = shared.instance(), shared.instance()
    work, _ = declare(slow, trail, gate), declare(other, trail, gate)

    async with slow, other:
        task = await slow.enqueue(work, "long")
        await gate.entered.wait()
        instance = slow.runtime.process.instance.id
        look = other.backend.lost

        async def lost_and_then_a_beat(now, lease, asking):
            lost = await look(now, lease, asking)
            await slow.backend.beat(instance, now)
            return [*lost, instance]

        other.backend.lost = lost_and_then_a_beat
        await other.runtime._rescuer.step()
        assert (await record_of(other, task.id)).status is TaskStatus.RUNNING
        gate.open.set()
        record = await ended(other, task.id)

    assert record.status is TaskStatus.SUCCESS
    assert shared.happened(InstanceRescued) == []


async def test_what_a_silent_instance_ran_is_rescued_as_soon_as_its_lease_has_ended(tmp_path, clock):
    shared, trail, gate = Shared("memory", tmp_path, clock), Trail(), Gate()
    here, there = shared.instance(), shared.instance()
    work, _ = [declare(one, trail, gate, requeue_on_interrupt=True) for one in (there, here)]

    async with here, there:
        await there.enqueue(work, "ran")
        await gate.entered.wait()
        await freeze(there)
        silent_since = clock.now()
        while trail == ["ran"]:
            clock.advance(0.25)
            await turns()
        assert clock.now() - silent_since < LEASE + 1
        gate.open.set()
