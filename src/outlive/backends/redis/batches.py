"""Hands batches and claims to the server so that none is lost and none done twice, whatever becomes of a connection.

Each goes under a token, with which the server keeps its answer for a while. Who did not hear the answer asks again.
"""

import asyncio
from collections.abc import Sequence
from itertools import count
from typing import Any
from uuid import uuid4

import ormsgpack

from outlive.backends.redis import rows
from outlive.backends.redis.link import REPEATS, Link, NotHeardError
from outlive.backends.redis.scripts import script
from outlive.backends.redis.wire import wire
from outlive.core.moves import Move
from outlive.core.schedule import GAPS_KEPT
from outlive.errors import BackendInDoubtError, BackendUnavailableError
from outlive.ports import Claim, Wanted

#: How long the server keeps an answer, in seconds: longer than any connection takes to come back.
REMEMBER = 3600

#: Pauses before an answer that was not heard is asked for again.
PAUSES = (0.0, 0.05, 0.1, 0.2, 0.4)

_YES = ord("1")


class Tokens:
    """The names of answers, and those whose answers have been heard, which the server need not keep any longer."""

    def __init__(self) -> None:
        self._asker, self._serial = uuid4().hex, count(1)
        self._heard: list[str] = []

    def new(self) -> str:
        """A name that no answer has."""
        return f"{self._asker}-{next(self._serial)}"

    def asked(self, token: str) -> dict[str, Any]:
        """What goes along with a question."""
        heard, self._heard = self._heard, []
        return {"token": token, "heard": heard, "remember": REMEMBER}

    def heard(self, token: str) -> None:
        """The answer is here."""
        self._heard.append(token)


class Batch:
    """Moves on their way, applied together and once."""

    def __init__(self, link: Link, tokens: Tokens, moves: Sequence[Move], ahead: float) -> None:
        self._link = link
        self._tokens = tokens
        self._token = tokens.new()
        asked = tokens.asked(self._token) | {"gaps": GAPS_KEPT}
        self._packed = ormsgpack.packb(asked | {"moves": [wire(move, ahead) for move in moves]})

    async def apply(self) -> Sequence[bool]:
        """Apply them; `BackendInDoubtError` where nobody can say whether they were."""
        try:
            return await self._send()
        except NotHeardError as error:
            return await self._ask_again(error)

    async def _ask_again(self, lost: NotHeardError) -> Sequence[bool]:
        for pause in PAUSES:
            await asyncio.sleep(pause)
            try:
                return await self._send()
            except BackendUnavailableError:
                continue
        raise BackendInDoubtError(str(lost), lambda: self._ask_again(lost)) from lost

    async def _send(self) -> Sequence[bool]:
        answer: bytes = await self._link.send(script("apply"), self._packed)
        self._tokens.heard(self._token)
        return [byte == _YES for byte in answer]


class Claims:
    """Claims of this process; what was handed over without being heard of is handed over again."""

    def __init__(self, tokens: Tokens) -> None:
        self._tokens = tokens
        self._unheard: str | None = None

    async def claim(self, link: Link, wanted: Wanted, ahead: float) -> Claim:
        """Take due records."""
        asked: dict[str, Any] = {
            "owner": wanted.owner,
            "functions": list(wanted.functions),
            "limit": max(wanted.limit, 0),
            "now": repr(wanted.now + ahead),
            "refused": list(wanted.refused),
            "queues": None if wanted.queues is None else list(wanted.queues),
            "without_queues": list(wanted.without_queues),
        }
        token, self._unheard = self._unheard or self._tokens.new(), None
        try:
            reply = await link.run("claim", asked | self._tokens.asked(token), repeats=REPEATS)
        except NotHeardError:
            self._unheard = token
            raise
        self._tokens.heard(token)
        handed, next_at = ormsgpack.unpackb(reply)
        return Claim([rows.record(found, ahead) for found in handed], rows.number(next_at, ahead))
