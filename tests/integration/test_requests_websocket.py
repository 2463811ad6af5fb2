"""Tasks in WebSockets."""

from contextlib import suppress

from fastapi import FastAPI, WebSocket, WebSocketDisconnect, WebSocketException
from fastapi.testclient import TestClient
from support.recording import Trail
from support.waiting import until_sync

from outlive import Tasks, TaskStatus


def status_of(client, manager, task_id):
    """None until the record is written: nobody waits for that before a connection is closed."""
    record = client.portal.call(manager.get, task_id)
    return None if record is None else record.status


def test_immediate_tasks_run_while_the_connection_is_open_and_the_others_after_the_endpoint(manager):
    app, trail = FastAPI(), Trail()
    manager.init_app(app)

    @app.websocket("/")
    async def endpoint(socket: WebSocket, tasks: Tasks):
        await socket.accept()
        tasks.after_route.schedule(trail.mark_async, "later")
        tasks.after_response.schedule(trail.mark_async, "later")
        tasks.add_task(trail.mark_async, "later")
        task = tasks.schedule(trail.mark_async, "immediate")
        await task.result(5)
        await socket.send_text(task.id)
        await socket.receive_text()

    with TestClient(app) as client:
        with client.websocket_connect("/") as socket:
            socket.receive_text()
            assert trail == ["immediate"]
            socket.send_text("go on")
        until_sync(lambda: len(trail) == 4)


def test_durable_is_the_promise_in_an_open_connection(manager):
    app, trail = FastAPI(), Trail()
    manager.init_app(app)

    @app.websocket("/")
    async def endpoint(socket: WebSocket, tasks: Tasks):
        await socket.accept()
        task = tasks.after_response.schedule(trail.mark_async, "ran")
        await task.durable()
        await socket.send_text((await manager.get(task.id)).status)
        assert trail == []
        await socket.close()

    with TestClient(app) as client:
        with client.websocket_connect("/") as socket:
            assert socket.receive_text() == TaskStatus.PENDING
        until_sync(lambda: trail == ["ran"])


def test_a_client_that_hangs_up_does_not_drop_the_tasks(manager):
    app, trail = FastAPI(), Trail()
    manager.init_app(app)

    @app.websocket("/")
    async def endpoint(socket: WebSocket, tasks: Tasks):
        await socket.accept()
        tasks.after_response.schedule(trail.mark_async, "ran")
        while True:
            await socket.receive_text()

    with TestClient(app) as client:
        # The client of the tests raises what the application raised.
        with suppress(WebSocketDisconnect), client.websocket_connect("/") as socket:
            socket.send_text("hello")
        until_sync(lambda: trail == ["ran"])


def test_an_endpoint_that_refuses_the_connection_drops_its_tasks(manager):
    app, ids = FastAPI(), []
    manager.init_app(app)

    @app.websocket("/")
    async def endpoint(socket: WebSocket, tasks: Tasks):
        ids.append(tasks.add_task(list))
        await socket.accept()
        raise WebSocketException(1008, "not you")

    with TestClient(app) as client:
        with client.websocket_connect("/") as socket:
            assert socket.receive()["code"] == 1008
        until_sync(lambda: status_of(client, manager, ids[0]) in (TaskStatus.CANCELLED, TaskStatus.SUCCESS))
        assert status_of(client, manager, ids[0]) is TaskStatus.CANCELLED


def test_an_endpoint_that_handles_its_own_error_and_closes_keeps_its_tasks(manager):
    app, trail = FastAPI(), Trail()
    manager.init_app(app)

    @app.websocket("/")
    async def endpoint(socket: WebSocket, tasks: Tasks):
        await socket.accept()
        tasks.add_task(trail.mark_async, "ran")
        try:
            int("no number")
        except ValueError:
            await socket.close(1011)

    with TestClient(app) as client:
        with client.websocket_connect("/") as socket:
            assert socket.receive()["code"] == 1011
        until_sync(lambda: trail == ["ran"])


def test_an_endpoint_that_fails_drops_its_tasks(manager):
    app, ids = FastAPI(), []
    manager.init_app(app)

    @app.websocket("/")
    async def endpoint(socket: WebSocket, tasks: Tasks):
        ids.append(tasks.add_task(list))
        ids.append(tasks.schedule(list).id)
        await socket.accept()
        await socket.send_text("ready")
        raise LookupError("on purpose")

    with TestClient(app, raise_server_exceptions=False) as client:
        with suppress(LookupError), client.websocket_connect("/") as socket:
            socket.receive_text()
        until_sync(lambda: status_of(client, manager, ids[1]) is TaskStatus.SUCCESS)
        until_sync(lambda: status_of(client, manager, ids[0]) is TaskStatus.CANCELLED)


def test_tasks_arrive_in_dependencies_of_websockets(manager):
    app, seen = FastAPI(), []
    manager.init_app(app)

    @app.websocket("/")
    async def endpoint(socket: WebSocket, tasks: Tasks):
        await socket.accept()
        seen.append(await manager.get_tasks(socket))
        seen.append(tasks)
        await socket.close()

    with TestClient(app) as client, client.websocket_connect("/"):
        pass

    assert len(seen) == 2
    assert seen[0] is seen[1]
