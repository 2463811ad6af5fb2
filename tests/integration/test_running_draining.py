"""An instance that a person asked to take no new work."""

from support.instances import Shared, declare
from support.recording import Gate, Trail
from support.waiting import ended, record_of, turns, until

from outlive import QueueConfig, TaskStatus
from outlive.sync import LeaderElection


def id_of(manager):
    return manager.runtime.process.instance.id


async def pair(shared: Shared, **options):
    """Two instances, the first of which runs one body at a time, and what each of them does."""
    gates = Gate(), Gate()
    managers = shared.instance(max_concurrent_tasks=1, **options), shared.instance(**options)
    trails = Trail(), Trail()
    works = [declare(*each) for each in zip(managers, trails, gates, strict=True)]
    return managers, gates, trails, works[0]


async def seen_off(shared, manager):
    async def is_off():
        shared.clock.advance(0.3)
        return manager.runtime.process.duty.is_off

    await until(is_off)


async def test_it_finishes_what_it_runs_and_leaves_what_waits_and_what_comes_to_others(shared):
    (tired, fresh), (closed, open_), trails, work = await pair(shared)
    open_.open.set()
    async with tired, fresh:
        running = await tired.enqueue(work, "runs")
        await closed.entered.wait()
        waiting = await tired.enqueue(work, "waits")

        assert await fresh.drain_instance(id_of(tired))
        assert not await fresh.drain_instance(id_of(tired))
        await seen_off(shared, tired)
        coming = await tired.enqueue(work, "comes")

        async def are_done():
            shared.clock.advance(0.3)
            found = [await record_of(fresh, task.id) for task in (waiting, coming)]
            return all(record.status is TaskStatus.SUCCESS for record in found) and found

        assert {record.owner for record in await until(are_done)} == {id_of(fresh)}
        assert (await record_of(fresh, running.id)).status is TaskStatus.RUNNING
        assert {state.instance.id: state.draining for state in await fresh.instances()} == {
            id_of(tired): True,
            id_of(fresh): False,
        }
        closed.open.set()
        assert (await ended(fresh, running.id)).owner == id_of(tired)
    assert [list(trail) for trail in trails] == [["runs"], ["waits", "comes"]]


async def test_it_works_again_when_it_is_asked_to(clock, tmp_path):
    shared = Shared("memory", tmp_path, clock)
    gate, trail = Gate(), Trail()
    gate.open.set()
    manager = shared.instance()
    work = declare(manager, trail, gate)
    async with manager:
        await manager.drain_instance(id_of(manager))
        task = await manager.enqueue(work, "later")
        clock.advance(5)
        await turns()
        assert (await record_of(manager, task.id)).status is TaskStatus.PENDING
        assert trail == []

        assert await manager.resume_instance(id_of(manager))
        assert (await ended(manager, task.id)).status is TaskStatus.SUCCESS


async def test_what_its_queue_keeps_back_leaves_it_too(shared):
    (tired, fresh), (closed, open_), trails, work = await pair(shared, queues={"narrow": QueueConfig(concurrency=1)})
    open_.open.set()
    async with tired, fresh:
        narrow = tired.using(queue="narrow")
        await narrow.enqueue(work, "first")
        await closed.entered.wait()
        parked = await narrow.enqueue(work, "second")
        await tired.drain_instance(id_of(tired))

        async def is_done():
            shared.clock.advance(0.3)
            return (await record_of(fresh, parked.id)).status is TaskStatus.SUCCESS

        await until(is_done)
        closed.open.set()
    assert [list(trail) for trail in trails] == [["first"], ["second"]]


async def test_it_fires_no_schedule_and_begins_no_interval_and_runs_what_only_it_can(clock, tmp_path):
    shared = Shared("memory", tmp_path, clock)
    ran = []
    manager = shared.instance()

    @manager.schedule(every=60, name="often")
    async def often() -> None:
        ran.append("slot")

    @manager.interval(seconds=10, name="again")
    async def again() -> None:
        ran.append("turn")

    async def undeclared() -> None:
        ran.append("here")

    async with manager:
        await until(lambda: ran == ["turn"])
        await manager.drain_instance(id_of(manager))
        for _ in range(8):
            clock.advance(20)
            await turns()
        task = await manager.enqueue(undeclared)
        await ended(manager, task.id)
        assert ran == ["turn", "here"]

        await manager.resume_instance(id_of(manager))
        clock.advance(60)
        await until(lambda: {"slot", "turn"} <= set(ran[2:]))


async def test_the_interval_of_a_leader_goes_on_in_another_instance(shared):
    managers, trails = (shared.instance(), shared.instance()), (Trail(), Trail())
    for manager, trail in zip(managers, trails, strict=True):
        leader = LeaderElection("cleanup")
        manager.add_task(leader)
        manager.interval(seconds=10, leader=leader, name="cleanup")(_marks(trail))

    async def some(*wanted):
        shared.clock.advance(0.5)
        await turns()
        return any(wanted)

    async with managers[0], managers[1]:
        await until(lambda: some(*trails))
        leading = 0 if trails[0] else 1
        await managers[leading].drain_instance(id_of(managers[leading]))
        await until(lambda: some(trails[1 - leading]))
        before = len(trails[leading])
        trails[1 - leading].clear()
        await until(lambda: some(trails[1 - leading]))
        assert len(trails[leading]) == before


def _marks(trail):
    async def clean() -> None:
        trail.mark("cleaned")

    return clean
