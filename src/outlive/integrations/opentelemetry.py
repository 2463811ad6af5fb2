"""Traces for OpenTelemetry: from the request, over the run that it asks for, to each attempt in whatever process."""

import inspect
from collections.abc import Awaitable, Callable, Generator, Mapping
from contextlib import contextmanager
from functools import partial
from typing import Any

from outlive.core.moves import Enqueue
from outlive.core.settle import Cancelled, Failed, Interrupted, Outcome, Succeeded
from outlive.errors import MissingExtraError
from outlive.ports import Traced

try:
    from opentelemetry import context, trace
    from opentelemetry.trace import Link, Span, SpanKind, StatusCode
    from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator
except ImportError as error:
    raise MissingExtraError(
        'traces need the library opentelemetry-api; install it with pip install "outlive[otel]"'
    ) from error

__all__ = ["OpenTelemetryTracer"]

#: W3C `traceparent` and `tracestate`, whatever the application itself speaks to others.
_FORMAT = TraceContextTextMapPropagator()

_STATUS = {Succeeded: "success", Failed: "failed", Cancelled: "cancelled", Interrupted: "interrupted"}


class OpenTelemetryTracer:
    """Makes spans of what tasks do: `TaskManager(tracer=OpenTelemetryTracer())`.

    A span `enqueue <function>` where somebody asks for a run, in the trace of the request, and `run <function>` for
    each attempt, in the same trace and linked to the former, also in another instance and after a restart. What fires
    by itself begins a trace of its own. The record keeps `traceparent`; nothing is kept where nothing is traced.

    `provider`: where spans go, default the one that the application has set for the process.
    `own_traces`: let each attempt begin a trace of its own, that is only linked; for work that starts days later.
    """

    def __init__(self, provider: trace.TracerProvider | None = None, *, own_traces: bool = False) -> None:
        self._tracer = trace.get_tracer("outlive", tracer_provider=provider)
        self._own_traces = own_traces

    def accept(self, facts: Enqueue) -> Mapping[str, str]:
        """Note that a run was asked for, and give what leads its attempts back here."""
        name = f"enqueue {facts.func_name}"
        with self._tracer.start_as_current_span(name, kind=SpanKind.PRODUCER, attributes=_attributes(facts, "send")):
            kept: dict[str, str] = {}
            _FORMAT.inject(kept)
        return kept

    @contextmanager
    def attempt(self, call: Traced, kept: Mapping[str, str]) -> Generator[Callable[[Outcome], None]]:
        """A span around an attempt."""
        origin = _FORMAT.extract(kept, context.Context())
        asked = trace.get_current_span(origin).get_span_context()
        with self._tracer.start_as_current_span(
            f"run {call.facts.func_name}",
            context.Context() if self._own_traces else origin,
            SpanKind.CONSUMER,
            _attributes(call.facts, "process") | {"outlive.attempt": call.attempts},
            [Link(asked)] if asked.is_valid else None,
        ) as span:
            yield partial(_end, span)

    def carried(self, body: Callable[..., Any]) -> Callable[..., Any]:
        """The body, with the span of its attempt around it in another process."""
        kept: dict[str, str] = {}
        _FORMAT.inject(kept)
        return partial(run_inside, kept, body)


def run_inside(kept: Mapping[str, str], body: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    """Call a body inside a span of another process; a coroutine is inside of it when it is awaited."""
    token = context.attach(_FORMAT.extract(kept, context.Context()))
    try:
        value = body(*args, **kwargs)
    finally:
        context.detach(token)
    return _await_inside(kept, value) if inspect.iscoroutine(value) else value


async def _await_inside(kept: Mapping[str, str], value: Awaitable[Any]) -> Any:
    token = context.attach(_FORMAT.extract(kept, context.Context()))
    try:
        return await value
    finally:
        context.detach(token)


def _attributes(facts: Enqueue, kind: str) -> dict[str, str | int]:
    """The names are those of the semantic conventions, where they have one."""
    return {
        "messaging.system": "outlive",
        "messaging.operation.type": kind,
        "messaging.operation.name": "enqueue" if kind == "send" else "run",
        "messaging.destination.name": facts.queue,
        "messaging.message.id": facts.id,
        "code.function.name": facts.func.replace(":", "."),
        "outlive.timing": facts.timing,
    }


def _end(span: Span, outcome: Outcome) -> None:
    span.set_attribute("outlive.outcome", _STATUS[type(outcome)])
    match outcome:
        case Failed(exception, told):
            span.set_attribute("error.type", type(exception).__qualname__)
            span.record_exception(exception)
            span.set_status(StatusCode.ERROR, told)
        case Interrupted(reason):
            span.set_status(StatusCode.ERROR, reason)
        case Cancelled() | Succeeded():
            pass
