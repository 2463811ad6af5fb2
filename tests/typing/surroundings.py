"""What surrounds tasks, as a project under mypy strict and pyright strict uses it."""

from typing import assert_type

from cryptography.fernet import Fernet, MultiFernet
from fastapi import FastAPI

from outlive import (
    FileLogger,
    InMemoryLogger,
    LifecycleEvent,
    LogEvent,
    LoggerChain,
    StatusRouter,
    StdoutLogger,
    TaskManager,
    TaskObserver,
    progress,
)
from outlive.integrations.opentelemetry import OpenTelemetryTracer
from outlive.integrations.prometheus import PrometheusMetrics


class Pager(TaskObserver):
    """Overrides one method as a coroutine function and one as a plain one."""

    async def startup(self) -> None: ...

    async def on_lifecycle(self, event: LifecycleEvent) -> None:
        assert_type(event.duration, float | None)

    def on_log(self, event: LogEvent) -> None:
        assert_type(event.message, str)


metrics = PrometheusMetrics()
manager = TaskManager(
    loggers=[Pager("error"), FileLogger("x.log"), StdoutLogger(), InMemoryLogger(), metrics, print],
    encrypt_args_key=["new", b"old"],
    tracer=OpenTelemetryTracer(own_traces=True),
    retention={"failed": 90},
    retention_days=30,
    max_result_size=1024,
    retries=3,
)
app = FastAPI()
jobs = StatusRouter(manager)
app.include_router(jobs)
app.include_router(metrics.router(manager))

assert_type(manager.logger, LoggerChain | None)
assert_type(manager.fernet, Fernet | MultiFernet | None)
assert_type(TaskManager.from_env(retries=1), TaskManager)


@manager.task(retention_days=7)
def count(to: int) -> int:
    for number in range(to):
        progress(number, to, "counting")
    return to


TaskManager(log_lifecycle="yes")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
TaskManager(tracer="otel")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
TaskManager(loggers=[5])  # type: ignore[list-item]  # pyright: ignore[reportArgumentType]
progress("half")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
