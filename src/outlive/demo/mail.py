"""The mail server of the demo: it speaks real SMTP, keeps what arrives, and is now and then too busy."""

import asyncio
import time
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from itertools import cycle
from pathlib import Path

from aiosmtpd.smtp import SMTP, Envelope

#: How often a new message is refused before it is taken: once, never, twice, and again from the start.
REFUSALS = (1, 0, 2)


class Mailbox:
    """Writes messages to files. `handle_DATA` is the name that aiosmtpd calls."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.folder.mkdir(parents=True, exist_ok=True)
        self._refusals = cycle(REFUSALS)
        self._refusals_left: dict[str, int] = {}

    async def handle_DATA(self, _server: SMTP, _session: object, envelope: Envelope) -> str:  # noqa: N802 - see above
        content = envelope.content
        assert isinstance(content, bytes)
        if self._is_too_busy_for(str(_parse(content)["Message-ID"])):
            return "451 4.3.2 too busy, try again later"
        path = self.folder / f"{time.time_ns()}.eml"
        path.write_bytes(content)
        return "250 2.0.0 taken"

    def _is_too_busy_for(self, message_id: str) -> bool:
        if message_id not in self._refusals_left:
            self._refusals_left[message_id] = next(self._refusals)
        self._refusals_left[message_id] -= 1
        return self._refusals_left[message_id] >= 0


def messages(folder: Path) -> list[EmailMessage]:
    """What has arrived, newest first."""
    return [_parse(path.read_bytes()) for path in sorted(folder.glob("*.eml"), reverse=True)]


def _parse(content: bytes) -> EmailMessage:
    return message_from_bytes(content, policy=default)


@asynccontextmanager
async def mail_server(folder: Path) -> AsyncGenerator[int]:
    """Serve on a free port and give its number."""
    mailbox = Mailbox(folder)
    server = await asyncio.get_running_loop().create_server(lambda: SMTP(mailbox), "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
