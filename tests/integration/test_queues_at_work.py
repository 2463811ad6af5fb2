"""Queues: what each lets run at once, when it is full, pausing, and changes while tasks wait."""

import asyncio

import pytest
from fastapi import FastAPI, HTTPException
from support.recording import Gate, Trail
from support.serving import serving
from support.waiting import ended, record_of, turns, until

from outlive import (
    ConfigError,
    QueueConfig,
    QueueFullError,
    TaskFilter,
    TaskManager,
    Tasks,
    TaskStatus,
    UnknownQueueError,
)


class Crowd:
    """Bodies that stay inside until they are let out, and how many there were at most."""

    def __init__(self):
        self.inside = []
        self.most = 0
        self.out = asyncio.Event()

    async def stay(self, name: str) -> None:
        self.inside.append(name)
        self.most = max(self.most, len(self.inside))
        await self.out.wait()
        self.inside.remove(name)

    async def pass_by(self, name: str) -> None:
        self.inside.append(name)
        self.most = max(self.most, len(self.inside))
        await turns(2)
        self.inside.remove(name)


@pytest.fixture
async def crowd():
    return Crowd()


def of(backend_url, **options):
    return TaskManager(backend_url, shutdown_grace=0.2, **options)


# -- how many at once ----------------------------------------------------------------------------


async def test_no_more_bodies_of_a_queue_run_than_it_allows(backend_url, crowd):
    manager = of(backend_url, queues={"mail": QueueConfig(concurrency=3)})
    manager.task(queue="mail")(crowd.pass_by)

    async with manager:
        tasks = await manager.enqueue_many(crowd.pass_by, [[str(number)] for number in range(40)])
        for task in tasks:
            await task.result(10)

    assert crowd.most == 3


async def test_a_queue_that_is_busy_keeps_nobody_else_back(backend_url, crowd):
    manager, trail = of(backend_url, queues={"mail": QueueConfig(concurrency=1)}), Trail()
    manager.task(queue="mail")(crowd.stay)
    manager.task(name="mark")(trail.mark_async)

    async with manager:
        await manager.enqueue_many(crowd.stay, [["a"], ["b"], ["c"]])
        await (await manager.enqueue(trail.mark_async, "other")).result(5)
        assert crowd.inside == ["a"]
        crowd.out.set()


async def test_in_a_queue_priority_comes_before_age(backend_url):
    manager, trail, gate = of(backend_url, queues={"mail": QueueConfig(concurrency=1)}), Trail(), Gate()

    @manager.task(queue="mail")
    async def work(word: str) -> None:
        trail.mark(word)
        await gate.wait()

    async with manager:
        await manager.enqueue(work, "first")
        await gate.entered.wait()
        for priority, word in ((None, "a"), (5, "b"), (-1, "c"), (5, "d"), (9, "e")):
            await manager.using(priority=priority).enqueue(work, word)
        gate.open.set()
        await until(lambda: len(trail) == 6)

    assert trail == ["first", "e", "b", "d", "a", "c"]


async def test_a_retry_gives_its_place_away_while_it_waits(backend_url, clock):
    manager = TaskManager(backend_url, queues={"q": QueueConfig(concurrency=1)}, clock=clock, queue="q")
    trail = Trail()

    @manager.task(retries=1, delay=60)
    async def fails() -> None:
        trail.mark("fails")
        raise ValueError

    async with manager:
        manager.task(name="mark")(trail.mark_async)
        task = await manager.enqueue(fails)
        await (await manager.enqueue(trail.mark_async, "next")).result(5)
        clock.advance(60)
        await ended(manager, task.id)

    assert trail == ["fails", "next", "fails"]


async def test_a_task_that_never_starts_leaves_its_queue(backend_url, crowd):
    manager = of(backend_url, queues={"mail": QueueConfig(concurrency=1)})
    manager.task(queue="mail")(crowd.stay)

    async with manager:
        tasks = await manager.enqueue_many(crowd.stay, [["a"], ["b"], ["c"]])
        await until(lambda: crowd.inside)
        assert await tasks[1].cancel()
        crowd.out.set()
        await tasks[2].result(5)

    assert [task.status for task in tasks] == [TaskStatus.SUCCESS, TaskStatus.CANCELLED, TaskStatus.SUCCESS]


# -- full ----------------------------------------------------------------------------------------


async def test_what_a_full_queue_rejects_has_a_record_that_says_so(backend_url, crowd):
    manager = of(backend_url, queues={"mail": QueueConfig(concurrency=1, max_size=2)})
    manager.task(queue="mail")(crowd.stay)

    async with manager:
        await manager.enqueue(crowd.stay, "runs")
        await until(lambda: crowd.inside)
        for word in ("waits", "waits too"):
            await manager.enqueue(crowd.stay, word)
        with pytest.raises(QueueFullError, match=r"queue 'mail' is full: max_size=2 .* raise max_size"):
            await manager.enqueue(crowd.stay, "too much")
        rejected = frozenset({TaskStatus.REJECTED})
        (record,) = await until(lambda: manager.find(TaskFilter(rejected)))
        assert "queue 'mail' is full" in record.reason

        (stats,) = [one for one in manager.queue_stats() if one["name"] == "mail"]
        assert (stats["pending"], stats["running"], stats["rejected"], stats["finished"]) == (2, 1, 1, 0)
        crowd.out.set()
        await until(lambda: not manager.store.list())
        await manager.requeue(record.id)
        assert (await ended(manager, record.id)).status is TaskStatus.SUCCESS


async def test_many_calls_are_accepted_together_or_not_at_all(backend_url, crowd):
    manager = of(backend_url, max_size=3)
    manager.task()(crowd.stay)

    async with manager:
        with pytest.raises(QueueFullError):
            await manager.enqueue_many(crowd.stay, [[str(number)] for number in range(4)])
        await turns()
        assert crowd.inside == []
        await manager.enqueue_many(crowd.stay, [["a"], ["b"], ["c"]])
        crowd.out.set()


async def test_an_endpoint_can_answer_what_a_full_queue_means(backend_url, crowd):
    app, manager = FastAPI(), of(backend_url, queues={"mail": QueueConfig(concurrency=1, max_size=1)})
    manager.init_app(app)

    @app.get("/{how}/{name}")
    def send(how: str, name: str, tasks: Tasks) -> str:
        try:
            if how == "now":
                return tasks.task(queue="mail").schedule(crowd.stay, name).id
            return tasks.add_task(crowd.stay, name, queue="mail")
        except QueueFullError as error:
            raise HTTPException(503, "busy") from error

    async with serving(app) as client:
        assert (await client.get("/now/runs")).status_code == 200
        await until(lambda: crowd.inside)
        assert (await client.get("/later/waits")).status_code == 200
        assert (await client.get("/later/too much")).json() == {"detail": "busy"}
        assert (await client.get("/now/too much")).status_code == 503
        crowd.out.set()


async def test_a_request_cannot_overfill_a_queue_by_itself(backend_url, crowd):
    app, manager, accepted = FastAPI(), of(backend_url, max_size=3), []
    manager.init_app(app)

    @app.get("/")
    async def send(tasks: Tasks) -> None:
        accepted.extend(tasks.add_task(crowd.pass_by, str(number)) for number in range(5))

    async with serving(app) as client:
        assert (await client.get("/")).status_code == 500
        assert len(accepted) == 3
        records = await until(lambda: manager.find(TaskFilter(frozenset({TaskStatus.REJECTED}))))
        assert len(records) == 1


async def test_a_key_that_is_held_is_no_task_more(backend_url, crowd):
    manager = of(backend_url, queues={"mail": QueueConfig(concurrency=1, max_size=1)}, queue="mail")
    manager.task()(crowd.stay)

    async with manager:
        await manager.enqueue(crowd.stay, "runs")
        await until(lambda: crowd.inside)
        holder = await manager.using(idempotency_key="k").enqueue(crowd.stay, "waits")
        assert (await manager.using(idempotency_key="k").enqueue(crowd.stay, "waits")).id == holder.id
        with pytest.raises(QueueFullError):
            await manager.using(idempotency_key="l").enqueue(crowd.stay, "too much")
        crowd.out.set()
        await holder.result(5)
        await manager.using(idempotency_key="l").enqueue(crowd.stay, "goes now")


async def test_a_full_queue_is_full_for_all_instances(shared, crowd):
    options = {"queues": {"mail": QueueConfig(max_size=2)}, "queue": "mail"}
    one, two = shared.instance(**options), shared.instance(**options)
    for manager in (one, two):
        manager.task(name="stay")(crowd.stay)

    async with one, two:
        await one.pause_queue("mail")
        await two.runtime.queues.step()
        await one.enqueue(crowd.stay, "a")
        await one.enqueue(crowd.stay, "b")
        await two.runtime.queues.step()
        with pytest.raises(QueueFullError):
            await two.enqueue(crowd.stay, "c")
        crowd.out.set()
        await one.resume_queue("mail")
        await until(lambda: not one.store.list())
        await two.runtime.queues.step()
        await (await two.enqueue(crowd.stay, "c")).durable()


# -- pausing and changing ------------------------------------------------------------------------


async def test_a_paused_queue_accepts_and_starts_nothing_until_it_is_resumed(backend_url, crowd):
    manager = of(backend_url)
    manager.task(queue="mail")(crowd.pass_by)

    async with manager:
        assert await manager.pause_queue("mail")
        assert not await manager.pause_queue("mail")
        tasks = await manager.enqueue_many(crowd.pass_by, [[str(number)] for number in range(500)])
        await turns()
        assert crowd.most == 0
        (info,) = await manager.queues()
        assert (info.name, info.paused, info.pending, info.running) == ("mail", True, 500, 0)
        assert info.oldest_at is not None

        assert await manager.resume_queue("mail")
        assert not await manager.resume_queue("mail")
        for task in tasks:
            await task.result(10)


async def test_a_queue_stays_paused_over_a_restart_and_for_all_instances(shared, crowd):
    one = shared.instance()
    one.task(name="stay", queue="mail")(crowd.stay)
    async with one:
        await one.pause_queue("mail")
        task = await one.enqueue(crowd.stay, "a")

    two, three = shared.instance(), shared.instance()
    for manager in (two, three):
        manager.task(name="stay", queue="mail")(crowd.stay)
    async with two, three:
        shared.clock.advance(5)
        await turns(200)
        assert (await record_of(two, task.id)).status is TaskStatus.PENDING
        assert crowd.inside == []
        crowd.out.set()
        await three.resume_queue("mail")

        async def has_ended():
            shared.clock.advance(1)
            return (await record_of(two, task.id)).status is TaskStatus.SUCCESS

        await until(has_ended)


async def test_limits_change_while_tasks_wait_and_hold_over_a_restart(shared, crowd):
    def instance():
        manager = shared.instance(queues={"mail": QueueConfig(concurrency=1, max_size=50)}, queue="mail")
        manager.task(name="stay")(crowd.stay)
        return manager

    async with instance() as one:
        await one.enqueue_many(crowd.stay, [[str(number)] for number in range(6)])
        await until(lambda: len(crowd.inside) == 1)
        changed = await one.update_queue_config("mail", concurrency=4)
        assert (changed["concurrency"], changed["max_size"], changed["overridden"]) == (4, 50, True)
        await until(lambda: len(crowd.inside) == 4)
        crowd.out.set()
        await until(lambda: not one.store.list())

    async with instance() as two:
        (info,) = [info for info in await two.queues() if info.name == "mail"]
        assert info.config == QueueConfig(4, 50)
        await two.reset_queue_config("mail")
        (info,) = [info for info in await two.queues() if info.name == "mail"]
        assert (info.config, info.is_overridden) == (QueueConfig(1, 50), False)
        with pytest.raises(ConfigError, match="concurrency=0"):
            await two.update_queue_config("mail", concurrency=0)
        with pytest.raises(UnknownQueueError, match="no queue 'post'; there are default, mail"):
            await two.pause_queue("post")


async def test_shutdown_does_not_wait_for_a_paused_queue(crowd):
    manager = TaskManager(shutdown_grace=30, shutdown_timeout=30)
    manager.task(queue="mail")(crowd.stay)

    async with asyncio.timeout(5):
        async with manager:
            await manager.pause_queue("mail")
            task = await manager.enqueue(crowd.stay, "a")
    assert task.status is TaskStatus.INTERRUPTED


# -- which queues there are ----------------------------------------------------------------------


async def test_without_declared_queues_every_name_is_one(backend_url, crowd):
    manager = of(backend_url)
    manager.task()(crowd.pass_by)

    async with manager:
        task = await manager.using(queue="anything").enqueue(crowd.pass_by, "a")
        await task.result(5)
        assert manager.queue_stats() == []
        assert (await record_of(manager, task.id)).queue == "anything"


async def test_where_queues_are_declared_another_name_is_refused(backend_url, crowd):
    manager = of(backend_url, queues={"mail": QueueConfig()})
    manager.task()(crowd.pass_by)

    async with manager:
        with pytest.raises(UnknownQueueError, match=r"no queue 'post'; .* declares default, mail"):
            await manager.using(queue="post").enqueue(crowd.pass_by, "a")
        await (await manager.using(queue="mail").enqueue(crowd.pass_by, "a")).result(5)
        assert [stats["name"] for stats in manager.queue_stats()] == ["default", "mail"]
        assert [stats["finished"] for stats in manager.queue_stats()] == [0, 1]


async def test_a_definition_with_an_unknown_queue_is_refused_at_start_up(backend_url, crowd):
    manager = of(backend_url, queues={"mail": QueueConfig()})
    manager.task(queue="post")(crowd.pass_by)

    with pytest.raises(UnknownQueueError, match="pass_by: there is no queue 'post'"):
        await manager.startup()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        pytest.param({"queues": {"default": QueueConfig()}, "max_size": 3}, "max_size=3 is short for", id="twice"),
        pytest.param({"max_size": 0}, "max_size=0", id="no size"),
        pytest.param({"run_queues": ["post"], "queues": {}}, "run_queues names 'post'", id="unknown queue"),
        pytest.param({"run_tasks": False}, "run_tasks=False needs a backend", id="memory alone"),
        pytest.param({"rate_limit": "many"}, "rate_limit='many' is no rate", id="rate"),
        pytest.param({"concurrency_limit": 0}, "concurrency_limit=0", id="limit"),
        pytest.param({"concurrency_key": 7}, "concurrency_key=7", id="key"),
    ],
)
def test_what_cannot_work_is_refused_where_it_is_given(options, message):
    with pytest.raises(ConfigError, match=message):
        TaskManager(**options)


def test_a_limit_of_a_queue_is_a_whole_number():
    for wrong in (0, -1, 1.5, True, "2"):
        with pytest.raises(ConfigError, match="must be a whole number from 1"):
            QueueConfig(concurrency=wrong)


# -- some accept, others run ---------------------------------------------------------------------


async def test_one_instance_accepts_and_another_runs(shared, crowd):
    web, worker = shared.instance(run_tasks=False), shared.instance()
    for manager in (web, worker):
        manager.task(name="pass_by")(crowd.pass_by)

    async with web:
        task = await web.enqueue(crowd.pass_by, "a")
        shared.clock.advance(5)
        await turns(100)
        assert (await record_of(web, task.id)).owner is None
        async with worker:
            record = await ended(web, task.id)
            assert record.status is TaskStatus.SUCCESS
            assert record.history[0].owner == worker.runtime.process.instance.id


async def test_what_only_it_could_run_is_refused_by_an_instance_that_runs_nothing(tmp_path, crowd):
    manager = TaskManager(f"{tmp_path}/tasks.db", run_tasks=False)
    declared = manager.task(name="declared")(crowd.pass_by)

    async def unknown() -> None: ...

    async with manager:
        for options, func, remedy in (({}, unknown, "declare it"), ({"persist": False}, declared, "persist=True")):
            with pytest.raises(ValueError, match=remedy):
                await manager.using(**options).enqueue(func, *(["a"] if func is declared else []))


async def test_an_instance_runs_only_the_queues_that_are_its_own(shared, crowd):
    mail, rest = shared.instance(run_queues=["mail"]), shared.instance(run_queues=["default"])
    for manager in (mail, rest):
        manager.task(name="pass_by")(crowd.pass_by)

    async with mail, rest:
        tasks = [
            await one.using(queue=name).enqueue(crowd.pass_by, "a")
            for one in (mail, rest)
            for name in ("mail", "default")
        ]

        async def all_ended():
            shared.clock.advance(1)
            return all([(await record_of(mail, task.id)).is_final for task in tasks])

        await until(all_ended)
        for task in tasks:
            record = await record_of(mail, task.id)
            runner = mail if record.queue == "mail" else rest
            assert record.history[0].owner == runner.runtime.process.instance.id
