"""The catalogue of functions: how each is declared, and how its runs went."""

import math
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

from fastapi import APIRouter, HTTPException, Request, Response

from outlive.admin import stats
from outlive.admin.access import Visitor
from outlive.admin.desk import Desk
from outlive.admin.sampler import newest
from outlive.admin.tracebacks import short
from outlive.core.filter import TaskFilter
from outlive.core.record import TaskRecord
from outlive.core.states import FINAL, LIVE
from outlive.definitions.definition import Definition, place_of

#: Runs that the figures of one function are about, and those that are shown.
_SAMPLE, _SHOWN = 500, 20
#: Buckets of the histogram: each is twice as long as the one before, from a millisecond on.
_BUCKETS, _FIRST = 20, 0.001

_OPTIONS = (
    *("retries", "delay", "backoff", "max_delay", "retry_jitter", "timeout", "priority", "queue", "persist", "eager"),
    *("requeue_on_interrupt", "shield", "idempotency_key", "concurrency_key", "rate_limit", "tags"),
)


#: Identity, name, how it is declared, how its newest runs went.
Row = tuple[str, str, Definition | None, stats.FunctionStats | None]


@dataclass(frozen=True, slots=True)
class Bucket:
    """How many runs took up to so many seconds, and more than half of that."""

    up_to: float
    count: int
    share: float


class FunctionsPage:
    """`{path}/dashboard/functions`."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    def add_to(self, router: APIRouter) -> None:
        """Its routes."""
        router.add_api_route("/functions", self.show, methods=["GET"])
        router.add_api_route("/functions/{func:path}", self.one, methods=["GET"])

    async def show(self, request: Request, user: Visitor) -> Response:
        """All of them, with figures from the newest runs of the application."""
        sample = await self._desk.sampler.finished()
        known = {one.func: one for one in stats.by_function(sample)}
        declared = list(self._desk.manager.registry)
        rows: list[Row] = [(one.identity, one.display_name, one, known.pop(one.identity, None)) for one in declared]
        rows += [(one.func, one.func_name, None, one) for one in known.values()]
        return await self._desk.pages.render(
            request,
            "functions.html",
            user,
            active="functions",
            functions=sorted(rows, key=lambda row: row[1]),
            sample=len(sample),
            options_of=options_of,
        )

    async def one(self, request: Request, user: Visitor, func: str) -> Response:
        """One function."""
        manager = self._desk.manager
        definition = manager.registry.find(func)
        finished = await newest(manager, TaskFilter(statuses=FINAL, func=func), _SAMPLE)
        live = await newest(manager, TaskFilter(statuses=LIVE, func=func), _SHOWN)
        if definition is None and not finished and not live:
            raise HTTPException(404, f"There is no function {func!r}, neither declared nor in the history.")
        figures = stats.by_function(finished)
        newest_first = sorted([*live, *finished[:_SHOWN]], key=lambda record: record.id, reverse=True)
        return await self._desk.pages.render(
            request,
            "function.html",
            user,
            active="functions",
            func=func,
            name=definition.display_name if definition else newest_first[0].func_name,
            definition=definition,
            place=_place(definition) if definition else None,
            options=options_of(definition) if definition else {},
            figures=figures[0] if figures else None,
            histogram=histogram(finished),
            records=newest_first[:_SHOWN],
        )


def options_of(definition: Definition) -> dict[str, str]:
    """The options that differ from the defaults, as texts."""
    merged = definition.effective.merged
    given = {name: getattr(merged, name, None) for name in _OPTIONS}
    return {name: _text(value) for name, value in given.items() if _is_told(name, value)}


def _place(definition: Definition) -> str:
    place, parenthesis, rest = place_of(definition.func).partition(" (")
    return f"{place}{parenthesis}{short(rest, sys.path)}"


def _is_told(name: str, value: Any) -> bool:
    if name == "backoff":
        return value not in (None, 1.0)
    return bool(value) and value != "default"


def _text(value: Any) -> str:
    if isinstance(value, Mapping):
        tags = cast("Mapping[str, str]", value)
        return ", ".join(f"{key}={inner}" for key, inner in tags.items())
    return "yes" if value is True else f"{value:g}" if isinstance(value, float) else str(value)


def histogram(records: Sequence[TaskRecord]) -> list[Bucket]:
    """How durations are spread, from the first bucket that has any to the last."""
    counts = [0] * _BUCKETS
    for record in records:
        if record.duration is not None:
            at = math.ceil(math.log2(max(record.duration, _FIRST) / _FIRST))
            counts[min(at, _BUCKETS - 1)] += 1
    used = [at for at, count in enumerate(counts) if count]
    if not used:
        return []
    most = max(counts)
    return [Bucket(_FIRST * 2**at, counts[at], counts[at] / most) for at in range(used[0], used[-1] + 1)]
