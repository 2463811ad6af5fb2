"""What tasks are given by dependencies: the markers of FastAPI and of fast-depends, in every place and executor."""
# ruff: noqa: B008 - the marker is the default

import threading
from functools import partial
from typing import Annotated

import fast_depends
import pytest
from fastapi import Depends, FastAPI, Security
from fastapi.testclient import TestClient
from support import injected_bodies as bodies
from support.recording import Trail
from support.waiting import ended, until

from outlive import TaskArgumentError, TaskFailed, TaskManager, Tasks, TaskStatus, get_task_context, task_log


async def result_of(manager, func, *args, **kwargs):
    async with manager:
        return await (await manager.enqueue(func, *args, **kwargs)).result(10)


def word():
    return "word"


async def async_word():
    return "async word"


def generated():
    yield "generated"


async def async_generated():
    yield "async generated"


class Words:
    def __init__(self, first: str = Depends(word)) -> None:
        self.words = [first]

    def second(self):
        return "second"

    async def __call__(self):
        return "called"


KINDS = {
    "function": (word, "word"),
    "coroutine function": (async_word, "async word"),
    "generator": (generated, "generated"),
    "async generator": (async_generated, "async generated"),
    "lambda": (lambda: "lambda", "lambda"),
    "method": (Words("").second, "second"),
    "async callable object": (Words(""), "called"),
    "partial": (partial(lambda value: value, "part"), "part"),
}


@pytest.mark.parametrize("marker", [Depends, fast_depends.Depends], ids=["fastapi", "fast-depends"])
@pytest.mark.parametrize("kind", KINDS)
async def test_every_kind_of_dependency_fills_a_parameter_of_every_kind_of_task(manager, marker, kind):
    dependency, value = KINDS[kind]

    async def by_default(given=marker(dependency)):
        return given

    async def annotated(number: int, given: Annotated[str, marker(dependency)]):
        return given, number

    def plain(number: int, *, given=marker(dependency)):
        return given, number

    async with manager:
        assert await (await manager.enqueue(by_default)).result(10) == value
        assert await (await manager.enqueue(annotated, 1)).result(10) == (value, 1)
        assert await (await manager.enqueue(plain, number=2)).result(10) == (value, 2)


@pytest.mark.parametrize("leaf", [word, async_word, generated, async_generated])
@pytest.mark.parametrize("is_async", [True, False], ids=["coroutine", "plain"])
async def test_dependencies_have_dependencies(manager, leaf, is_async):
    def shouted(text: Annotated[str, Depends(leaf)]):
        yield text.upper()

    async def twice(text=Depends(shouted), extra: Annotated[str, fast_depends.Depends(leaf)] = ""):
        return f"{text} {text} {extra}"

    async def body(said=Depends(twice)):
        return said

    def plain_body(said=Depends(twice)):
        return said

    value = KINDS[next(kind for kind in KINDS if KINDS[kind][0] is leaf)][1]
    said = await result_of(manager, body if is_async else plain_body)

    assert said == f"{value.upper()} {value.upper()} {value}"


async def test_a_class_is_made_from_its_annotation(manager):
    async def body(one: Annotated[Words, Depends()], other: Words = Depends(), third=Depends(Words)):
        return one.words, other is one, third is one

    assert await result_of(manager, body) == (["word"], True, True)


async def test_a_security_marker_without_a_request_is_a_dependency(manager):
    async def body(user=Security(word, scopes=["read"])):
        return user

    assert await result_of(manager, body) == "word"


async def test_an_attempt_shares_what_a_dependency_gave_unless_it_says_no(manager):
    made = Trail()

    def count():
        made.mark("made")
        return len(made)

    def nested(number=Depends(count), fresh=Depends(count, use_cache=False)):
        return number, fresh

    async def body(number=Depends(count), inner=Depends(nested), fresh=Depends(count, use_cache=False)):
        return number, inner, fresh

    async with manager:
        assert await (await manager.enqueue(body)).result(10) == (1, (1, 2), 3)
        assert await (await manager.enqueue(body)).result(10) == (4, (4, 5), 6)


async def test_parameters_of_one_name_are_given_what_each_asks_for(manager):
    def reader():
        return "reader"

    def writer():
        return "writer"

    def store(db=Depends(writer), name: str = "store"):
        return db, name

    async def body(db=Depends(reader), kept=Depends(store)):
        return db, kept

    assert await result_of(manager, body) == ("reader", ("writer", "store"))


async def test_a_dependency_is_given_arguments_of_the_task_by_name(manager):
    async def user(user_id: int, lang: str = "en", other: str = "own default"):
        return user_id, lang, other

    def body(user_id: int, stack: str = "task's", lang: str = "de", *, found=Depends(user), **more: int):
        return found, stack, more

    async with manager:
        assert await (await manager.enqueue(body, 7)).result(10) == ((7, "de", "own default"), "task's", {})
        task = await manager.enqueue(body, user_id=8, lang="fr", extra=1)
        assert await task.result(10) == ((8, "fr", "own default"), "task's", {"extra": 1})


async def test_every_kind_of_parameter_stands_beside_an_injected_one(manager):
    def nobody(first, given=Depends(word), /, second=2, *rest, third=3, **more):
        return first, given, second, rest, third, more

    async with manager:
        task = await manager.enqueue(nobody, 1)
        assert await task.result(10) == (1, "word", 2, (), 3, {})
        task = await manager.enqueue(nobody, 1, 5, 6, 7, third=8, fourth=9)
        assert await task.result(10) == (1, "word", 5, (6, 7), 8, {"fourth": 9})


async def test_positions_pass_over_what_is_injected(manager):
    def body(given: Annotated[str, Depends(word)], number: int):
        return given, number

    assert await result_of(manager, body, 5) == ("word", 5)


async def test_what_a_caller_passes_by_name_is_taken_and_its_dependency_not_called(manager):
    called = Trail()

    def number():
        called.mark("called")
        return 1

    @manager.task()
    async def body(given: int = Depends(number)):
        return given

    async with manager:
        task = await manager.enqueue(body, given=5)
        assert await task.result(10) == 5
        assert (await ended(manager, task.id)).arguments == '{"given":5}'
    assert called == []


async def test_what_a_partial_brings_is_not_injected(manager):
    async def body(number: int, given: Annotated[str, Depends(word)], other: str = Depends(word)):
        return number, given, other

    assert await result_of(manager, partial(body, 1, given="its own")) == (1, "its own", "word")


async def test_only_real_arguments_are_stored(manager):
    @manager.task()
    async def body(number: int, given: threading.Thread = Depends(threading.current_thread), *, last: bool = True):
        return number

    async with manager:
        task = await manager.enqueue(body, 1, last=False)
        record = await ended(manager, task.id)

    assert (record.arguments, record.recoverable) == ('{"number":1,"last":false}', True)


async def test_an_injected_value_that_is_passed_must_be_storable_where_it_is_stored(tmp_path):
    manager = TaskManager(f"sqlite:///{tmp_path}/tasks.db")

    @manager.task()
    async def body(given: threading.Thread = Depends(threading.current_thread)): ...

    async with manager:
        with pytest.raises(TaskArgumentError, match="'given'"):
            await manager.enqueue(body, given=threading.current_thread())


async def test_a_call_that_the_function_would_refuse_is_refused(manager):
    async def body(number: int, given=Depends(word)): ...

    async with manager:
        with pytest.raises(TypeError, match="missing a required argument: 'number'"):
            await manager.enqueue(body)
        with pytest.raises(TypeError, match="too many positional"):
            await manager.enqueue(body, 1, 2)


async def test_a_recovered_run_has_dependencies_of_its_own(tmp_path):
    url = f"sqlite:///{tmp_path}/tasks.db"
    before, after = TaskManager(url), TaskManager(url)
    given = Trail()

    async def body(number: int, value=Depends(async_word)):
        given.mark(f"{number} {value}")

    for manager in (before, after):
        manager.task(name="body")(body)

    async with before:
        task = await before.using(run_in=0.05).enqueue(body, 1)
        await before.shutdown()
    async with after:
        assert (await ended(after, task.id)).status is TaskStatus.SUCCESS
    assert given == ["1 async word"]


async def test_each_attempt_has_dependencies_of_its_own(manager):
    made = Trail()

    async def resource():
        made.mark("opened")
        yield len(made)
        made.mark("closed")

    async def body(number=Depends(resource)):
        if number == 1:
            raise OSError
        return number

    async with manager:
        task = await manager.using(retries=1).enqueue(body)
        assert await task.result(10) == 2
    assert made == ["opened", "opened", "closed"]


async def test_schedules_and_intervals_are_injected(manager):
    ran = Trail()

    @manager.schedule(every=3600, run_on_startup=True)
    async def on_schedule(value=Depends(word)):
        ran.mark(f"schedule {value}")

    @manager.interval(seconds=3600)
    def at_interval(value: Annotated[str, Depends(async_word)]):
        ran.mark(f"interval {value}")

    @manager.interval(seconds=3600, max_lock_seconds=7200)
    async def in_turn(value=Depends(async_word)):
        ran.mark(f"turn {value}")

    async with manager:
        await until(lambda: len(ran) == 3)
        for record in await manager.merged_list():
            assert (await ended(manager, record.id)).status is TaskStatus.SUCCESS

    assert sorted(ran) == ["interval async word", "schedule word", "turn async word"]


def test_a_dependency_serves_endpoints_and_the_tasks_that_they_schedule():
    manager, app, told = TaskManager(), FastAPI(), Trail()
    manager.init_app(app)

    async def greet(name: str, greeting: str = Depends(async_word)):
        told.mark(f"{greeting} {name}")

    @app.post("/{name}")
    async def endpoint(name: str, tasks: Tasks, greeting: Annotated[str, Depends(async_word)]):
        tasks.schedule(greet, name)
        tasks.after_route.schedule(greet, f"{name} after the route")
        tasks.add_task(greet, f"{name} after the response")
        return greeting

    with TestClient(app) as client:
        assert client.post("/ada").json() == "async word"

    assert told == ["async word ada", "async word ada after the route", "async word ada after the response"]


async def test_dependencies_know_the_run_that_they_belong_to(manager):
    def plain():
        task_log("from a thread")
        return get_task_context().func_name

    async def coroutine(name=Depends(plain)):
        task_log("from a coroutine")
        return name

    async def on_the_loop(name=Depends(coroutine)):
        return name

    def in_a_thread(name=Depends(coroutine)):
        return name

    async with manager:
        for body in (on_the_loop, in_a_thread):
            task = await manager.enqueue(body)
            assert await task.result(10) == body.__name__
            record = await ended(manager, task.id)
            assert [log.message for log in record.logs] == ["from a thread", "from a coroutine"]


async def test_plain_dependencies_of_a_plain_task_share_its_thread(manager):
    def resource():
        entered = threading.get_ident()
        yield entered
        assert threading.get_ident() == entered

    def body(entered=Depends(resource)):
        return entered == threading.get_ident() != threading.main_thread().ident

    assert await result_of(manager, body)


async def test_plain_dependencies_of_a_coroutine_are_called_beside_the_event_loop(manager):
    def place():
        return threading.get_ident()

    async def body(where=Depends(place)):
        return where

    assert await result_of(manager, body) != threading.get_ident()


@pytest.mark.parametrize("body", [bodies.with_plain, bodies.with_async, bodies.coroutine], ids=lambda f: f.__name__)
async def test_a_worker_process_solves_for_itself(body):
    manager = TaskManager(max_process_workers=1)

    async with manager:
        task = await manager.using(executor="process").enqueue(body, 3)
        here, steps = await task.result(30)
        assert not here
        assert steps[:2] == ["opened", "body 3"]
        record = await ended(manager, task.id)
        failing = await manager.using(executor="process").enqueue(body, -1)
        with pytest.raises(TaskFailed, match="negative"):
            await failing.result(30)
        failed = await ended(manager, failing.id)

    assert [log.message for log in record.logs] == ["closed"]
    assert [log.message for log in failed.logs] == ["saw ValueError('negative')", "closed"]


async def test_the_marker_of_fast_depends_validates_what_it_gives(manager):
    def number():
        return "5"

    def annotated_number() -> int:
        return "5"  # type: ignore[return-value]

    async def converted(
        one: int = fast_depends.Depends(number),
        returned=fast_depends.Depends(annotated_number, cast_result=True),
        other: int = fast_depends.Depends(number, cast=False),
        third: int = Depends(number),
    ):
        return one, returned, other, third

    async def refused(one: Annotated[list[int], fast_depends.Depends(number)]): ...

    async with manager:
        assert await (await manager.enqueue(converted)).result(10) == (5, 5, "5", "5")
        task = await manager.enqueue(refused)
        with pytest.raises(TaskFailed, match="list"):
            await task.result(10)
