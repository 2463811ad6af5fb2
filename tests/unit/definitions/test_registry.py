import gc
import weakref
from dataclasses import dataclass
from functools import partial

import pytest

from outlive import DefinitionError, TaskConfig, TaskManager, TaskRegistry


def send(address: str): ...


def fetch(url: str): ...


class Service:
    def run(self): ...


@pytest.fixture
def registry() -> TaskRegistry:
    return TaskRegistry(TaskConfig(retries=1))


def other_function_of_the_same_name():
    def send(address: str): ...

    send.__qualname__ = "send"
    return send


def test_a_declared_function_is_found_by_itself_and_by_its_identity(registry):
    definition = registry.register(send, TaskConfig(delay=2.0))

    assert registry.of(send) is definition
    assert registry.find(f"{__name__}:send") is definition
    assert registry.identities() == {f"{__name__}:send"}
    assert list(registry) == [definition]
    assert len(registry) == 1


def test_the_registry_answers_as_taskflow_documents(registry):
    registry.register(send, TaskConfig(delay=2.0))

    assert registry.is_registered(send)
    assert not registry.is_registered(fetch)
    config = registry.get_config(send)
    assert config is not None
    assert (config.retries, config.delay) == (1, 2.0)
    assert registry.get_config(fetch) is None
    assert registry.get_by_name("send") == (send, config)
    assert registry.get_by_name(f"{__name__}:send") == (send, config)
    assert registry.get_by_name("fetch") is None


def test_a_second_function_of_the_same_name_is_refused_and_both_are_named(registry):
    registry.register(send)
    second = other_function_of_the_same_name()

    with pytest.raises(DefinitionError) as caught:
        registry.register(second)

    told = str(caught.value)
    assert f"two tasks are named '{__name__}:send'" in told
    for func in (send, second):
        assert f"{__file__}, line {func.__code__.co_firstlineno}" in told
    assert "give one of them a name=" in told
    assert isinstance(caught.value, ValueError)


def test_a_refused_function_leaves_the_first_as_it_was(registry):
    first = registry.register(send)
    second = other_function_of_the_same_name()

    with pytest.raises(DefinitionError):
        registry.register(second)

    assert registry.find(f"{__name__}:send") is first
    assert not registry.is_registered(second)
    assert len(registry) == 1


def test_an_explicit_name_may_not_be_taken_either(registry):
    registry.register(send, TaskConfig(name="mail"))
    with pytest.raises(DefinitionError, match="two tasks are named 'mail'"):
        registry.register(fetch, TaskConfig(name="mail"))


def test_with_a_name_of_its_own_the_second_function_is_taken(registry):
    registry.register(send)
    second = other_function_of_the_same_name()
    registry.register(second, TaskConfig(name="send again"))

    assert registry.of(second).identity == "send again"
    assert registry.of(send).identity == f"{__name__}:send"


def test_one_function_may_be_declared_under_several_names(registry):
    slow = registry.register(send, TaskConfig(name="slow", retries=5))
    quick = registry.register(send, TaskConfig(name="quick"))

    assert registry.find("slow") is slow
    assert registry.find("quick") is quick
    assert registry.of(send) is quick


def test_several_decorators_give_back_the_function_itself():
    manager = TaskManager()

    @manager.task(name="quick")
    @manager.task(name="slow", retries=5)
    def work(): ...

    assert work.__name__ == "work"
    assert manager.registry.identities() == {"quick", "slow"}


def test_two_managers_know_nothing_of_each_other():
    first, second = TaskManager(), TaskManager()
    first.task()(send)
    second.task()(send)
    assert first.registry.of(send) is not second.registry.of(send)


def test_a_function_that_was_never_declared_has_the_managers_options_and_cannot_be_found(registry):
    definition = registry.of(fetch)

    assert not definition.declared
    assert definition.config.retries == 1
    assert registry.find(definition.identity) is None
    assert not registry.is_registered(fetch)
    assert registry.of(fetch) is definition


def test_declaring_a_function_that_was_scheduled_before_counts(registry):
    registry.of(fetch)
    registry.register(fetch)
    assert registry.of(fetch).declared


def test_bound_methods_of_one_object_are_the_same_task(registry):
    service = Service()
    registry.register(service.run)

    assert registry.of(service.run).declared
    assert not registry.of(Service().run).declared


@dataclass
class Unhashable:
    name: str

    def __call__(self): ...


def test_an_object_that_cannot_be_hashed_runs_undeclared_but_cannot_be_declared(registry):
    task = Unhashable("a")

    assert not registry.of(task).declared
    assert not registry.is_registered(task)
    with pytest.raises(DefinitionError, match="cannot be hashed; declare a function that calls it"):
        registry.register(task)
    assert len(registry) == 0


def closure_over(service):
    def closure():
        return service

    return closure


@pytest.mark.parametrize(
    "make",
    [
        closure_over,
        lambda service: lambda: service,
        lambda service: partial(print, service),
        lambda service: service.run,
    ],
    ids=["closure", "lambda", "partial", "method"],
)
def test_what_was_scheduled_once_is_not_kept_alive(registry, make):
    service = Service()
    gone = weakref.ref(service)
    registry.of(make(service))

    del service
    gc.collect()

    assert gone() is None
