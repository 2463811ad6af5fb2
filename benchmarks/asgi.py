"""One request as a server makes it, without a server."""

import asyncio

from starlette.types import Message, Scope


def request_scope() -> Scope:
    """A scope as uvicorn builds it for a small POST."""
    headers = [(b"host", b"127.0.0.1:8000"), (b"user-agent", b"bench"), (b"accept", b"*/*"), (b"content-length", b"0")]
    return {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "http_version": "1.1",
        "server": ("127.0.0.1", 8000),
        "client": ("127.0.0.1", 50000),
        "scheme": "http",
        "method": "POST",
        "root_path": "",
        "path": "/signup",
        "raw_path": b"/signup",
        "query_string": b"email=ann%40example.org",
        "headers": headers,
        "state": {},
    }


async def receive() -> Message:
    """An empty body."""
    return {"type": "http.request", "body": b"", "more_body": False}


async def send(message: Message) -> None:
    """A server that takes everything; a failed response ends the run."""
    if message["type"] == "http.response.start" and message["status"] != 200:
        raise AssertionError(f"the application answered {message['status']}")


class Asking:
    """Who has asked and stays until the answer is there."""

    def __init__(self) -> None:
        self._asked = False

    async def receive(self) -> Message:
        """An empty body, and then nothing."""
        if self._asked:
            await asyncio.Event().wait()
        self._asked = True
        return await receive()
