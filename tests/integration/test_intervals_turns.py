"""Intervals that take turns among instances: leader, then task lock, then lock, and what is skipped or lost."""

import asyncio
import logging
import threading
import time

import pytest
from support.instances import Shared
from support.process_bodies import say_token
from support.waiting import turns, until

from outlive import ConfigError, TaskManager, TaskStatus, cancelled, get_task_context
from outlive.core.events import ScheduleFailed, TurnLost, TurnSkipped
from outlive.errors import OutliveError
from outlive.sync import ElectionNotRunningError, LeaderElection, Lock, LockReentrantError, TaskLock


class Trail:
    """What bodies did: how many are inside at once, and in which order they came."""

    def __init__(self):
        self.entered = []
        self.inside = 0
        self.most = 0
        self.gate = asyncio.Event()
        self.gate.set()

    def body(self, name="run"):
        async def body():
            self.entered.append(name)
            self.inside += 1
            self.most = max(self.most, self.inside)
            try:
                await self.gate.wait()
            finally:
                self.inside -= 1

        return body


@pytest.fixture(params=["memory", "sqlite"])
def shared(request, tmp_path, clock):
    """Without a server: here time passes in steps, and nobody knows how long a server takes for one."""
    return Shared(request.param, tmp_path, clock)


@pytest.fixture
def trail():
    return Trail()


async def tick(clock, seconds, step=0.5):
    """Let time pass so slowly that everything that is due is done in its time."""
    for _ in range(round(seconds / step)):
        clock.advance(step)
        await settle()


async def tick_until(clock, condition, seconds, step=0.5):
    """Let time pass until the condition holds, `seconds` of it at most: a slow machine needs more than was due."""
    for _ in range(round(seconds / step)):
        if condition():
            return
        await tick(clock, step, step)
    await until(condition)


async def settle():
    for _ in range(6):
        await turns(10)
        await asyncio.to_thread(lambda: None)


async def test_one_of_two_instances_runs_each_turn(shared, clock, trail):
    managers = [shared.instance(), shared.instance()]
    for number, manager in enumerate(managers):
        manager.interval(seconds=10, max_lock_seconds=50, name="cleanup")(trail.body(number))
    async with managers[0], managers[1]:
        await until(lambda: trail.entered and shared.happened(TurnSkipped))
        assert len(trail.entered) == 1
        begun = clock.now()
        await tick_until(clock, lambda: len(trail.entered) > 2, 90)
        assert len(trail.entered) <= 1 + (clock.now() - begun) / 10
    records = await _records(shared)
    assert len(records) == len(trail.entered), "what was skipped leaves no record"


async def _records(shared):
    manager = shared.instance()
    async with manager:
        return await manager.find()


async def test_a_lock_stays_for_the_minimum_after_a_run(shared, clock, trail):
    """The lock counts from the end of the run, not from its beginning."""
    first, second = shared.instance(), shared.instance()
    trail.gate.clear()
    first.interval(seconds=10, max_lock_seconds=50, min_lock_seconds=8, name="cleanup")(trail.body("first"))
    second.interval(seconds=1, max_lock_seconds=50, min_lock_seconds=8, name="cleanup")(trail.body("second"))
    async with first:
        await until(lambda: trail.inside)
        async with second:
            await tick(clock, 20)
            assert trail.entered == ["first"]
            trail.gate.set()
            await until(lambda: not trail.inside)
            await settle()
            await tick(clock, 7)
            assert trail.entered == ["first"]
            await tick(clock, 2.5)
            await until(lambda: "second" in trail.entered)


async def test_skipped_turns_are_said_at_debug_only(shared, trail, caplog):
    caplog.set_level(logging.DEBUG, "outlive")
    held = TaskLock("cleanup", max_lock_seconds=60)
    manager = TaskManager(shared.backend(), clock=shared.clock)
    manager.interval(seconds=10, max_lock_seconds=50, name="cleanup")(trail.body())
    async with shared.instance() as other:
        assert other
        async with held:
            async with manager:
                await until(lambda: "interval cleanup skipped" in caplog.text)
            assert not trail.entered
    [line] = [line for line in caplog.records if "skipped" in line.message]
    assert line.levelno == logging.DEBUG


async def test_only_the_leader_touches_the_task_lock(shared, clock, trail):
    leaders = [LeaderElection("service"), LeaderElection("service")]
    managers = [shared.instance(), shared.instance()]
    for number, (manager, leader) in enumerate(zip(managers, leaders, strict=True)):
        manager.add_task(leader)
        manager.interval(seconds=10, leader=leader, name="cleanup")(trail.body(number))
    async with managers[0]:
        await leaders[0].wait_for_leader()
        async with managers[1]:
            await until(lambda: shared.happened(TurnSkipped))
            await tick(clock, 25)
            assert set(trail.entered) == {0}
            [lease] = await managers[1].backend.leases.held(clock.now(), "tasklock:cleanup")
            assert not lease.waiting
            reasons = {event.reason for event in shared.happened(TurnSkipped)}
            assert any("does not lead 'service'" in reason for reason in reasons)
            await managers[0].shutdown()
            await leaders[1].wait_for_leader()
            await tick_until(clock, lambda: 1 in trail.entered, 60)


async def test_a_leader_alone_implies_a_lock_of_five_intervals(timed, clock, trail):
    leader = LeaderElection("service")
    timed.add_task(leader)
    trail.gate.clear()
    timed.interval(seconds=10, leader=leader, name="cleanup")(trail.body())
    async with timed:
        await leader.wait_for_leader()
        await tick_until(clock, lambda: trail.inside, 60)
        held = {lease.key: lease for lease in await timed.leases()}
        lease = held["tasklock:cleanup"]
        assert lease.expires_at - lease.taken_at == 50
        trail.gate.set()
        await until(lambda: not trail.inside)


def test_an_election_that_nobody_starts_refuses_the_start(trail, manager):
    """Weakness 3.13: the interval never ran, and nobody was told."""
    manager.interval(seconds=10, leader=LeaderElection("service"), name="cleanup")(trail.body())

    async def start():
        async with manager:
            pass

    with pytest.raises(ElectionNotRunningError, match=r"'cleanup'.*manager\.add_task\(leader\)"):
        asyncio.run(start())


async def test_an_interval_declared_while_its_election_does_not_run_says_so(shared, trail):
    manager = shared.instance()
    async with manager:
        manager.interval(seconds=10, leader=LeaderElection("service"), name="late")(trail.body())
        [failed] = await until(lambda: shared.happened(ScheduleFailed))
        assert isinstance(failed.error, ElectionNotRunningError)


async def test_waiting_for_a_lock_does_not_lose_the_turn(manager, trail):
    """Weakness 3.9: the task lock ran out while its holder waited for the resource, and both ran the turn."""
    resource = Lock("printer")
    others = TaskLock("report", min_lock_seconds=0.05)
    manager.interval(seconds=0.05, max_lock_seconds=0.3, sync=resource, name="report")(trail.body())
    await manager.backend.open()
    await manager.backend.leases.take("lock:printer", "somebody", 60, time.time())
    async with manager:
        await until(lambda: _waits(manager, "lock:printer"))
        begun = time.time()
        await until(lambda: time.time() > begun + 0.9)
        assert not trail.entered
        assert await others.locked(), "renewed while it waits, three times as long as its lease"
        await manager.backend.leases.drop("lock:printer", "somebody", time.time())
        await until(lambda: trail.entered)


async def _waits(manager, key):
    return any(lease.key == key and lease.waiting for lease in await manager.leases())


async def test_a_lock_alone_makes_runs_wait_for_each_other(shared, clock, trail):
    first, second = shared.instance(), shared.instance()
    resource = Lock("printer")
    trail.gate.clear()
    for manager in (first, second):
        manager.interval(seconds=10, sync=resource, name="report")(trail.body())
    async with first, second:
        await until(lambda: _waits(first, "lock:printer"))
        assert trail.inside == 1
        trail.gate.set()
        await until(lambda: len(trail.entered) == 2)
        assert trail.most == 1


async def test_a_body_has_the_tokens_of_what_it_holds(manager):
    resource = Lock("printer")
    seen = []

    @manager.interval(seconds=60, max_lock_seconds=300, sync=resource, name="report")
    async def report():
        seen.append((get_task_context().fencing_token, resource.fencing_token))
        with pytest.raises(LockReentrantError):
            await resource.acquire()

    @manager.interval(seconds=60, max_lock_seconds=300, sync=resource, name="by hand")
    def by_hand():
        seen.append((get_task_context().fencing_token, resource.from_thread.fencing_token))
        with pytest.raises(LockReentrantError):
            resource.from_thread.acquire()

    async with manager:
        await until(lambda: len(seen) == 2)
        tokens = [token for pair in seen for token in pair]
        assert all(tokens)
        assert len(set(tokens)) == 4
        assert all(record.status is not TaskStatus.FAILED for record in await manager.find())


async def test_what_a_body_enqueues_waits_for_its_lock_like_others(manager):
    resource, trail = Lock("printer"), []

    async def other():
        async with resource:
            trail.append("other")

    @manager.interval(seconds=60, sync=resource, name="report")
    async def report():
        await manager.enqueue(other)
        await until(lambda: _waits(manager, "lock:printer"))
        trail.append("report")

    async with manager:
        await until(lambda: len(trail) == 2)
    assert trail == ["report", "other"]


async def test_the_token_is_that_of_the_run_alone(manager):
    seen = []

    async def other():
        seen.append(get_task_context().fencing_token)

    @manager.interval(seconds=60, max_lock_seconds=300, name="report")
    async def report():
        await (await manager.enqueue(other)).result()

    async with manager:
        await until(lambda: seen)
    assert seen == [None]


async def test_a_worker_process_has_the_token(manager):
    manager.interval(seconds=60, max_lock_seconds=300, executor="process", name="report")(say_token)
    async with manager:
        record = await until(lambda: _ended(manager))
        [lease] = await manager.leases()
        assert [line.message for line in (await manager.get(record.id)).logs] == [str(lease.fence)]


@pytest.mark.parametrize(
    ("options", "where"),
    [({}, "in each instance"), ({"sync": Lock("p")}, "each instance"), ({"max_lock_seconds": 20}, "in one instance")],
)
async def test_a_list_says_whether_instances_take_turns(manager, options, where):
    manager.interval(seconds=10, name="report", **options)(Trail().body())
    async with manager:
        [info] = await manager.schedules()
        assert where in info.trigger


async def test_a_run_longer_than_its_lease_is_alone(tmp_path, trail):
    """Weakness 3.3: three instances ran bodies of 1 s under locks of 0.3 s three at once."""
    managers = [TaskManager(f"sqlite:///{tmp_path}/tasks.db?synchronous=NORMAL") for _ in range(3)]
    trail.gate.clear()
    for manager in managers:
        manager.interval(seconds=0.05, max_lock_seconds=0.3, name="cleanup")(trail.body())
    async with managers[0], managers[1], managers[2]:
        await until(lambda: trail.inside)
        begun = time.time()
        await until(lambda: time.time() > begun + 0.9)
        assert trail.entered == ["run"]
        trail.gate.set()
        await until(lambda: len(trail.entered) > 4)
    assert trail.most == 1


@pytest.mark.parametrize("error", [ValueError("mine"), SystemExit(3), KeyError()], ids=repr)
async def test_what_a_body_raises_ends_neither_its_interval_nor_the_manager(shared, clock, error):
    """Weaknesses 3.19 and 3.21: `SystemExit` ended the process; a lock stayed without another try."""
    manager, other = shared.instance(), []
    runs = []

    async def fail():
        runs.append(clock.now())
        raise error

    manager.interval(seconds=10, max_lock_seconds=50, name="cleanup")(fail)
    manager.interval(seconds=10, name="other")(Trail().body())
    for _ in range(2):
        runs.clear()
        async with manager:
            await until(lambda: runs)
            await settle()
            await tick_until(clock, lambda: len(runs) > 1, 60)
            other = await manager.find()
        clock.advance(20)
    assert {record.status for record in other if record.func_name == "other"} == {TaskStatus.SUCCESS}


async def test_a_fixed_rate_does_not_drift(timed, clock):
    """Weakness 3.1: with a pause from end to start 20 runs took the place of 30. A rate is `schedule(every=)`."""
    starts = []

    async def slow():
        starts.append(clock.now())
        await asyncio.sleep(0)  # noqa: TID251 - gives way, no time passes
        clock.advance(0.5)

    timed.schedule(every=1, name="rate")(slow)
    async with timed:
        begun = clock.now()

        def has_run():
            clock.advance(0.125)
            return len(starts) >= 20

        await until(has_run)
    assert starts[19] - begun < 22


async def test_a_lost_task_lock_ends_the_run(shared, trail):
    """Weaknesses 3.3 and 3.10: bodies ran on beside those of the next holder."""
    manager = TaskManager(shared.backend(), loggers=[shared.events.append], shutdown_grace=0.2)
    trail.gate.clear()
    manager.interval(seconds=0.05, max_lock_seconds=0.3, name="cleanup")(trail.body())
    async with manager:
        await until(lambda: trail.inside)
        assert await manager.force_release("tasklock:cleanup", "hangs")
        [lost] = await until(lambda: shared.happened(TurnLost)[:1])
        assert "forced: hangs" in str(lost.error)
        await until(lambda: len(trail.entered) > 1)
        first = (await manager.find())[-1]
        assert (first.status, first.reason) == (
            TaskStatus.CANCELLED,
            "its process lost the leadership or the task lock of its interval",
        )
        assert trail.most == 1
        trail.gate.set()


async def test_a_lost_leadership_ends_the_run(shared, clock, trail):
    manager = shared.instance()
    leader = LeaderElection("service", retry_interval=2)
    manager.add_task(leader)
    trail.gate.clear()
    manager.interval(seconds=1, leader=leader, name="cleanup")(trail.body())
    async with manager:
        await leader.wait_for_leader()
        clock.advance(1)
        await until(lambda: trail.inside)
        await manager.force_release("leader:service", "deploy")
        clock.advance(2)
        await until(lambda: not trail.inside)
        await until(lambda: shared.happened(TurnLost))


async def test_a_lost_lock_is_a_failed_attempt(manager, trail):
    resource = Lock("printer", lease_duration=0.3)
    trail.gate.clear()
    manager.interval(seconds=60, sync=resource, retries=1, name="report")(trail.body())
    async with manager:
        await until(lambda: trail.inside)
        await manager.force_release("lock:printer", "jam")
        await until(lambda: len(trail.entered) == 2)
        trail.gate.set()
        record = await until(lambda: _ended(manager))
        assert record.status is TaskStatus.SUCCESS
        [first, _] = (await manager.get(record.id)).history
        assert "forced: jam" in first.error


async def _ended(manager):
    return next((record for record in await manager.find() if record.is_final), None)


async def test_a_thread_is_asked_and_no_turn_follows_before_it_has_ended(manager):
    trail, inside, over = [], threading.Event(), threading.Event()

    @manager.interval(seconds=0.01, max_lock_seconds=0.3, name="cleanup")
    def cleanup():
        trail.append("in")
        inside.set()
        while not (cancelled() or over.is_set()):
            over.wait(0.005)
        trail.append("out")

    async with manager:
        await until(inside.is_set)
        await manager.force_release("tasklock:cleanup", "hangs")
        await until(lambda: len(trail) > 2)
        over.set()
    assert trail[:3] == ["in", "out", "in"]


async def test_retries_run_under_the_same_turn(shared, clock):
    manager, other = shared.instance(), shared.instance()
    tokens = []

    async def flaky():
        tokens.append(get_task_context().fencing_token)
        if len(tokens) < 3:
            raise ValueError("not yet")

    manager.interval(seconds=60, max_lock_seconds=300, retries=2, delay=1, name="cleanup")(flaky)
    other.interval(seconds=0.5, max_lock_seconds=300, min_lock_seconds=60, name="cleanup")(flaky)
    async with manager:
        await until(lambda: tokens)
        async with other:
            await tick_until(clock, lambda: len(tokens) == 3, 60)
    assert len(set(tokens)) == 1


async def test_a_clean_stop_lets_a_run_end_before_another_takes_its_turn(shared, clock, trail):
    first, second = shared.instance(shutdown_grace=5), shared.instance()
    leader = LeaderElection("service")
    first.add_task(leader)
    trail.gate.clear()
    first.interval(seconds=10, leader=leader, min_lock_seconds=0.001, name="cleanup")(trail.body())
    second.interval(seconds=0.5, max_lock_seconds=50, min_lock_seconds=0.001, name="cleanup")(trail.body())
    await first.startup()
    await leader.wait_for_leader()
    await tick_until(clock, lambda: trail.inside, 60)
    async with second:
        stopping = asyncio.create_task(first.shutdown())
        await tick(clock, 2)
        assert leader.is_leader(), "its run is still under way"
        assert trail.entered == ["run"]
        trail.gate.set()
        await stopping
        assert not leader.is_leader()
        await tick_until(clock, lambda: len(trail.entered) > 1, 60)
    assert trail.most == 1


async def test_a_run_dies_with_its_process_and_cannot_run_without_its_locks(shared, clock, trail):
    manager, other = shared.instance(), shared.instance()
    trail.gate.clear()
    manager.interval(seconds=10, max_lock_seconds=60, requeue_on_interrupt=True, name="cleanup")(trail.body())
    async with manager:
        await until(lambda: trail.inside)
    async with other:
        [record] = await other.find()
        assert record.status is TaskStatus.INTERRUPTED
        with pytest.raises(OutliveError, match="the locks of its interval"):
            await other.requeue(record.id)


async def test_a_manual_run_holds_the_lock_and_asks_for_nothing_else(timed, trail):
    leader, resource = LeaderElection("service"), Lock("printer")
    timed.add_task(leader)
    timed.interval(seconds=60, leader=leader, sync=resource, name="report")(trail.body())
    async with timed:
        async with resource:
            task = await timed.trigger_schedule("report")
            await until(lambda: _waits(timed, "lock:printer"))
            assert not trail.entered
        await task.result()
        assert trail.entered == ["run"]


async def test_a_run_that_waits_can_be_cancelled(timed, clock, trail):
    resource = Lock("printer")

    def never():
        trail.entered.append("never")

    timed.interval(seconds=60, sync=resource, name="report")(never)
    await timed.backend.open()
    await timed.backend.leases.take("lock:printer", "somebody", 60, clock.now())
    async with timed:
        await until(lambda: _waits(timed, "lock:printer"))
        [record] = await timed.find()
        await timed.cancel(record.id)
        ended = await until(lambda: _ended(timed))
        assert ended.status is TaskStatus.CANCELLED
        [lease] = await timed.leases()
        assert (lease.holder, lease.waiting) == ("somebody", ())
    assert not trail.entered


async def test_jitter_spreads_the_starts(shared, clock, trail, monkeypatch):
    """Weakness 3.2: all replicas started in step."""
    monkeypatch.setattr("outlive.runtime.intervals.random.uniform", lambda least, most: most)
    manager = shared.instance()
    manager.interval(seconds=10, jitter=3, name="cleanup")(trail.body())
    async with manager:
        await tick(clock, 2.5)
        assert not trail.entered
        await tick(clock, 0.5)
        await until(lambda: len(trail.entered) == 1)
        await settle()
        await tick(clock, 12.5)
        assert len(trail.entered) == 1
        await tick(clock, 0.5)
        await until(lambda: len(trail.entered) == 2)


# -- declaring -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "message"),
    [
        pytest.param({"max_lock_seconds": 9}, "max_lock_seconds=9 must be 10 seconds or more", id="short"),
        pytest.param({"min_lock_seconds": 5}, "give it max_lock_seconds or leader too", id="alone"),
        pytest.param(
            {"max_lock_seconds": 20, "min_lock_seconds": 21}, "must not be more than max_lock_seconds=20", id="order"
        ),
        pytest.param(
            {"leader": LeaderElection("s"), "min_lock_seconds": 51}, "more than max_lock_seconds=50", id="implied"
        ),
        pytest.param({"max_lock_seconds": 20, "min_lock_seconds": 0}, "min_lock_seconds=0", id="zero"),
        pytest.param({"leader": "service"}, "leader='service' must be a LeaderElection", id="leader"),
        pytest.param({"sync": "printer"}, "sync='printer' must be a Lock", id="sync"),
        pytest.param({"max_lock_seconds": 20, "sync": TaskLock("t")}, "says again", id="task-lock-twice"),
        pytest.param({"leader": LeaderElection("s"), "sync": LeaderElection("s")}, "says again", id="leader-twice"),
        pytest.param({"max_lock_seconds": 20, "sync": LeaderElection("s")}, "says again", id="leader-and-lock"),
        pytest.param({"jitter": -1}, "jitter=-1", id="jitter"),
    ],
)
def test_what_cannot_work_is_refused_where_it_is_declared(options, message):
    with pytest.raises(ConfigError, match=message) as caught:
        TaskManager().interval(seconds=10, **options)
    assert isinstance(caught.value, ValueError)


async def test_sync_with_a_task_lock_warns_and_skips(shared, clock, trail):
    lock = TaskLock("turn", min_lock_seconds=5)
    manager = shared.instance()
    with pytest.warns(DeprecationWarning, match="use max_lock_seconds= and min_lock_seconds=") as warned:
        manager.interval(seconds=10, sync=lock, name="cleanup")(trail.body())
    assert warned[0].filename == __file__
    async with shared.instance(), lock, manager:
        await until(lambda: shared.happened(TurnSkipped))
        assert not trail.entered


async def test_sync_with_an_election_warns_and_waits(shared, clock, trail):
    leader = LeaderElection("service")
    manager = shared.instance()
    await manager.backend.open()
    await manager.backend.leases.take("leader:service", "somebody", 10, clock.now())
    with pytest.warns(DeprecationWarning, match="use leader="):
        manager.interval(seconds=100, sync=leader, name="cleanup")(trail.body())
    manager.add_task(leader)
    async with manager:
        await settle()
        assert not trail.entered
        assert not shared.happened(TurnSkipped)
        await tick_until(clock, lambda: trail.entered, 60)


async def test_scheduled_warns_and_is_an_interval_with_a_lock(timed, clock, trail):
    with pytest.warns(DeprecationWarning, match=r"scheduled\(\) is deprecated") as warned:
        timed.scheduled(seconds=10, name="cleanup")(trail.body())
    assert warned[0].filename == __file__
    trail.gate.clear()
    async with timed:
        await until(lambda: trail.inside)
        [lease] = await timed.leases()
        assert (lease.key, lease.time_left(clock.now())) == ("tasklock:cleanup", 50)
        trail.gate.set()
        await until(lambda: not trail.inside)
        await until(lambda: _time_left(timed, clock, 10))


async def _time_left(manager, clock, seconds):
    return [lease.time_left(clock.now()) for lease in await manager.leases()] == [seconds]
