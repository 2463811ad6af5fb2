"""What is refused where a task is declared, because a task has no request or nobody could fill it."""
# ruff: noqa: B008 - the marker is the default

import subprocess
import sys
from typing import Annotated, Any

import fast_depends
import pytest
from fast_depends.library import CustomField
from fastapi import (
    BackgroundTasks,
    Body,
    Cookie,
    Depends,
    File,
    Form,
    Header,
    Path,
    Query,
    Request,
    Response,
    Security,
    WebSocket,
)
from fastapi.requests import HTTPConnection
from fastapi.responses import JSONResponse
from fastapi.security import APIKeyHeader, OAuth2PasswordBearer, SecurityScopes
from typing_extensions import TypeAliasType

from outlive import DefinitionError, OutliveError, TaskManager, TaskRouter, Tasks

PASS_IT = "read what the task needs of it in the endpoint, and pass that as an argument"


def word():
    return "word"


class FromMessage(CustomField):
    """What a message framework fills."""


OF_A_REQUEST: dict[str, Any] = {
    kind.__name__: kind for kind in (Request, WebSocket, HTTPConnection, Response, JSONResponse, SecurityScopes)
}
MARKERS: dict[str, Any] = {kind.__name__: kind() for kind in (Header, Query, Cookie, Body, Form, File, Path)}


def refused(func, *, at=None):
    with pytest.raises(DefinitionError) as raised:
        (at or TaskManager()).task(name="send")(func)
    assert isinstance(raised.value, OutliveError | ValueError)
    return str(raised.value)


@pytest.mark.parametrize("kind", OF_A_REQUEST)
def test_what_belongs_to_a_request_is_refused(kind):
    async def body(thing: OF_A_REQUEST[kind]): ...

    async def by_dependency(thing=Depends(OF_A_REQUEST[kind])): ...

    for func in (body, by_dependency):
        assert refused(func) == f"send: parameter 'thing' is {kind}, but a task has no request; {PASS_IT}"


@pytest.mark.parametrize("kind", MARKERS)
def test_what_is_read_from_a_request_is_refused(kind):
    async def by_default(thing=MARKERS[kind]): ...

    async def annotated(thing: Annotated[str, MARKERS[kind]]): ...

    for func in (by_default, annotated):
        assert refused(func) == f"send: parameter 'thing' is {kind}(...), but a task has no request; {PASS_IT}"


@pytest.mark.parametrize("kind", [Tasks, BackgroundTasks])
def test_the_tasks_of_a_request_are_refused_with_what_to_call_instead(kind):
    async def annotated(tasks: kind): ...

    async def by_default(tasks: kind = Depends()): ...

    for func in (annotated, by_default):
        assert "but a task has no request; use `await manager.enqueue(...)`" in refused(func)


def test_the_dependency_of_a_manager_is_refused():
    async def body(tasks=Depends(TaskManager().get_tasks)): ...

    assert "TaskManager.get_tasks, a dependency of " in refused(body)


@pytest.mark.parametrize("thing", [Request, Annotated[str, Header()], BackgroundTasks])
@pytest.mark.parametrize("marker", [Depends, fast_depends.Depends], ids=["fastapi", "fast-depends"])
def test_dependencies_are_looked_at_however_deep_they_are(thing, marker):
    async def deep(thing: thing): ...

    def nested(value=marker(deep)): ...

    async def body(value: Annotated[Any, marker(nested)]): ...

    told = refused(body)
    assert told.startswith(f"{deep.__qualname__}, a dependency of {body.__qualname__}: parameter 'thing' is ")


@pytest.mark.parametrize("scheme", [APIKeyHeader(name="x-key"), OAuth2PasswordBearer(tokenUrl="token")])
def test_security_schemes_are_refused(scheme):
    async def body(token: Annotated[str, Security(scheme)]): ...

    assert f"{type(scheme).__name__}, a dependency of " in refused(body)
    assert "but a task has no request" in refused(body)


def test_fields_of_a_message_are_refused():
    async def body(thing: Annotated[str, FromMessage()]): ...

    assert refused(body) == f"send: parameter 'thing' is FromMessage(...), but a task has no message; {PASS_IT}"


def test_it_is_refused_on_routers_schedules_and_intervals_too():
    async def body(request: Request = None): ...  # type: ignore[assignment]

    assert "'request' is Request" in refused(body, at=TaskRouter())
    for declare in (TaskManager().schedule(every=5), TaskManager().interval(seconds=5)):
        with pytest.raises(DefinitionError, match="'request' is Request"):
            declare(body)


def test_nothing_remains_of_what_was_refused():
    manager = TaskManager()

    async def body(request: Request): ...

    refused(body, at=manager)
    assert len(manager.registry) == 0
    manager.task(name="send")(word)


async def test_a_function_that_was_never_declared_may_be_given_a_request(manager):
    async def body(request: Request):
        return request

    async def deep(request: Request): ...

    async def with_dependency(value=Depends(deep)): ...

    request = Request({"type": "http"})
    async with manager:
        assert await (await manager.enqueue(body, request)).result(10) is request
        with pytest.raises(DefinitionError, match="'request' is Request"):
            await manager.enqueue(with_dependency)


def test_a_parameter_that_nobody_fills_is_refused():
    def user(user_id: int): ...

    async def body(number: int, found=Depends(user)): ...

    assert refused(body) == (
        f"{user.__qualname__}, a dependency of {body.__qualname__}: parameter 'user_id' has no default, and "
        f"{body.__qualname__} has no argument of that name to fill it with; give one of them to it"
    )


def test_two_markers_on_one_parameter_are_refused():
    async def body(given: Annotated[str, Depends(word)] = Depends(word)): ...

    assert "has two dependencies" in refused(body)


def test_any_number_of_arguments_cannot_be_injected():
    async def body(*given: Annotated[str, Depends(word)]): ...

    assert "takes any number of arguments" in refused(body)


def test_depends_without_a_function_needs_a_class():
    async def body(given=Depends()): ...

    assert "needs a class as annotation" in refused(body)


def test_a_builtin_without_a_signature_is_refused():
    async def body(given=Depends(dict)): ...

    assert "dict, a dependency of " in refused(body)


def test_a_limit_that_counts_within_requests_is_refused():
    try:
        marker = Depends(word, max_concurrency=2)
    except TypeError:  # this FastAPI has none
        return

    async def body(given=marker): ...

    assert "max_concurrency=2" in refused(body)


class Parent:
    def __init__(self, child: "Annotated[Parent, Depends()]") -> None: ...


def test_a_dependency_on_itself_is_refused():
    async def body(given: Annotated[Parent, Depends()]): ...

    assert "Parent, a dependency of " in refused(body)
    assert refused(body).endswith("depends on itself")


def test_an_annotation_that_hides_a_dependency_is_refused():
    async def body(given: "Annotated[Missing, Depends(word)]"): ...  # type: ignore[name-defined]  # noqa: F821

    told = refused(body)
    assert "the annotation of 'given'" in told
    assert "cannot be read where the task is declared" in told


def test_what_can_be_read_is_looked_at_though_something_else_cannot():
    async def deep(request: Request): ...

    async def body(other: "Missing", given=Depends(deep)): ...  # type: ignore[name-defined]  # noqa: F821

    assert "'request' is Request" in refused(body)


def test_an_application_without_dependencies_does_not_import_fast_depends():
    code = """
import sys
from outlive import TaskManager

async def body(number: int): ...

TaskManager().task()(body)
assert "fast_depends" not in sys.modules
"""
    subprocess.run([sys.executable, "-c", code], check=True, timeout=50)


Word = TypeAliasType("Word", Annotated[str, Depends(word)])


async def test_an_alias_and_text_are_read(manager):
    async def body(given: Word, other: "Word", third: "Annotated[str, Depends(word)]"):
        return given, other, third

    async with manager:
        assert await (await manager.enqueue(body)).result(10) == ("word", "word", "word")


async def test_an_alias_may_be_defined_after_the_task(manager):
    @manager.task()
    async def body(given: "Later"):  # type: ignore[name-defined]  # noqa: F821
        return given

    globals()["Later"] = Word
    try:
        async with manager:
            assert await (await manager.enqueue(body)).result(10) == "word"
    finally:
        del globals()["Later"]
