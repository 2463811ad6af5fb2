"""What a background task adds to one request: ASGI calls by hand, without server, client or network."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import fastapi.routing
from fastapi import FastAPI

from benchmarks.asgi import receive, request_scope, send
from benchmarks.measure import Options, Row, Section, at_most, interleave, number, percentile, scratch
from benchmarks.peers import starlette
from benchmarks.peers.web import plain
from benchmarks.raw import SETTINGS, Committer
from outlive import SqliteBackend, Task, TaskManager, Tasks

PLAIN, STARLETTE, RAW_HOP = "plain endpoint", "Starlette BackgroundTasks", "thread hop by hand"

METHOD = """\
One process calls the application as a server would (`await app(scope, receive, send)`), one request after
another, and gives the event loop one turn after each, in every case alike. Wall time; the 5th percentile of
interleaved rounds, because noise only ever adds. "Added" is the time beyond the plain endpoint's. For async
tasks it counts everything up to the end of the task and its record, spread over the requests of a round; for
durable tasks it counts up to the last byte of the response (the commit is in it), each request waiting for
the end of the task before it; for plain functions up to the end of the task. While a case without outlive is
measured, outlive's hook inside FastAPI is taken out.

The bars speak of a machine where a plain endpoint takes 100 µs, so those for work on the processor are held
against the share of the plain endpoint's time (35 µs is 35 %)."""

#: Where outlive puts its hook.
ROUTING = vars(fastapi.routing)


async def noop(address: str) -> None:
    """The task of every case."""


def sync_noop(address: str) -> None:
    """The same as a plain function."""


@dataclass(slots=True)
class Case:
    """An application, and the waiting after each of its requests."""

    app: FastAPI
    solver: Any = None
    calls: int = 40
    #: Whether the time ends with the response; what comes after it is waited for outside the measurement.
    until_response: bool = False
    settled: Callable[[], Awaitable[None]] = field(default=lambda: asyncio.sleep(0))


# -- the applications ----------------------------------------------------------------------------------


def by_hand(running: set[asyncio.Future[None]]) -> FastAPI:
    """The least that a plain function beside the loop can cost."""
    app = FastAPI()

    @app.post("/signup")
    async def endpoint(email: str) -> dict[str, bool]:
        running.add(asyncio.get_running_loop().run_in_executor(None, sync_noop, email))
        return {"ok": bool(email)}

    return app


def without_tasks(manager: TaskManager) -> FastAPI:
    """An initialised application, an endpoint that knows nothing of it."""
    app = plain()
    manager.init_app(app)
    return app


def unused(manager: TaskManager) -> FastAPI:
    """`Tasks` injected, nothing scheduled."""
    app = FastAPI()
    manager.init_app(app)

    @app.post("/signup")
    async def endpoint(email: str, tasks: Tasks) -> dict[str, bool]:
        return {"ok": bool(email) and tasks is not None}

    return app


def scheduling(manager: TaskManager, schedule: Callable[[Tasks, str], object]) -> FastAPI:
    """One task per request, scheduled by `schedule`."""
    app = FastAPI()
    manager.init_app(app)

    @app.post("/signup")
    async def endpoint(email: str, tasks: Tasks) -> dict[str, bool]:
        schedule(tasks, email)
        return {"ok": bool(email)}

    return app


def committing(committer: Committer) -> FastAPI:
    """A row committed before the response, by hand: a thread, a transaction, nothing else."""
    app = FastAPI()

    @app.post("/signup")
    async def endpoint(email: str) -> dict[str, bool]:
        await committer.commit()
        return {"ok": bool(email)}

    return app


# -- driving -------------------------------------------------------------------------------------------


async def sample(case: Case) -> float:
    """Seconds per request over one round of a case."""
    ours = ROUTING["solve_dependencies"]
    ROUTING["solve_dependencies"] = case.solver or ours
    try:
        for _ in range(3):
            await one(case)
        return sum([await one(case) for _ in range(case.calls)]) / case.calls
    finally:
        ROUTING["solve_dependencies"] = ours


async def one(case: Case) -> float:
    """Seconds that one request takes."""
    scope, start = request_scope(), time.perf_counter()
    await case.app(scope, receive, send)
    responded = time.perf_counter()
    await case.settled()
    return (responded if case.until_response else time.perf_counter()) - start


async def _all_of(running: set[asyncio.Future[None]]) -> None:
    await running.pop()


async def _finished(handles: list[Task[Any]]) -> None:
    await handles.pop().finished.wait()


async def _nothing() -> None:
    pass


# -- the cases -----------------------------------------------------------------------------------------


def async_cases(manager: TaskManager, original: Any) -> dict[str, Case]:
    """One async task, in memory."""
    return {
        PLAIN: Case(plain(), original),
        STARLETTE: Case(starlette.app(noop), original),
        "unused, endpoint without Tasks": Case(without_tasks(manager)),
        "unused, Tasks injected": Case(unused(manager)),
        "schedule": Case(scheduling(manager, lambda tasks, email: tasks.schedule(noop, email))),
        "after_route": Case(scheduling(manager, lambda tasks, email: tasks.after_route.schedule(noop, email))),
        "after_response": Case(scheduling(manager, lambda tasks, email: tasks.after_response.schedule(noop, email))),
        "add_task": Case(scheduling(manager, lambda tasks, email: tasks.add_task(noop, email))),
    }


def sync_cases(manager: TaskManager, original: Any) -> dict[str, Case]:
    """One plain function, in memory."""
    running: set[asyncio.Future[None]] = set()
    handles: list[Task[Any]] = []
    ours = scheduling(manager, lambda tasks, email: handles.append(tasks.after_response.schedule(sync_noop, email)))
    return {
        PLAIN: Case(plain(), original, settled=_nothing),
        RAW_HOP: Case(by_hand(running), original, settled=partial(_all_of, running)),
        STARLETTE: Case(starlette.app(sync_noop), original, settled=_nothing),
        "outlive": Case(ours, settled=partial(_finished, handles)),
    }


def durable_case(manager: TaskManager) -> Case:
    """One async task, committed to SQLite before the response."""
    handles: list[Task[Any]] = []
    app = scheduling(manager, lambda tasks, email: handles.append(tasks.after_response.schedule(noop, email)))
    return Case(app, calls=15, until_response=True, settled=partial(_finished, handles))


async def _started(stack: AsyncExitStack, manager: TaskManager) -> TaskManager:
    manager.task()(noop)
    manager.task()(sync_noop)
    return await stack.enter_async_context(manager)


def _samplers(cases: dict[str, Case]) -> dict[str, Callable[[], Awaitable[float]]]:
    return {name: partial(sample, case) for name, case in cases.items()}


async def _measure(options: Options, folder: Path, original: Any) -> tuple[dict[str, list[float]], ...]:
    async with AsyncExitStack() as stack:
        memory = await _started(stack, TaskManager())
        in_memory = await interleave(_samplers(async_cases(memory, original)), options.rounds(100), young_only=True)
        by_thread = await interleave(_samplers(sync_cases(memory, original)), options.rounds(60), young_only=True)
        durable: dict[str, Case] = {PLAIN: Case(plain(), original, 15, until_response=True, settled=_nothing)}
        for synchronous in SETTINGS:
            backend = SqliteBackend(folder / f"{synchronous}.db", synchronous=synchronous)
            durable[synchronous] = durable_case(await _started(stack, TaskManager(backend)))
            raw = stack.enter_context(Committer(folder / f"raw-{synchronous}.db", synchronous))
            case = Case(committing(raw), original, 15, until_response=True, settled=_nothing)
            durable[f"raw {synchronous}"] = case
        stored = await interleave(_samplers(durable), options.rounds(60), young_only=True)
    return in_memory, by_thread, stored


# -- the tables ----------------------------------------------------------------------------------------


def _best(samples: dict[str, list[float]]) -> dict[str, float]:
    return {name: percentile(values, 5) * 1e6 for name, values in samples.items()}


def _memory_rows(best: dict[str, float]) -> list[Row]:
    base = best[PLAIN]
    rows = [Row(PLAIN, f"{number(base)} µs")]
    for name, value in best.items():
        added, share = value - base, (value - base) / base * 100
        text = f"+{number(added)} µs"
        if name == STARLETTE:
            rows.append(Row(f"{name}, async task", text, f"{number(share)} %"))
        elif name != PLAIN:
            bar = 10.0 if name.startswith("unused") else 35.0
            what = name if name.startswith("unused") else f"one async task, memory, {name}"
            rows.append(at_most(what, share, bar, "%", text, f"{number(share)} %"))
    return rows


def _sync_rows(best: dict[str, float]) -> list[Row]:
    base = best[PLAIN]
    hop = best[RAW_HOP] - base
    added = best["outlive"] - base
    starlette_added = best[STARLETTE] - base
    return [
        Row(f"plain function, {RAW_HOP}", f"+{number(hop)} µs", "1 x hop"),
        Row(f"plain function, {STARLETTE}", f"+{number(starlette_added)} µs", f"{number(starlette_added / hop)} x hop"),
        at_most(
            "plain function, memory, after_response",
            added / hop,
            1.5,
            "x hop",
            f"+{number(added)} µs",
            f"{number(added / hop)} x hop",
        ),
    ]


def _durable_rows(best: dict[str, float]) -> list[Row]:
    base = best[PLAIN]
    added = {name: value - base for name, value in best.items()}
    fsync = max(added["raw FULL"] - added["raw NORMAL"], 0.0)
    beside = {name: f"one row by hand +{number(added[f'raw {name}'])} µs" for name in ("NORMAL", "FULL")}
    return [
        at_most("one durable task, SQLite NORMAL", added["NORMAL"], 150.0, "µs", beside=beside["NORMAL"]),
        at_most("one durable task, SQLite FULL", added["FULL"], 150.0 + fsync, "µs", beside=beside["FULL"]),
        Row("one fsync here (FULL less NORMAL, by hand)", f"{number(fsync)} µs"),
    ]


def original_solver() -> Any:
    """FastAPI's own, without the hook."""
    hook = ROUTING["solve_dependencies"]
    return getattr(hook, "original", hook)


def run(options: Options) -> Section:
    """Measure all cases."""
    with scratch(options) as folder:
        in_memory, by_thread, stored = asyncio.run(_measure(options, folder, original_solver()))
    rows = _memory_rows(_best(in_memory)) + _sync_rows(_best(by_thread)) + _durable_rows(_best(stored))
    return Section("Time that one task adds to one request", METHOD, "share, or compared", rows)
