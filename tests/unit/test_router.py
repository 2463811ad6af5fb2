from datetime import UTC, datetime

import pytest

from outlive import ConfigError, DefinitionError, TaskManager, TaskRouter


def send(address: str): ...


def fetch(url: str): ...


def sweep(): ...


async def poll(): ...


def names(manager):
    return {definition.identity for definition in manager.registry}


def scheduled(manager):
    return {schedule.name: schedule for schedule in manager._plan}


def test_a_manager_knows_what_an_included_router_declares():
    manager, router = TaskManager(), TaskRouter()
    assert router.task(retries=2)(send) is send
    assert router.schedule(every=60)(sweep) is sweep
    assert router.interval(seconds=5)(poll) is poll

    manager.include_router(router)

    assert names(manager) == {f"{__name__}:send", f"{__name__}:sweep", f"{__name__}:poll"}
    config = manager.registry.get_config(send)
    assert config is not None
    assert config.retries == 2
    assert set(scheduled(manager)) == {f"{__name__}:sweep", f"{__name__}:poll"}


def test_what_is_declared_after_the_include_arrives_too():
    manager, outer, inner = TaskManager(), TaskRouter(), TaskRouter()
    outer.include_router(inner)
    manager.include_router(outer)

    inner.task()(send)

    assert manager.registry.is_registered(send)


def test_prefixes_stand_before_names_outermost_first():
    manager, outer, inner = TaskManager(), TaskRouter(prefix="shop."), TaskRouter(prefix="mail.")
    inner.task(name="welcome")(send)
    inner.schedule(every=60)(sweep)
    outer.include_router(inner)
    manager.include_router(outer, prefix="v2.")

    assert names(manager) == {"v2.shop.mail.welcome", "v2.shop.mail.sweep"}
    assert set(scheduled(manager)) == {"v2.shop.mail.sweep"}


def test_options_come_from_the_nearest_and_tags_add_up():
    manager = TaskManager(retries=1, delay=1, timeout=1)
    router = TaskRouter(retries=2, delay=2, tags={"team": "a", "of": "router"})
    router.task(retries=3, tags={"of": "task"})(send)
    manager.include_router(router, backoff=4, delay=4)

    config = manager.registry.get_config(send)
    assert config is not None
    assert (config.retries, config.delay, config.timeout, config.backoff) == (3, 2, 1, 4)
    assert config.tags == {"team": "a", "of": "task"}


def test_a_router_cannot_include_itself_by_any_way():
    first, second, third = TaskRouter(), TaskRouter(), TaskRouter()
    first.include_router(second)
    second.include_router(third)

    for includer, included in ((first, first), (third, first), (second, first)):
        with pytest.raises(DefinitionError, match="would include itself"):
            includer.include_router(included)


def test_a_name_that_is_taken_is_refused_with_both_functions():
    manager, router = TaskManager(), TaskRouter()
    manager.task(name="mail")(send)
    router.task(name="mail")(fetch)

    with pytest.raises(DefinitionError, match=r"'mail'.*send.*fetch"):
        manager.include_router(router)
    with pytest.raises(DefinitionError, match=r"'mail'"):
        router.task(name="mail")(sweep)


def test_a_router_that_is_included_twice_is_refused():
    manager, router = TaskManager(), TaskRouter()
    router.task()(send)
    manager.include_router(router)

    with pytest.raises(DefinitionError, match="send"):
        manager.include_router(router)


def test_two_schedules_of_one_function_need_two_names():
    manager = TaskManager()
    manager.schedule(every=60)(sweep)

    with pytest.raises(DefinitionError, match="give one of them another name="):
        manager.schedule(cron="@daily")(sweep)
    manager.schedule(cron="@daily", name="nightly", retries=2)(sweep)

    assert set(scheduled(manager)) == {f"{__name__}:sweep", "nightly"}
    assert scheduled(manager)["nightly"].options.retries == 2
    assert len(manager.registry) == 1


@pytest.mark.parametrize("order", [("task", "schedule"), ("schedule", "task")])
def test_a_function_may_be_a_task_and_a_schedule_in_either_order(order):
    manager = TaskManager()
    decorators = {"task": manager.task(retries=3), "schedule": manager.schedule(every=60)}
    for name in order:
        decorators[name](sweep)

    config = manager.registry.get_config(sweep)
    assert config is not None
    assert config.retries == 3
    assert len(manager.registry) == len(scheduled(manager)) == 1


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({}, "needs every="),
        ({"every": 5, "cron": "@daily"}, "give one of them"),
        ({"every": 0}, "every=0"),
        ({"every": "5"}, "every='5'"),
        ({"cron": "99 8 1 1 1"}, "cron='99 8 1 1 1'"),
        ({"cron": "@daily", "timezone": "Mars/Base"}, "timezone='Mars/Base'"),
        ({"every": 5, "misfire": "maybe"}, "misfire='maybe'.*skip, latest, all"),
        ({"every": 5, "overlap": "maybe"}, "overlap='maybe'.*allow, skip"),
        ({"every": 5, "grace": -1}, "grace=-1"),
        ({"every": 5, "run_on_startup": "yes"}, "run_on_startup='yes'"),
        ({"every": 5, "retries": -1}, "retries=-1"),
        ({"every": 5, "idempotency_key": "k"}, "idempotency_key='k'"),
        ({"every": 5, "run_in": 5}, "run_in=5"),
        ({"every": 5, "unheard": 5}, "'unheard' is not an option"),
    ],
)
@pytest.mark.parametrize("kind", [TaskManager, TaskRouter])
def test_a_schedule_that_cannot_work_is_refused_where_it_is_declared(kind, options, said):
    with pytest.raises(ConfigError, match=said) as refused:
        kind().schedule(**options)(sweep)
    assert isinstance(refused.value, ValueError)


@pytest.mark.parametrize(
    "options", [{"run_in": 5}, {"run_at": datetime(2030, 1, 1, tzinfo=UTC)}, {"idempotency_key": "k"}]
)
@pytest.mark.parametrize("kind", [TaskManager, TaskRouter])
def test_what_is_for_one_run_is_refused_where_a_function_is_declared(kind, options):
    with pytest.raises(ConfigError, match=r"is for one run.*give it to the call"):
        kind().task(**options)(sweep)


def test_what_is_for_one_run_is_no_default_of_a_router():
    with pytest.raises(ConfigError, match="run_in=5 is for one run"):
        TaskRouter(run_in=5).task()(sweep)


@pytest.mark.parametrize("seconds", [0, -1, "5", None, float("nan")])
def test_an_interval_that_cannot_work_is_refused(seconds):
    with pytest.raises(ConfigError, match="seconds="):
        TaskRouter().interval(seconds=seconds)


def test_an_executor_that_does_not_suit_is_refused_by_schedules_and_intervals():
    for declare in (
        TaskManager().schedule(every=5, executor="thread"),
        TaskRouter().interval(seconds=5, executor="thread"),
    ):
        with pytest.raises(ValueError, match="poll is a coroutine function"):
            declare(poll)


def test_a_function_that_needs_arguments_cannot_be_scheduled():
    with pytest.raises(DefinitionError, match=r"address.*give its parameters defaults"):
        TaskManager().schedule(every=5)(send)
