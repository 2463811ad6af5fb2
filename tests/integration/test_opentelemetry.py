"""Traces, from the request to each attempt, in whatever process it runs."""

import importlib
import subprocess
import sys
from datetime import UTC, datetime

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient
from opentelemetry.sdk.trace import SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind, StatusCode
from support import tracing
from support.recording import captured_log
from support.waiting import ended, record_of, until, until_sync

from outlive import TaskManager, Tasks, TaskStatus, task_log
from outlive.integrations import opentelemetry
from outlive.integrations.opentelemetry import OpenTelemetryTracer


class Traces:
    """What one process has exported."""

    def __init__(self):
        self.provider, self._exporter = TracerProvider(), InMemorySpanExporter()
        self.provider.add_span_processor(SimpleSpanProcessor(self._exporter))
        self.request = self.provider.get_tracer("app")

    def tracer(self, **options):
        return OpenTelemetryTracer(self.provider, **options)

    def named(self, name):
        return [span for span in self._exporter.get_finished_spans() if span.name == name]

    def one(self, name):
        (span,) = self.named(name)
        return span


@pytest.fixture
def traces():
    return Traces()


@pytest.fixture
def manager(backend_url, traces):
    return TaskManager(backend_url, tracer=traces.tracer(), shutdown_grace=0.2)


def is_child(span, parent):
    return span.parent.span_id == parent.context.span_id and span.context.trace_id == parent.context.trace_id


async def work(word: str) -> str:
    task_log(word)
    return tracing.seen()


# -- in one process ------------------------------------------------------------------------------


async def test_an_attempt_is_in_the_trace_of_whoever_asked_for_it(manager, traces):
    async with manager:
        with traces.request.start_as_current_span("POST /orders"):
            task = await manager.using(queue="mail").enqueue(work, "tea")
        seen = await task.result(10)
        record = await record_of(manager, task.id)

    request, asked, run = (traces.one(name) for name in ("POST /orders", "enqueue work", "run work"))
    assert is_child(asked, request)
    assert is_child(run, asked)
    assert [link.context.span_id for link in run.links] == [asked.context.span_id]
    assert (asked.kind, run.kind) == (SpanKind.PRODUCER, SpanKind.CONSUMER)
    assert seen == f"{run.context.trace_id:032x} {run.context.span_id:016x}"
    assert record.log_lines()[0].endswith("tea")
    assert record.trace_id == f"{request.context.trace_id:032x}"


async def test_spans_say_what_they_are_of(manager, traces):
    async with manager:
        task = await manager.using(queue="mail").enqueue(work, "tea")
        await task.result(10)

    assert dict(traces.one("enqueue work").attributes) == {
        "messaging.system": "outlive",
        "messaging.operation.type": "send",
        "messaging.operation.name": "enqueue",
        "messaging.destination.name": "mail",
        "messaging.message.id": task.id,
        "code.function.name": f"{__name__}.work",
        "outlive.timing": "enqueue",
    }
    attributes = traces.one("run work").attributes
    assert (attributes["messaging.operation.type"], attributes["messaging.operation.name"]) == ("process", "run")
    assert (attributes["outlive.attempt"], attributes["outlive.outcome"]) == (1, "success")


async def test_each_attempt_has_a_span_that_says_how_it_ended(manager, traces):
    async def fail() -> None:
        raise LookupError("no such order")

    async with manager:
        task = await manager.using(retries=1).enqueue(fail)
        await ended(manager, task.id)

    first, second = traces.named("run fail")
    assert [span.attributes["outlive.attempt"] for span in (first, second)] == [1, 2]
    assert all(is_child(span, traces.one("enqueue fail")) for span in (first, second))
    assert (second.status.status_code, second.status.description) == (StatusCode.ERROR, "no such order")
    assert (second.attributes["error.type"], second.attributes["outlive.outcome"]) == ("LookupError", "failed")
    assert [event.name for event in second.events] == ["exception"]


async def test_what_a_person_cancels_is_no_error(manager, traces, clock):
    async def forever() -> None:
        await until(lambda: False, 50)

    async with manager:
        task = await manager.enqueue(forever)
        await task.started.wait()
        await until(task.cancel)
        await ended(manager, task.id)

    span = traces.one("run forever")
    assert (span.status.status_code, span.attributes["outlive.outcome"]) == (StatusCode.UNSET, "cancelled")


async def test_a_plain_function_is_inside_its_span(manager, traces):
    async with manager:
        task = await manager.enqueue(tracing.seen)
        seen = await task.result(10)

    assert seen.endswith(f"{traces.one('run seen').context.span_id:016x}")


@pytest.mark.parametrize("func", [tracing.seen, tracing.seen_later])
async def test_a_function_in_a_worker_process_is_inside_its_span(manager, traces, func):
    async with manager:
        with traces.request.start_as_current_span("POST /orders"):
            task = await manager.using(executor="process").enqueue(func)
        seen = await task.result(20)

    span = traces.one(f"run {func.__name__}")
    assert span.context.trace_id == traces.one("POST /orders").context.trace_id
    assert seen == f"{span.context.trace_id:032x} {span.context.span_id:016x}"


def test_the_tasks_of_a_request_are_in_its_trace(manager, traces):
    app = FastAPI()
    manager.init_app(app)

    @app.post("/")
    async def endpoint(tasks: Tasks) -> None:
        with traces.request.start_as_current_span("endpoint"):
            tasks.schedule(work, "now")
            tasks.after_route.schedule(work, "soon")
            tasks.after_response.schedule(work, "later")

    with TestClient(app) as client:
        assert client.post("/").status_code == 200
        until_sync(lambda: len(traces.named("run work")) == 3)

    asked, runs = traces.named("enqueue work"), traces.named("run work")
    assert {span.attributes["outlive.timing"] for span in runs} == {"immediate", "after_route", "after_response"}
    assert all(is_child(span, traces.one("endpoint")) for span in asked)
    assert {span.context.trace_id for span in runs} == {traces.one("endpoint").context.trace_id}


async def test_attempts_can_have_traces_of_their_own_that_are_linked(backend_url, traces):
    manager = TaskManager(backend_url, tracer=traces.tracer(own_traces=True))
    async with manager:
        await (await manager.enqueue(work, "tea")).result(10)

    asked, run = traces.one("enqueue work"), traces.one("run work")
    assert (run.parent, run.links[0].context.trace_id) == (None, asked.context.trace_id)
    assert run.context.trace_id != asked.context.trace_id


# -- what nobody asked for -------------------------------------------------------------------------


async def test_what_fires_by_itself_begins_a_trace(backend_url, traces, clock):
    manager = TaskManager(backend_url, tracer=traces.tracer(), clock=clock)

    @manager.schedule(every=60, run_on_startup=True)
    async def tick() -> None: ...

    @manager.interval(seconds=60)
    async def tock() -> None: ...

    with traces.request.start_as_current_span("startup"):
        await manager.startup()
    await until(lambda: traces.named("run tick") and traces.named("run tock"))
    await manager.shutdown()

    for span in (traces.one("run tick"), traces.one("run tock")):
        assert (span.parent, list(span.links)) == (None, [])
        assert span.context.trace_id != traces.one("startup").context.trace_id
    assert traces.one("run tick").attributes["outlive.timing"] == "schedule"


async def test_a_run_that_is_planned_for_later_is_in_the_trace_of_who_plans_it(manager, traces):
    @manager.task()
    async def remind() -> None: ...

    async with manager:
        with traces.request.start_as_current_span("plan"):
            await manager.schedule_once(remind, run_at=datetime.now(UTC), run_key="reminder")
        await until(lambda: traces.named("run remind"))

    assert traces.one("run remind").context.trace_id == traces.one("plan").context.trace_id


# -- elsewhere and later ---------------------------------------------------------------------------


async def test_an_attempt_in_another_instance_is_in_the_same_trace(shared, traces):
    there = Traces()
    accepting, working = (
        shared.instance(tracer=traces.tracer(), run_tasks=False),
        shared.instance(tracer=there.tracer()),
    )
    for manager in (accepting, working):
        manager.task(name="work", retries=2)(work)

    async with accepting:
        with traces.request.start_as_current_span("POST /orders"):
            task = await accepting.using(retries=5).enqueue(work, "tea")
    async with working:
        await ended(working, task.id)
        await working.requeue(task.id)
        await until(lambda: len(there.named("run work")) == 2)

    (asked,) = traces.named("enqueue work")
    assert all(is_child(run, asked) for run in there.named("run work"))
    assert not there.named("enqueue work")


async def test_a_record_is_as_good_for_an_instance_that_does_not_trace(shared, traces):
    tracing_, plain = shared.instance(tracer=traces.tracer(), run_tasks=False), shared.instance()
    for manager in (tracing_, plain):
        manager.task(name="work")(work)

    async with tracing_:
        task = await tracing_.using(name="a label", tags={"of": "tea"}).enqueue(work, "tea")
    async with plain:
        record = await ended(plain, task.id)

    assert (record.status, record.label, dict(record.tags)) == (TaskStatus.SUCCESS, "a label", {"of": "tea"})


async def test_nothing_is_kept_where_nothing_is_traced(backend_url):
    async with TaskManager(backend_url, tracer=OpenTelemetryTracer()) as manager:
        task = await manager.enqueue(work, "tea")
        assert await task.result(10) == "0" * 32 + " " + "0" * 16
        record = await record_of(manager, task.id)
        assert (record.options, record.trace_id) == (None, None)


class Broken(SpanProcessor):
    """Raises when a span begins, or when it ends."""

    def __init__(self, at):
        self.at = at

    def on_start(self, span, parent_context=None):
        if self.at == "start":
            raise LookupError("broken")

    def on_end(self, span):
        if self.at == "end":
            raise LookupError("broken")


@pytest.mark.parametrize("at", ["start", "end"])
async def test_a_tracer_that_raises_touches_no_task(backend_url, traces, at):
    traces.provider.add_span_processor(Broken(at))
    with captured_log("outlive") as lines:
        async with TaskManager(backend_url, tracer=traces.tracer(), retries=1) as manager:
            assert await (await manager.enqueue(plainly, "tea")).result(10) == "tea"
            assert await (await manager.using(executor="process").enqueue(plainly, "tea")).result(20) == "tea"

    told = {line.getMessage() for line in lines}
    assert "observer OpenTelemetryTracer raised on attempt" in told


def plainly(word: str) -> str:
    return word


def test_who_does_not_trace_loads_nothing_of_it():
    code = "import sys, outlive; sys.exit('outlive.integrations.opentelemetry' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], timeout=50, check=False).returncode == 0


def test_without_its_library_it_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "opentelemetry", None)
    with pytest.raises(ImportError, match=r"outlive\[otel\]"):
        importlib.reload(opentelemetry)
    monkeypatch.undo()
    importlib.reload(opentelemetry)
