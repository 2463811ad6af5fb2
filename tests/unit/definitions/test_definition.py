from functools import partial, wraps

import pytest

from outlive import DefinitionError, OutliveError, TaskConfig
from outlive.core.config import UNSET
from outlive.definitions.definition import Definition


def plain(a, b=1): ...


async def coroutine(a, *, b): ...


class Sender:
    def __call__(self, a): ...

    def send(self, a): ...

    async def send_async(self, a): ...

    @classmethod
    def prepare(cls, a): ...

    @staticmethod
    async def deliver(a): ...


class AsyncSender:
    async def __call__(self, a): ...


def numbers():
    yield 1


async def async_numbers():
    yield 1


def define(func, **options):
    return Definition(func, TaskConfig(**options), UNSET, declared=True)


KINDS = {
    "function": (plain, "thread"),
    "coroutine function": (coroutine, "async"),
    "lambda": (lambda: None, "thread"),
    "partial": (partial(plain, 1), "thread"),
    "partial of a coroutine function": (partial(coroutine, 1), "async"),
    "partial of a partial": (partial(partial(coroutine, 1), b=2), "async"),
    "callable object": (Sender(), "thread"),
    "async callable object": (AsyncSender(), "async"),
    "partial of an async callable object": (partial(AsyncSender(), 1), "async"),
    "method": (Sender().send, "thread"),
    "async method": (Sender().send_async, "async"),
    "classmethod": (Sender.prepare, "thread"),
    "async staticmethod": (Sender.deliver, "async"),
    "class": (Sender, "thread"),
    "class of async callable objects": (AsyncSender, "thread"),
    "builtin": (len, "thread"),
}


@pytest.mark.parametrize(("func", "executor"), KINDS.values(), ids=KINDS)
def test_the_signature_chooses_the_executor(func, executor):
    assert define(func).executor == executor
    assert define(func, executor=executor).executor == executor


def test_a_plain_function_cannot_run_on_the_event_loop():
    with pytest.raises(
        DefinitionError, match="executor='async' needs a coroutine function, plain is not; use 'thread'"
    ):
        define(plain, executor="async")


def test_a_coroutine_function_cannot_run_in_a_thread():
    with pytest.raises(ValueError, match="executor='thread' needs a plain function, coroutine is a coroutine"):
        define(coroutine, executor="thread")


def test_an_executor_that_one_call_asks_for_must_suit_the_function_too():
    definition = define(plain)

    with pytest.raises(DefinitionError, match="use 'thread'"):
        definition.with_call_options(TaskConfig(executor="async"))
    assert definition.with_call_options(TaskConfig(executor="thread"))


@pytest.mark.parametrize("func", ["name", 5, None], ids=str)
def test_what_cannot_be_called_is_no_task(func):
    with pytest.raises(DefinitionError, match=f"{func!r} is not callable"):
        define(func)


@pytest.mark.parametrize("func", [numbers, async_numbers, partial(numbers)], ids=["plain", "async", "partial"])
def test_a_generator_is_no_task_because_its_body_would_not_run(func):
    with pytest.raises(OutliveError, match="numbers is a generator"):
        define(func)


HERE = __name__
NAMES = {
    "function": (plain, f"{HERE}:plain", "plain"),
    "method": (Sender().send, f"{HERE}:Sender.send", "send"),
    "classmethod": (Sender.prepare, f"{HERE}:Sender.prepare", "prepare"),
    "callable object": (Sender(), f"{HERE}:Sender", "Sender"),
    "class": (Sender, f"{HERE}:Sender", "Sender"),
    "partial": (partial(plain, 1), f"{HERE}:plain", "plain"),
    "partial of a callable object": (partial(Sender(), 1), f"{HERE}:Sender", "Sender"),
    "builtin": (len, "builtins:len", "len"),
}


@pytest.mark.parametrize(("func", "identity", "name"), NAMES.values(), ids=NAMES)
def test_a_function_is_known_by_module_and_qualified_name_and_shown_by_its_name(func, identity, name):
    definition = define(func)
    assert (definition.identity, definition.display_name) == (identity, name)


def test_two_functions_of_one_name_have_different_identities():
    def make():
        def plain(): ...

        return plain

    nested = make()
    assert define(nested).display_name == define(plain).display_name
    assert define(nested).identity != define(plain).identity


def test_an_explicit_name_is_the_identity_and_what_screens_show():
    definition = define(plain, name="mail.send")
    assert (definition.identity, definition.display_name) == ("mail.send", "mail.send")


def test_a_decorated_function_keeps_its_identity():
    @wraps(plain)
    def wrapper(*args, **kwargs): ...

    assert define(wrapper).identity == define(plain).identity


def test_the_definition_wins_over_the_manager_and_the_call_over_both():
    definition = Definition(plain, TaskConfig(retries=2), TaskConfig(retries=1, timeout=5.0), declared=True)

    assert (definition.effective.retry.retries, definition.effective.timeout) == (2, 5.0)
    called = definition.with_call_options(TaskConfig(retries=3))
    assert (called.retry.retries, called.timeout) == (3, 5.0)
    assert definition.effective.retry.retries == 2


def test_a_label_given_with_a_call_is_no_identity():
    definition = define(plain)
    definition.with_call_options(TaskConfig(name="for Ada"))
    assert definition.identity == f"{HERE}:plain"


GOOD_CALLS = [
    (plain, (1,), {}),
    (plain, (1, 2), {}),
    (plain, (), {"a": 1}),
    (coroutine, (1,), {"b": 2}),
    (lambda *args, **kwargs: None, (1, 2, 3), {"x": 4}),
    (lambda *, a=1: None, (), {}),
    (Sender().send, (1,), {}),
    (partial(plain, 1), (), {}),
]
BAD_CALLS = [
    (plain, (), {}),
    (plain, (1, 2, 3), {}),
    (plain, (1,), {"c": 2}),
    (plain, (1,), {"a": 2}),
    (coroutine, (1,), {}),
    (coroutine, (1, 2), {"b": 3}),
    (lambda *, a: None, (), {}),
    (lambda a, /: None, (), {"a": 1}),
    (Sender().send, (), {}),
    (partial(plain, 1, 2), (3,), {}),
]


@pytest.mark.parametrize(("func", "args", "kwargs"), GOOD_CALLS, ids=range(len(GOOD_CALLS)))
def test_a_call_that_the_function_takes_passes(func, args, kwargs):
    define(func).check_call(args, kwargs)


@pytest.mark.parametrize(("func", "args", "kwargs"), BAD_CALLS, ids=range(len(BAD_CALLS)))
def test_a_call_that_the_function_would_refuse_is_refused_in_the_same_way(func, args, kwargs):
    with pytest.raises(TypeError):
        define(func).check_call(args, kwargs)
