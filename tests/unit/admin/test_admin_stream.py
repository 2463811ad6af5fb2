"""When streams end: with the server, which would wait for them."""

import asyncio
import signal
from collections.abc import Iterator

import pytest

from outlive import TaskManager
from outlive.admin.stream import Stream, Watch
from outlive.web.stopping import server_is_stopping


class Server:
    should_exit = False

    def stop(self, *_: object) -> None:
        self.should_exit = True


@pytest.fixture
def server() -> Iterator[Server]:
    server = Server()
    before = signal.signal(signal.SIGTERM, server.stop)
    yield server
    signal.signal(signal.SIGTERM, before)


def test_a_server_is_stopping_once_it_was_told(server):
    assert not server_is_stopping()
    signal.raise_signal(signal.SIGTERM)
    assert server_is_stopping()


def test_of_a_server_whose_handler_is_no_method_nothing_is_known():
    assert not server_is_stopping()


async def test_everybody_who_watches_hears_that_it_is_over(server):
    async with TaskManager() as manager:
        watch = Watch(manager)
        changes = [watch.join(), watch.join()]
        server.stop()
        for changed in changes:
            await asyncio.wait_for(changed.wait(), 10)
        assert watch.is_over
        assert watch.version == 0

        server.should_exit = False
        watch.join()
        assert not watch.is_over
        for changed in list(watch._watchers):
            watch.leave(changed)


async def test_a_stream_ends_with_the_server(server):
    async with TaskManager() as manager:
        events = Stream(manager)._events()
        assert (await anext(events)).event == "hello"
        server.stop()
        assert [event async for event in events] == []
